"""SCTP on the wire: chunks, parameters and packets (RFC 9260 section 3).

Readers check every length, and raise nothing but ``SctpError``.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple


class SctpError(Exception):
    """The peer sent what the protocol does not allow."""


# Chunk types (RFC 9260 section 3.2; RFC 6525 section 3.1; RFC 3758 section 3.2).
DATA: Final = 0
INIT: Final = 1
INIT_ACK: Final = 2
SACK: Final = 3
HEARTBEAT: Final = 4
HEARTBEAT_ACK: Final = 5
ABORT: Final = 6
SHUTDOWN: Final = 7
SHUTDOWN_ACK: Final = 8
ERROR: Final = 9
COOKIE_ECHO: Final = 10
COOKIE_ACK: Final = 11
SHUTDOWN_COMPLETE: Final = 14
RE_CONFIG: Final = 130
FORWARD_TSN: Final = 192

# Flags of DATA (RFC 9260 section 3.3.1).
LAST_FRAGMENT: Final = 0x01
FIRST_FRAGMENT: Final = 0x02
WHOLE_MESSAGE: Final = FIRST_FRAGMENT | LAST_FRAGMENT
UNORDERED: Final = 0x04
IMMEDIATE: Final = 0x08  # acknowledge at once

# Of ABORT and SHUTDOWN COMPLETE: the tag is the sender's own peer's (section 8.5.1).
TAG_REFLECTED: Final = 0x01

# Parameters.
STATE_COOKIE: Final = 7
UNRECOGNIZED_PARAMETER: Final = 8
SUPPORTED_EXTENSIONS: Final = 0x8008
FORWARD_TSN_SUPPORTED: Final = 0xC000

# Addresses, cookie preservative, unrecognized parameter, host name, address types: over
# DTLS they say nothing.
_IGNORED: Final = frozenset({5, 6, 8, 9, 11, 12})

# Error causes (RFC 9260 section 3.3.10).
INVALID_STREAM: Final = 1
STALE_COOKIE: Final = 3
UNRECOGNIZED_CHUNK: Final = 6

TSN_MASK: Final = 0xFFFF_FFFF
_TSN_HALF: Final = 1 << 31

COMMON_HEADER_SIZE: Final = 12
DATA_HEADER_SIZE: Final = 16
MAX_PACKET_SIZE: Final = 1189
"""Octets of a packet, so that with DTLS, UDP and IPv6 around it, it takes 1280."""
USER_DATA_SIZE: Final = 1160
"""Octets of user data in a chunk: what fits a packet, in whole words."""

# Octets of unknown parameters that are reported; they fit a packet.
_MAX_REPORTED: Final = USER_DATA_SIZE // 2

CHUNK_HEADER: Final = Struct("!BBH")
DATA_HEADER: Final = Struct("!BBHLHHL")
SACK_HEADER: Final = Struct("!BBHLLHH")
_INIT: Final = Struct("!LLHHL")
_PARAMETER: Final = Struct("!HH")
_WORD: Final = Struct("!L")
_PAIR: Final = Struct("!HH")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


def unwrap(number: int, reference: int) -> int:
    """Return the number that a TSN stands for, without its wrap at 32 bits.

    Args:
        number: 32 bits, from the wire.
        reference: an unwrapped number less than 2**31 away from it.
    """
    ahead = (number - reference) & TSN_MASK
    return reference + (ahead if ahead < _TSN_HALF else ahead - TSN_MASK - 1)


def padding(length: int) -> bytes:
    """Return the padding after that many octets (RFC 9260 section 3.2)."""
    return _PADDING[length & 3]


def write_chunk(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Write a chunk and its padding."""
    length = CHUNK_HEADER.size + len(body)
    return CHUNK_HEADER.pack(kind, flags, length) + body + _PADDING[length & 3]


def write_parameter(kind: int, value: bytes = b"") -> bytes:
    """Write a parameter, or an error cause, and its padding."""
    length = _PARAMETER.size + len(value)
    return _PARAMETER.pack(kind, length) + value + _PADDING[length & 3]


def read_parameters(body: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Read the parameters, or error causes, of a chunk.

    Returns:
        An iterator over types and values.

    Raises:
        SctpError: when one is longer than the chunk or shorter than its header.
    """
    end = len(body)
    while start + _PARAMETER.size <= end:
        kind, length = _PARAMETER.unpack_from(body, start)
        if length < _PARAMETER.size or start + length > end:
            raise SctpError("a parameter with a wrong length")
        yield kind, body[start + _PARAMETER.size : start + length]
        start += length + (-length & 3)


class Init(NamedTuple):
    """An INIT or INIT ACK chunk (RFC 9260 sections 3.3.2 and 3.3.3).

    Attributes:
        tag: the verification tag that its sender expects.
        window: octets that its sender can take.
        outbound: streams that its sender wants to use.
        inbound: streams that its sender allows.
        tsn: the first TSN that its sender will use.
        forward_tsn: its sender knows FORWARD TSN (RFC 3758).
        re_config: its sender knows RE-CONFIG (RFC 6525).
        cookie: the state cookie of an INIT ACK.
        unrecognized: parameters to be reported, written for an INIT ACK.
    """

    tag: int
    window: int
    outbound: int
    inbound: int
    tsn: int
    forward_tsn: bool = True
    re_config: bool = True
    cookie: bytes = b""
    unrecognized: bytes = b""


def read_init(body: bytes) -> Init:
    """Read the body of an INIT or INIT ACK chunk.

    Raises:
        SctpError: when it is not sound, has no tag, or allows no streams.
    """
    if len(body) < _INIT.size:
        raise SctpError("an INIT that is too short")
    fields = Init(*_INIT.unpack_from(body))
    if not (fields.tag and fields.outbound and fields.inbound):
        raise SctpError("an INIT without a tag or without streams")
    extensions = b""
    forward_tsn = False
    cookie = unrecognized = b""
    for kind, value in read_parameters(body, _INIT.size):
        if kind == STATE_COOKIE:
            cookie = value
        elif kind == FORWARD_TSN_SUPPORTED:
            forward_tsn = True
        elif kind == SUPPORTED_EXTENSIONS:
            extensions = value
        elif kind not in _IGNORED:
            # The two highest bits say what to do (RFC 9260 section 3.2.1).
            whole = write_parameter(kind, value)
            if kind & 0x4000 and len(unrecognized) + len(whole) <= _MAX_REPORTED:
                unrecognized += write_parameter(UNRECOGNIZED_PARAMETER, whole)
            if not kind & 0x8000:
                break
    return fields._replace(
        forward_tsn=forward_tsn or FORWARD_TSN in extensions,
        re_config=RE_CONFIG in extensions,
        cookie=cookie,
        unrecognized=unrecognized,
    )


def write_init(kind: int, init: Init) -> bytes:
    """Write an INIT or INIT ACK chunk."""
    body = _INIT.pack(*init[:5])
    if init.cookie:
        body += write_parameter(STATE_COOKIE, init.cookie)
    body += write_parameter(SUPPORTED_EXTENSIONS, bytes((FORWARD_TSN, RE_CONFIG)))
    # Last, for it needs no padding, which would not count into the chunk's length.
    body += write_parameter(FORWARD_TSN_SUPPORTED) + init.unrecognized
    return write_chunk(kind, body)


def read_gaps(packet: bytes, position: int, count: int) -> Iterator[tuple[int, int]]:
    """Iterate over the gap blocks of a SACK chunk; the caller has checked its length.

    Returns:
        The first and the last offset of each block.
    """
    start = position + SACK_HEADER.size
    return _PAIR.iter_unpack(packet[start : start + 4 * count])


def write_sack(
    cumulative: int,
    window: int,
    gaps: list[tuple[int, int]],
    duplicates: list[int],
) -> bytes:
    """Write a SACK chunk (RFC 9260 section 3.3.4).

    Args:
        cumulative: the cumulative TSN, 32 bits.
        window: octets that the peer may send.
        gaps: offsets from the cumulative TSN, first and last of each block.
        duplicates: TSNs, 32 bits.
    """
    length = SACK_HEADER.size + 4 * (len(gaps) + len(duplicates))
    head = SACK_HEADER.pack(
        SACK, 0, length, cumulative, window, len(gaps), len(duplicates)
    )
    if length == SACK_HEADER.size:
        return head
    blocks = b"".join([_PAIR.pack(first, last) for first, last in gaps])
    return head + blocks + b"".join([_WORD.pack(tsn) for tsn in duplicates])


def read_forward_tsn(body: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Read the body of a FORWARD TSN chunk (RFC 3758 section 3.2).

    Returns:
        The new cumulative TSN, 32 bits; the streams in which ordered messages are
        skipped, each with the last sequence number skipped.

    Raises:
        SctpError: when it is not sound.
    """
    if len(body) < 4 or len(body) % 4:
        raise SctpError("a FORWARD TSN with a wrong length")
    (cumulative,) = _WORD.unpack_from(body)
    return cumulative, list(_PAIR.iter_unpack(body[4:]))


def write_forward_tsn(cumulative: int, streams: dict[int, int]) -> bytes:
    """Write a FORWARD TSN chunk.

    Args:
        cumulative: the new cumulative TSN, 32 bits.
        streams: the last sequence number skipped, by stream.
    """
    pairs = b"".join([_PAIR.pack(*item) for item in streams.items()])
    return write_chunk(FORWARD_TSN, _WORD.pack(cumulative) + pairs)


def read_word(body: bytes) -> int:
    """Read the first 32 bits of a chunk's body.

    Raises:
        SctpError: when it is shorter.
    """
    if len(body) < 4:
        raise SctpError("a chunk that is too short")
    return int.from_bytes(body[:4], "big")
