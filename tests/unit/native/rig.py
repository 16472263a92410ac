"""A feed, viewers on real sockets, and what arrives there."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket

from bench.packets.viewers import Connection
from tests.unit.media.watching import RTX, VIEWER_VP8, Source, taken
from whipbird.media.feed import Feed
from whipbird.media.forwarder import Forwarder
from whipbird.native import Native
from whipbird.net.backlog import Backlog
from whipbird.net.udp_socket import UdpSocket, bind
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.transport.srtp import PROFILES, Profile, SrtpTransport

LOOPBACK = "127.0.0.1"
# As ``Connection`` has it: each viewer has the same keys.
SEED = 1


def open_socket(native: Native | None, sock: socket | None = None) -> UdpSocket:
    """A socket that viewers are sent from."""
    return UdpSocket(
        sock or bind(LOOPBACK, 0),
        lambda *_: None,
        lambda _: None,
        Backlog(),
        native,
    )


@dataclass
class Viewer:
    """A forwarder, and the socket of its viewer."""

    forwarder: Forwarder
    connection: Connection
    sock: socket
    profile: Profile

    def __post_init__(self) -> None:
        keys = random.Random(SEED).randbytes(self.profile.keying_length)
        self.srtp = SrtpTransport(self.profile, keys, is_client=True)

    def datagrams(self) -> list[bytes]:
        """What has come, encrypted."""
        found = []
        while True:
            try:
                found.append(self.sock.recv(65_535))
            except BlockingIOError:
                return found

    def packets(self) -> list[RtpPacket]:
        """What has come of RTP, decrypted."""
        found = [RtpPacket.parse(self.srtp.unprotect_rtp(d)) for d in self.datagrams()]
        assert None not in found
        return [packet for packet in found if packet is not None]


class Rig:
    """A source, its feed, and viewers.

    Args:
        native: what sends to them; None for Python.
    """

    def __init__(self, native: Native | None) -> None:
        self.native = native
        self.source = Source()
        fan_out = None if native is None else native.fan_out
        self.feed = Feed(self.source.encoding, {}, GopBudget(), fan_out)
        self.sender = open_socket(native)
        self.viewers: list[Viewer] = []
        self._opened = [self.sender]

    def add(
        self,
        sender: UdpSocket | None = None,
        remote: tuple[str, int] | None = None,
        profile: Profile = PROFILES[0],
        watching: bool = True,
        schedule: Callable[[float], None] = lambda _: None,
    ) -> Viewer:
        """Add a viewer.

        Args:
            sender: what it is sent from, if not from the socket of the rig.
            remote: where it is, if not at a socket of its own.
        """
        sock = bind(LOOPBACK, 0)
        connection = Connection(
            profile, sender or self.sender, remote or sock.getsockname(), self.native
        )
        forwarder = Forwarder(
            taken(VIEWER_VP8, RTX), 7, 8, connection, lambda _: None, schedule
        )
        viewer = Viewer(forwarder, connection, sock, profile)
        if sender is not None and sender not in self._opened:
            self._opened.append(sender)
        self.viewers.append(viewer)
        if watching:
            forwarder.watch(self.feed)
        return viewer

    def close(self) -> None:
        """Close all sockets."""
        self.feed.close()
        for sender in self._opened:
            sender.close()
        for viewer in self.viewers:
            viewer.sock.close()
