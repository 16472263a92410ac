"""A client and a server with real transports, on a network that a seed chooses."""

import random
from collections.abc import Callable

from tests.netem.host import Host
from tests.netem.link import Conditions, Link
from tests.netem.nat import Dependence, Nat
from tests.netem.network import Access, Network
from tests.netem.peer import Signalling, VirtualPeer
from tests.netem.port import VirtualPort
from tests.netem.traffic import Traffic
from tests.netem.world import World
from whipbird.transport.certificate import Certificate
from whipbird.transport.peer_sinks import TransportState

SERVER, SERVER_V6 = "198.51.100.1", "2001:db8:1::1"
CLIENT, CLIENT_V6 = "192.0.2.1", "2001:db8:2::1"
PORT = 8080

_certificates: list[Certificate] = []


def certificates() -> tuple[Certificate, Certificate]:
    """Two certificates, made once: one of a client, one of a server."""
    while len(_certificates) < 2:
        _certificates.append(Certificate.generate())
    return _certificates[0], _certificates[1]


class Session:
    """A client's and a server's peer, and the signalling between them."""

    def __init__(
        self, client: VirtualPeer, server: VirtualPeer, offers_candidates: bool
    ) -> None:
        self.world = client.host.world
        self.client = client
        self.server = server
        self.signalling = Signalling(
            client, server, offers_candidates=offers_candidates
        )

    @property
    def peers(self) -> tuple[VirtualPeer, VirtualPeer]:
        """Both."""
        return self.client, self.server

    @property
    def is_connected(self) -> bool:
        """Whether both sides are."""
        return all(peer.state is TransportState.CONNECTED for peer in self.peers)

    def connect(self, limit: float = 60.0) -> float:
        """Connect both sides.

        Returns:
            how many virtual seconds that took from the offer.
        """
        begin = self.world.now
        self.signalling.connect()
        self.world.run_until(lambda: self.is_connected, limit)
        return self.world.now - begin

    def talk(self) -> Traffic:
        """Have traffic between the peers, which are connected."""
        return Traffic(self.client, self.server, self.world.rng)


class Scene(Session):
    """A server on its UDP port, and a client; there may be a NAT before each.

    Attributes:
        internet: what is between them.
        client_nat: the NAT before the client, if there is one.
        accesses: where the client's side is attached to the internet.
        client_port, server_port: their UDP ports.
    """

    def __init__(
        self,
        seed: int,
        *,
        client_nat: dict[str, Dependence | float] | None = None,
        server_behind_nat: bool = False,
        has_ipv6: bool = False,
        offers_candidates: bool = True,
        ice_lite: bool = False,
    ) -> None:
        self.world = World(seed)
        # No protocol may rely on a clock that begins at zero.
        self.world.run_for(1000)
        self.internet = Network(self.world)
        self.client_nat: Nat | None = None
        self.server_port = self._make_server(server_behind_nat, has_ipv6)
        self.client_port = self._make_client(client_nat, has_ipv6)
        self._ice_lite = ice_lite
        self._down_until: dict[Link, float] = {}
        self._offers_candidates = offers_candidates
        first = self.add_session(self.client_port, "")
        super().__init__(first.client, first.server, offers_candidates)

    def add_session(self, port: VirtualPort, name: str) -> Session:
        """Make one more client on a port, and the server's peer for it."""
        client, server = certificates()
        return Session(
            VirtualPeer(port, f"client{name}", client, controlling=True),
            VirtualPeer(
                self.server_port,
                f"server{name}",
                server,
                controlling=False,
                ice_lite=self._ice_lite,
            ),
            self._offers_candidates,
        )

    def _make_server(self, behind_nat: bool, has_ipv6: bool) -> VirtualPort:
        if behind_nat:
            nat = Nat(self.internet, "server nat", SERVER)
            host = Host(nat.inside, "server", "172.17.0.2")
            nat.forward(PORT, ("172.17.0.2", PORT))
            return VirtualPort(host, PORT, public=[(SERVER, PORT)])
        addresses = (SERVER, SERVER_V6) if has_ipv6 else (SERVER,)
        return VirtualPort(Host(self.internet, "server", *addresses), PORT)

    def _make_client(
        self, nat: dict[str, Dependence | float] | None, has_ipv6: bool
    ) -> VirtualPort:
        if nat is not None:
            self.client_nat = Nat(self.internet, "client nat", CLIENT, **nat)  # type: ignore[arg-type]
            host = Host(self.client_nat.inside, "client", "10.0.0.2")
            self.accesses: list[Access] = [self.client_nat.access]
            if has_ipv6:
                self.accesses.append(host.attach(self.internet, CLIENT_V6))
        else:
            addresses = (CLIENT, CLIENT_V6) if has_ipv6 else (CLIENT,)
            host = Host(self.internet, "client", *addresses)
            self.accesses = [host.access]
        return VirtualPort(host)

    @property
    def links(self) -> list[Link]:
        """The client's ways to the internet and back."""
        return [link for access in self.accesses for link in access.links]

    def change(self, **properties: float | bool) -> None:
        """Change the conditions of the client's ways to the internet and back."""
        for access in self.accesses:
            access.change(**properties)

    def partition(self, seconds: float, directions: str = "both") -> None:
        """Let nothing pass for a time: ``up``, ``down`` or ``both``."""
        until = self.world.now + seconds
        for access in self.accesses:
            links = {"up": [access.up], "down": [access.down]}
            for link in links.get(directions, access.links):
                link.conditions.is_down = True
                self._down_until[link] = max(until, self._down_until.get(link, 0))
                self.world.call_at(until, self._heal, link)

    def _heal(self, link: Link) -> None:
        if self.world.now >= self._down_until[link]:
            link.conditions.is_down = False


def random_scene(seed: int) -> Scene:
    """A scene in which all is chosen by the seed."""
    rng = random.Random(f"{seed}/scene")
    nat: dict[str, Dependence | float] | None = None
    if rng.random() < 0.6:
        nat = {
            "mapping": rng.choice(list(Dependence)),
            "filtering": rng.choice(list(Dependence)),
            "timeout": rng.uniform(20, 300),
        }
    scene = Scene(
        seed,
        client_nat=nat,
        server_behind_nat=rng.random() < 0.3,
        has_ipv6=rng.random() < 0.3,
        offers_candidates=rng.random() < 0.5,
        ice_lite=rng.random() < 0.1,
    )
    for link in scene.links:
        link.conditions = random_conditions(rng)
    return scene


def random_conditions(rng: random.Random) -> Conditions:
    """Conditions of one direction: 0 to 30 % of loss, and other evils."""

    def maybe(probability: float, value: Callable[[], float], other: float) -> float:
        return value() if rng.random() < probability else other

    delay = rng.uniform(0.001, 0.15)
    return Conditions(
        loss=maybe(0.8, lambda: rng.uniform(0, 0.3), 0.0),
        delay=delay,
        jitter=maybe(0.5, lambda: rng.uniform(0, delay), 0.0),
        reordering=maybe(0.5, lambda: rng.uniform(0, 0.2), 0.0),
        hold_up=rng.uniform(0, 0.1),
        duplication=maybe(0.3, lambda: rng.uniform(0, 0.1), 0.0),
        mtu=int(maybe(0.3, lambda: 1280, 1500)),
        rate=maybe(0.3, lambda: rng.uniform(30_000, 1_000_000), float("inf")),
    )
