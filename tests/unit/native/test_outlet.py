"""Where a session's packets go: on the path in use, while there is a connection."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.native import native, needs_native
from whipbird.native import Socket
from whipbird.net.udp_socket import bind
from whipbird.rtp.forward_template import ForwardedPacket
from whipbird.transport.certificate import Certificate
from whipbird.transport.path import Path, TcpAddress
from whipbird.transport.peer_sinks import PeerSinks, TransportState
from whipbird.transport.peer_transport import PeerTransport
from whipbird.transport.srtp import PROFILES, SrtpTransport

pytestmark = needs_native

PACKET = ForwardedPacket(0x80, 0, 1, 2, b"payload")


@dataclass
class Sinks:
    """Has a socket for paths of UDP."""

    socket: Socket
    sent: list[Path] = field(default_factory=list)

    def send(self, datagram: bytes, path: Path) -> None:
        self.sent.append(path)

    def send_batch(self, datagrams: Any, path: Path) -> None: ...

    def compiled_socket(self, path: Path) -> Socket | None:
        return None if path.is_tcp else self.socket

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None: ...

    def path_selected(self, path: Path) -> None: ...

    def failed(self, error: Exception) -> None: ...

    def state_changed(self, state: TransportState) -> None: ...


class Session:
    """A transport that is connected, a stream of it, and two addresses of its peer."""

    def __init__(self) -> None:
        self.sender, *self.peers = (bind("127.0.0.1", 0) for _ in range(3))
        socket = native().socket(
            self.sender.fileno(), segments=True, unsent=lambda *_: None
        )
        self.transport = PeerTransport(
            cast(PeerSinks, Sinks(socket)),
            Certificate.generate(),
            controlling=False,
            native=native(),
        )
        keys = random.Random(1).randbytes(PROFILES[0].keying_length)
        self.transport.srtp = SrtpTransport(
            PROFILES[0], keys, is_client=False, native=native()
        )
        assert self.transport.outlet is not None
        self.stream = native().rewriter(
            7, sequence=1, timestamp=2, outlet=self.transport.outlet
        )

    def select(self, path: Path) -> None:
        """Let ICE find a path."""
        self.transport.ice.selected = path
        self.transport.path_selected(path)

    def path(self, peer: int) -> Path:
        """The path to one of the peer's addresses."""
        return Path(self.sender.getsockname(), self.peers[peer].getsockname())

    def send(self) -> list[int]:
        """Send a packet; return how many came to each of the peer's addresses."""
        left = native().fan_out([PACKET], [self.stream], 0.0)
        came = [0, 0]
        for index, peer in enumerate(self.peers):
            try:
                peer.recv(2048)
            except BlockingIOError:
                continue
            came[index] = 1
        assert sum(came) + len(left) == 1
        return came

    def close(self) -> None:
        """Close the sockets."""
        for sock in (self.sender, *self.peers):
            sock.close()


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made.close()


def test_packets_go_where_ice_has_a_path(session: Session) -> None:
    assert session.send() == [0, 0]
    session.transport._change(TransportState.CONNECTED)
    assert session.send() == [0, 0]
    session.select(session.path(0))
    assert session.send() == [1, 0]
    session.select(session.path(1))
    assert session.send() == [0, 1]
    sent = session.transport
    assert (sent.packets_sent, sent.bytes_sent) == (2, 2 * (12 + 7 + 16))


def test_a_path_before_the_connection_is_used_from_then_on(session: Session) -> None:
    session.select(session.path(0))
    assert session.send() == [0, 0]
    session.transport._change(TransportState.CONNECTED)
    assert session.send() == [1, 0]


def test_nothing_is_sent_without_consent(session: Session) -> None:
    """It may be lost while an ICE restart goes on, and the session stays connected."""
    session.transport._change(TransportState.CONNECTED)
    session.select(session.path(0))
    session.transport.ice.selected = None
    session.transport.ice.deadline = 0.0
    session.transport.handle_timeout(1.0)
    assert session.send() == [0, 0]
    session.select(session.path(1))
    assert session.send() == [0, 1]


def test_other_paths_than_udp_are_left_to_python(session: Session) -> None:
    session.transport._change(TransportState.CONNECTED)
    session.select(session.path(0))
    session.select(Path(TcpAddress("127.0.0.1", 1), TcpAddress("127.0.0.1", 2)))
    assert session.send() == [0, 0]


def test_an_address_with_a_zone_is_left_to_python(session: Session) -> None:
    session.transport._change(TransportState.CONNECTED)
    session.select(Path(session.sender.getsockname(), ("fe80::1%eth0", 5)))
    assert session.send() == [0, 0]


@pytest.mark.parametrize("end", ["close", "abandon", "fail"])
def test_nothing_is_sent_after_the_end(end: str, session: Session) -> None:
    session.transport._change(TransportState.CONNECTED)
    session.select(session.path(0))
    assert session.send() == [1, 0]
    transport = session.transport
    match end:
        case "close":
            transport.close(1.0)
        case "abandon":
            transport.abandon()
        case _:
            transport.fail(RuntimeError("a fault"))
    assert session.send() == [0, 0]
