"""Floods within the data channels of a session that is authentic."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from struct import Struct

from whipbird.transport.sctp.chunks import (
    ABORT,
    COOKIE_ECHO,
    DATA,
    DATA_HEADER,
    FORWARD_TSN,
    HEARTBEAT,
    INIT,
    RE_CONFIG,
    SACK_HEADER,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    UNORDERED,
    WHOLE_MESSAGE,
    Init,
    padding,
    write_chunk,
    write_init,
    write_parameter,
    write_sack,
)
from whipbird.transport.sctp.packets import checksum_of

from .attacker import Attacker
from .datagrams import Strike, connected

_HEADER = Struct("!HHLL")
_PORT = 5000
_OPEN = b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00x"  # RFC 8832 section 5.1
_PPID_CONTROL, _PPID_BINARY = 50, 53
# The largest stream number that the server takes is lower.
_STREAMS = 1 << 16
_MAX_GAPS = 250
# The types of chunks that do not end the association.
_HARMLESS = [
    kind
    for kind in range(256)
    if kind not in (ABORT, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE)
]


class _Sctp:
    """Writes packets into an association, as its peer."""

    def __init__(self, attacker: Attacker) -> None:
        handshake = attacker.association._handshake
        assert handshake.peer is not None
        self._attacker = attacker
        self._tag = handshake.peer.tag
        board = attacker.association._sender._board
        self.tsn = board.next_tsn
        self.request = handshake.local_tsn

    def send(self, chunks: bytes, tag: int | None = None) -> None:
        """Send a packet of these chunks."""
        tag = self._tag if tag is None else tag
        packet = _HEADER.pack(_PORT, _PORT, tag, 0) + chunks
        self._attacker.send_encrypted(packet[:8] + checksum_of(packet) + packet[12:])

    def data(
        self, stream: int, data: bytes, protocol: int = _PPID_BINARY, flags: int = 0
    ) -> bytes:
        """A DATA chunk with a whole message, unordered, with the next TSN."""
        length = DATA_HEADER.size + len(data)
        head = DATA_HEADER.pack(
            DATA,
            flags | WHOLE_MESSAGE | UNORDERED,
            length,
            self.tsn & 0xFFFFFFFF,
            stream,
            0,
            protocol,
        )
        self.tsn += 1
        return head + data + padding(length)


@asynccontextmanager
async def _association(url: str) -> AsyncIterator[_Sctp]:
    async with connected(url) as attacker:
        sctp = _Sctp(attacker)
        # What the server answers would confuse our own end.
        attacker.fall_silent()
        yield sctp


@asynccontextmanager
async def inits(url: str) -> AsyncIterator[Strike]:
    """INIT chunks, each with another tag."""
    async with _association(url) as sctp:
        yield lambda: sctp.send(
            write_init(INIT, Init(secrets.randbits(32) | 1, 65536, 16, 16, 1)), tag=0
        )


@asynccontextmanager
async def cookies(url: str) -> AsyncIterator[Strike]:
    """COOKIE ECHO chunks that nobody has issued."""
    async with _association(url) as sctp:
        yield lambda: sctp.send(write_chunk(COOKIE_ECHO, secrets.token_bytes(78)))


@asynccontextmanager
async def garbage(url: str) -> AsyncIterator[Strike]:
    """Packets with the right tag and checksum, and random octets for chunks."""
    async with _association(url) as sctp:
        yield lambda: sctp.send(
            bytes((secrets.choice(_HARMLESS),)) + secrets.token_bytes(599)
        )


@asynccontextmanager
async def heartbeats(url: str) -> AsyncIterator[Strike]:
    """Packets of 80 HEARTBEAT chunks, each to be answered."""
    async with _association(url) as sctp:
        chunks = write_chunk(HEARTBEAT, bytes(8)) * 80
        yield lambda: sctp.send(chunks)


@asynccontextmanager
async def resets(url: str) -> AsyncIterator[Strike]:
    """RE-CONFIG chunks, each with a reset of many streams."""
    async with _association(url) as sctp:
        numbers = count(sctp.request)
        streams = b"".join(n.to_bytes(2) for n in range(256))

        def strike() -> None:
            head = (next(numbers) & 0xFFFFFFFF).to_bytes(4) + bytes(4)
            request = head + ((sctp.tsn - 1) & 0xFFFFFFFF).to_bytes(4) + streams
            sctp.send(write_chunk(RE_CONFIG, write_parameter(13, request)))

        yield strike


@asynccontextmanager
async def opens(url: str) -> AsyncIterator[Strike]:
    """Packets of 35 DATA_CHANNEL_OPEN messages, for streams of all numbers."""
    async with _association(url) as sctp:
        streams = count()

        def strike() -> None:
            sctp.send(
                b"".join(
                    sctp.data(next(streams) % _STREAMS, _OPEN, _PPID_CONTROL)
                    for _ in range(35)
                )
            )

        yield strike


@asynccontextmanager
async def octets(url: str) -> AsyncIterator[Strike]:
    """Packets of 55 messages of one octet, whose echo is never acknowledged."""
    async with _association(url) as sctp:
        yield lambda: sctp.send(b"".join(sctp.data(1, b"x") for _ in range(55)))


@asynccontextmanager
async def unread(url: str) -> AsyncIterator[Strike]:
    """Messages of 1,100 octets, whose echo is never acknowledged."""
    async with _association(url) as sctp:
        yield lambda: sctp.send(sctp.data(1, bytes(1100)))


@asynccontextmanager
async def holes(url: str) -> AsyncIterator[Strike]:
    """Messages with every second TSN left out."""
    async with _association(url) as sctp:

        def strike() -> None:
            sctp.tsn += 1
            sctp.send(sctp.data(1, b"x"))

        yield strike


@asynccontextmanager
async def gaps(url: str) -> AsyncIterator[Strike]:
    """SACK chunks with 250 gaps, of which none makes sense."""
    async with _association(url) as sctp:
        blocks = [(2 * n + 2, 2 * n + 2) for n in range(_MAX_GAPS)]

        def strike() -> None:
            sack = write_sack(secrets.randbits(32), 1 << 17, blocks, [])
            assert len(sack) > SACK_HEADER.size
            sctp.send(sack)

        yield strike


@asynccontextmanager
async def skips(url: str) -> AsyncIterator[Strike]:
    """FORWARD TSN chunks, each over 100 messages that never come."""
    async with _association(url) as sctp:
        streams = b"".join(n.to_bytes(2) + bytes(2) for n in range(256))

        def strike() -> None:
            sctp.tsn += 100
            cumulative = ((sctp.tsn - 1) & 0xFFFFFFFF).to_bytes(4)
            sctp.send(write_chunk(FORWARD_TSN, cumulative + streams))

        yield strike
