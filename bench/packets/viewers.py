"""Viewers of a feed in this process: forwarders on a real socket, and what receives."""

import contextlib
import random
import socket
from collections.abc import Callable

from whipbird.media.forwarder import Forwarder
from whipbird.native import Native
from whipbird.net.backlog import Backlog
from whipbird.net.udp_socket import UdpSocket, bind
from whipbird.rtp.rewriter import Rewriter, Rewriting
from whipbird.sdp.codecs import Codec
from whipbird.sdp.media import OfferedMedia
from whipbird.transport.packet_buffer import PacketBuffer
from whipbird.transport.srtp import CompiledOutbound, Profile, SrtpTransport

LOOPBACK = "127.0.0.1"
_SOL_UDP, _UDP_GRO = 17, 104
# Octets of a sink's buffer: more than it gets before it is drained.
_SINK_BUFFER = 1024 * 1024

VIDEO = OfferedMedia(
    kind="video",
    mid="0",
    protocol="UDP/TLS/RTP/SAVPF",
    codecs=(Codec(120, "VP8/90000", feedback=("nack", "nack pli")),),
    extensions=(),
)


class Sink:
    """The socket of a viewer, which takes datagrams as they were sent together."""

    def __init__(self) -> None:
        self._socket = bind(LOOPBACK, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SINK_BUFFER)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        self.address: tuple[str, int] = self._socket.getsockname()

    def drain(self) -> int:
        """Read all that has come; return how many octets."""
        octets = 0
        while True:
            try:
                octets += len(self._socket.recv(65_535))
            except BlockingIOError:
                return octets

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Connection:
    """What ``rtc.Connection`` is to a forwarder: SRTP, a socket, and a destination.

    Args:
        native: the compiled packet path; None for Python.
    """

    is_congested = False
    round_trip: float | None = None

    def __init__(
        self,
        profile: Profile,
        sender: UdpSocket,
        remote: tuple[str, int],
        native: Native | None,
    ) -> None:
        keys = random.Random(1).randbytes(profile.keying_length)
        self._srtp = SrtpTransport(profile, keys, is_client=False, native=native)
        self._sender, self._remote, self._native = sender, remote, native
        self.fan_out = None if native is None else native.fan_out
        self.rtp_routes: dict[int, Callable[[bytes], None]] = {}
        if native is not None and sender.compiled is not None:
            assert isinstance(self._srtp.outbound, CompiledOutbound)
            self._outlet = native.outlet()
            self._outlet.aim(self._srtp.outbound.sender, sender.compiled, remote)

    def make_rewriter(self, ssrc: int, *, sequence: int, timestamp: int) -> Rewriting:
        """See ``MediaTransport``."""
        if self._native is None:
            return Rewriter(ssrc, sequence=sequence, timestamp=timestamp)
        return self._native.rewriter(
            ssrc, sequence=sequence, timestamp=timestamp, outlet=self._outlet
        )

    def route_rtcp(self, take: Callable[[bytes], None]) -> None:
        """See ``MediaTransport``; there is no RTCP."""

    def send_rtp(self, packet: bytes) -> None:
        """See ``MediaTransport``."""
        self._sender.send(self._srtp.protect_rtp(packet), self._remote)

    def send_rtcp(self, packet: bytes) -> None:
        """See ``MediaTransport``."""
        self._sender.send(self._srtp.protect_rtcp(packet), self._remote)

    def send_rtp_batch(self, batch: PacketBuffer) -> None:
        """See ``MediaTransport``."""
        self._srtp.protect_batch(batch)
        self._sender.send_batch(batch.packets(), self._remote)


class Viewers:
    """Forwarders to sinks, from one socket.

    Args:
        count: how many.
        native: the compiled packet path; None for Python.
    """

    def __init__(self, count: int, profile: Profile, native: Native | None) -> None:
        self.sinks = [Sink() for _ in range(count)]
        self._sender = UdpSocket(
            bind(LOOPBACK, 0),
            lambda *_: None,
            lambda _: None,
            Backlog(),
            native,
        )
        self.forwarders = [
            Forwarder(
                VIDEO,
                2 * number + 1,
                2 * number + 2,
                Connection(profile, self._sender, sink.address, native),
                lambda _: None,
                lambda _: None,
            )
            for number, sink in enumerate(self.sinks)
        ]

    def drain(self) -> int:
        """Read what has come; return how many octets."""
        return sum(sink.drain() for sink in self.sinks)

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel did not take."""
        return self._sender.dropped

    def close(self) -> None:
        """Close all sockets."""
        self._sender.close()
        for sink in self.sinks:
            sink.close()
