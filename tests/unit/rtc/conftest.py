"""Two peers of one process, connected to each other."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from aiortc import RTCSessionDescription

from tests.netem.host import Host
from tests.netem.network import Network
from tests.netem.port import VirtualPort
from tests.netem.world import World
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, DataChannel, Peer, PeerOptions, Port
from whipbird.sdp.offer import parse_offer
from whipbird.transport.sctp import Association


def association_of(peer: Peer) -> Association:
    """The association of a peer that has data channels."""
    association = peer.connection.transport.sctp
    assert association is not None
    return association


@dataclass
class Pair:
    """A client with one open channel, and the server that answered it."""

    client: Peer
    server: Peer
    channel: DataChannel


Connect = Callable[..., Awaitable[Pair]]
NewPeer = Callable[..., Peer]


async def negotiate(client: Peer, server: Peer) -> None:
    """Let a client offer, and the server answer as it answers a POST."""
    await client.setLocalDescription(await client.createOffer())
    answer = await server.answer(parse_offer(client.localDescription.sdp))
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))


async def connect_pair(client: Peer, server: Peer, **channel: object) -> Pair:
    """Negotiate, and wait until a channel is open."""
    options = {"label": "test"} | channel
    opened = client.createDataChannel(**options)  # type: ignore[arg-type]
    await negotiate(client, server)
    await until(lambda: opened.readyState == "open")
    return Pair(client, server, opened)


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return Certificate.generate()


@pytest.fixture
async def new_peer(
    certificate: Certificate, client_port: UdpPort
) -> AsyncIterator[NewPeer]:
    """Make peers, and close them after the test; nothing of them must be left."""
    made: list[Peer] = []

    def new_peer(port: Port = client_port, **options: object) -> Peer:
        made.append(Peer(PeerOptions(certificate, port, **options)))  # type: ignore[arg-type]
        return made[-1]

    yield new_peer
    for peer in made:
        with suppress(ConnectionError):
            await peer.close()


@pytest.fixture
async def connect(new_peer: NewPeer, port: UdpPort) -> Connect:
    """Connect pairs over the loopback address."""

    async def connect(limit: int | None = None, **channel: object) -> Pair:
        return await connect_pair(new_peer(), new_peer(port, limit=limit), **channel)

    return connect


# Seconds from a client to a server and back: each of four links has 10 ms.
ROUND_TRIP = 0.04


@dataclass
class Net:
    """A client's and a server's host.

    Attributes:
        client, server: their UDP ports.
    """

    world: World
    client: VirtualPort
    server: VirtualPort

    def cut(self) -> None:
        """Let nothing pass from the client or to it."""
        self.client.host.access.change(is_down=True)

    def mend(self) -> None:
        """Let all pass again."""
        self.client.host.access.change(is_down=False)


@pytest.fixture
async def net(world: World) -> Net:
    """A network in virtual time."""
    network = Network(world)
    return Net(
        world,
        VirtualPort(Host(network, "client", "192.0.2.1", "192.0.2.2")),
        VirtualPort(Host(network, "server", "198.51.100.1"), 8080),
    )


@pytest.fixture
async def connect_far(new_peer: NewPeer, net: Net) -> Connect:
    """Connect pairs over a network in virtual time."""

    async def connect(limit: int | None = None, **channel: object) -> Pair:
        client, server = new_peer(net.client), new_peer(net.server, limit=limit)
        return await connect_pair(client, server, **channel)

    return connect
