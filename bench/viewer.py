"""One who watches: a session as any other, whose packets are counted as they come."""

import re
from socket import (
    AF_INET,
    AF_INET6,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOL_SOCKET,
    socket,
)
from struct import Struct

from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import ReportBlock, write_receiver_report, write_remb

from .arrivals import HEAD_END, HEAD_START, Arrivals
from .clients import BenchError, TimedClient

# Octets that may wait to be read, if the system allows so many.
BUFFER = 4 * 1024 * 1024
# What it says that its network can take, in bit/s.
BANDWIDTH = 10_000_000
# It reads ten times a second, and reports once.
READS_PER_REPORT = 10

# Of Linux: socket(7), udp(7), sock_diag(7). Python has no names for these.
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_MEMINFO = 55
_MEMINFO = Struct("=9I")
_SOL_UDP = 17
_UDP_GRO = 104
_TIMESPEC = Struct("@ll")
_SIZE = Struct("@i")
_MAX_DATAGRAM = 65535
_MAX_ANCILLARY = 128

_RTP = range(128, 192)  # the first octet (RFC 7983)
_RTCP = range(192, 224)  # the second one (RFC 5761 section 4)

_buffer = bytearray(_MAX_DATAGRAM)
_view = memoryview(_buffer)


class Viewer:
    """Watches a stream, and looks at the headers of what comes only.

    Once it is connected, a second socket takes what the server sends to it: one that
    is connected to the server's address goes before one that hears everybody. So the
    session lives on as it was set up, and no event loop is woken by its packets.

    Args:
        client: it has not been connected yet, and will have one path only.
        number: when it reports: those with different last digits not all at once.

    Attributes:
        arrivals: the packets of audio and video since they were cleared.
    """

    def __init__(self, client: TimedClient, number: int) -> None:
        self.arrivals = Arrivals()
        self._client = client
        self._reads = number
        self._sources: dict[str, int] = {}
        self._sample: bytes | None = None
        self._socket: socket | None = None
        self._dropped = 0

    async def connect(self) -> None:
        """Open the session; from then on packets wait to be read.

        Raises:
            WhipError: when the server refuses, or does not connect.
        """
        client = self._client
        for kind in ("video", "audio"):
            client.peer.addTransceiver(kind, direction="recvonly")
        await client.connect()
        for kind in ("video", "audio"):
            section = client.answer.partition(f"\nm={kind}")[2].partition("\nm=")[0]
            ssrc = re.search(r"a=ssrc:(\d+) ", section)
            if ssrc is None:
                raise BenchError(f"a viewer is sent no {kind}")
            self._sources[kind] = int(ssrc[1])
        path = client.peer.connection.transport.ice.selected
        assert path is not None
        self._path = path
        client.share_address()
        self._socket = _second_socket(path.local[:2], path.remote[:2])

    async def close(self) -> None:
        """End the session."""
        if self._socket is not None:
            self._socket.close()
        await self._client.close()

    def ssrc(self, kind: str) -> int:
        """The source of ``audio`` or ``video``."""
        return self._sources[kind]

    def clear(self) -> None:
        """Forget what has come."""
        assert self._socket is not None
        self.arrivals.clear()
        self._sample = None
        self._dropped = _drops(self._socket)

    @property
    def dropped(self) -> int:
        """How many packets came since then, and were not read in time."""
        assert self._socket is not None
        return _drops(self._socket) - self._dropped

    def read(self) -> None:
        """Take all that has come, and report now and then."""
        assert self._socket is not None
        receive, buffers = self._socket.recvmsg_into, (_buffer,)
        try:
            while True:
                length, ancillary, _, _ = receive(buffers, _MAX_ANCILLARY)
                size, time = length, 0
                for level, kind, data in ancillary:
                    if level == _SOL_UDP and kind == _UDP_GRO:
                        (size,) = _SIZE.unpack(data)
                    elif level == SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                        seconds, nanoseconds = _TIMESPEC.unpack(data)
                        time = seconds * 1_000_000_000 + nanoseconds
                for start in range(0, length, size):
                    self._take(start, min(start + size, length), time)
        except BlockingIOError:
            pass
        self._reads += 1
        if self._reads % READS_PER_REPORT == 0:
            self._report()

    def _take(self, start: int, end: int, time: int) -> None:
        """Take one packet: what is in this part of the buffer."""
        if _buffer[start] in _RTP and _buffer[start + 1] not in _RTCP:
            arrivals = self.arrivals
            arrivals.heads += _view[start + HEAD_START : start + HEAD_END]
            arrivals.times.append(time)
            if self._sample is None:
                self._sample = bytes(_view[start:end])
        else:
            # Checks of ICE, and reports.
            self._receive(bytes(_view[start:end]))

    def sample(self) -> bytes | None:
        """The payload of the first packet since all was forgotten, decrypted.

        Returns:
            None when nothing has come.

        Raises:
            BenchError: when it cannot be decrypted.
        """
        if self._sample is None:
            return None
        decrypted: list[bytes] = []
        routes = self._client.peer.connection.rtp_routes
        routes[self._sample[1] & 0x7F] = decrypted.append
        self._receive(self._sample)
        routes.clear()
        packet = RtpPacket.parse(decrypted[0]) if decrypted else None
        if packet is None:
            raise BenchError("a viewer cannot decrypt what it is sent")
        return packet.payload

    def _receive(self, datagram: bytes) -> None:
        """Let the client have a datagram, as if its own socket had read it."""
        self._client.receive(datagram, self._path)

    def _report(self) -> None:
        """Say that nothing is lost, and that there is room for all that is sent."""
        sources = list(self._sources.values())
        blocks = [ReportBlock(ssrc, 0, 0, 0, 0, 0, 0) for ssrc in sources]
        try:
            self._client.peer.connection.send_rtcp(
                write_receiver_report(1, blocks) + write_remb(1, BANDWIDTH, sources)
            )
        except ConnectionError:
            raise BenchError("a viewer's session has ended") from None


def _second_socket(local: tuple[str, int], remote: tuple[str, int]) -> socket:
    """A socket that takes what comes from one address to another."""
    sock = socket(AF_INET6 if ":" in local[0] else AF_INET, SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.setsockopt(SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        try:
            sock.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            sock.setsockopt(SOL_SOCKET, SO_RCVBUF, BUFFER)
        sock.bind(local)
        sock.connect(remote)
    except OSError:
        sock.close()
        raise
    return sock


def _drops(sock: socket) -> int:
    """How many packets a socket had no room for."""
    drops: int = _MEMINFO.unpack(
        sock.getsockopt(SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    )[-1]
    return drops
