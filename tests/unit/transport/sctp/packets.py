"""Packets made by hand, as a peer would send them."""

from struct import pack

from google_crc32c import value as crc32c

from tests.unit.transport.sctp.link import End, chunks_of
from whipbird.transport.sctp import Association


def sealed(tag: int, chunks: bytes) -> bytes:
    """A packet with a right checksum."""
    header = pack("!HHL", 5000, 5000, tag)
    return header + pack("<L", crc32c(header + bytes(4) + chunks)) + chunks


def packet(to: Association, chunks: bytes) -> bytes:
    """A packet for an association, as its peer would send it."""
    return sealed(to._handshake.local_tag, chunks)


def chunk(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """A chunk and its padding."""
    whole = pack("!BBH", kind, flags, 4 + len(body)) + body
    return whole + bytes(-len(whole) % 4)


def data(
    to: Association,
    ahead: int,
    octets: bytes,
    *,
    stream: int = 0,
    sequence: int = 0,
    flags: int = 3,
    protocol: int = 53,
) -> bytes:
    """A DATA chunk, so many TSNs beyond the last that was received."""
    tsn = (to._acknowledger.cumulative + ahead) % 2**32
    return chunk(0, pack("!LHHL", tsn, stream, sequence, protocol) + octets, flags)


def sack(
    of: Association, cumulative: int, window: int = 1 << 20, *gaps: tuple[int, int]
) -> bytes:
    """A SACK chunk for what an association has sent.

    Args:
        cumulative: how many TSNs beyond the last that was acknowledged.
    """
    tsn = (of._recovery.board.acknowledged + cumulative) % 2**32
    body = pack("!LLHH", tsn, window, len(gaps), 0)
    return chunk(3, body + b"".join(pack("!HH", *gap) for gap in gaps))


def kinds(end: End) -> list[list[int]]:
    """The kinds of the chunks in each packet that an end has sent."""
    return [[kind for kind, _, _ in chunks_of(packet)] for packet in end.packets]


def all_kinds(end: End) -> list[int]:
    """The kinds of all chunks that an end has sent."""
    return [kind for packet in kinds(end) for kind in packet]
