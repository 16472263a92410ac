"""The whole transport on a virtual network: ICE, DTLS, SCTP, and the dispatcher.

A failing seed prints itself; ``NETEM_SEED`` replays it (see ``tests/netem/seeds.py``).
"""

import math
import random
import time
from functools import partial

import pytest

from tests.netem.host import Host
from tests.netem.link import Datagram
from tests.netem.memory import measure
from tests.netem.nat import ADDRESS_AND_PORT, ENDPOINT_INDEPENDENT
from tests.netem.port import VirtualPort
from tests.netem.scene import Scene, Session, random_conditions, random_scene
from tests.netem.seeds import for_seeds
from tests.netem.traffic import HEADER_SIZE, KINDS, RELIABLE, Conversation
from tests.rtp_packets import write_rtp
from tests.unit.transport.ice.link import check_from
from whipbird.rtp.rtcp import write_receiver_report
from whipbird.transport.dtls import DtlsTransport
from whipbird.transport.peer_sinks import EndCause, TransportState

# Virtual seconds. With 30 % loss each way about half of all round trips fail.
CONNECT_LIMIT = 60.0
SETTLE_LIMIT = 300.0
CONSENT_LIFETIME = 30.0

# What a transport may hold at most while there is traffic, and when all is quiet.
MAX_ENTRIES, MAX_OCTETS = 5_000, 800_000
MAX_QUIET_ENTRIES, MAX_QUIET_OCTETS = 300, 8_000


# (a) Messages


class Story:
    """What happens to two peers while they talk, as the seed has it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.world = scene.world
        self.rng = scene.world.rng
        self.traffic = scene.talk()
        self.octets_left = 400_000
        self.next_outage = 0.0

    def tell(self, seconds: float) -> None:
        """Let things happen for a time, then wait until all promises are kept."""
        for kind in self.rng.sample(KINDS, 4):
            self.traffic.open(kind, self.rng.choice(self.scene.peers))
        end = self.world.now + seconds
        actions = [self.send] * 14 + [
            *(self.restart, self.rebind, self.partition, self.suspend),
            *(self.open, self.close, self.change_conditions, self.step_clock),
        ]
        while self.world.now < end and not has_ended(self.scene):
            self.rng.choice(actions)()
            self.world.run_for(self.rng.expovariate(1.5))
            if self.rng.random() < 0.1:
                self.check_memory()

    def settle(self) -> bool:
        """Wait until all promises are kept.

        Returns:
            False when consent has expired meanwhile, rightly: with 30 % loss each way
            that happens when outages come in addition.
        """
        self.world.run_until(
            lambda: self.traffic.is_settled or has_ended(self.scene), SETTLE_LIMIT
        )
        if has_ended(self.scene):
            check_expiry(self.scene)
            return False
        return True

    # What may happen

    def send(self) -> None:
        flows = self.traffic.open_flows()
        if not flows:
            return
        flow = self.rng.choice(flows)
        for _ in range(self.rng.choice((1, 1, 5, 20))):
            size = int(self.rng.paretovariate(0.6) * HEADER_SIZE)
            size = min(size, 30_000, self.octets_left)
            if size >= HEADER_SIZE:
                flow.send(size)
                self.octets_left -= size

    def restart(self) -> None:
        self.scene.client.host.run(self.scene.signalling.restart)

    def rebind(self) -> None:
        if (nat := self.scene.client_nat) is not None:
            moves = self.rng.random() < 0.3
            nat.rebind(f"192.0.2.{self.rng.randrange(10, 250)}" if moves else None)

    def partition(self) -> None:
        if self.world.now > self.next_outage:
            seconds = self.rng.uniform(0.1, 10)
            self.scene.partition(seconds, self.rng.choice(("up", "down", "both")))
            self.next_outage = self.world.now + seconds + 10

    def change_conditions(self) -> None:
        """Another loss and delay; a bit may be wrong, too, now and then."""
        for link in self.scene.links:
            is_down = link.conditions.is_down
            link.conditions = random_conditions(self.rng)
            link.conditions.corruption = self.rng.choice((0, 0.01))
            link.conditions.is_down = is_down

    def suspend(self) -> None:
        self.rng.choice(self.scene.peers).host.suspend(self.rng.uniform(0.1, 5))

    def step_clock(self) -> None:
        self.rng.choice(self.scene.peers).host.step_wall_clock(
            self.rng.uniform(-86400, 86400)
        )

    def open(self) -> None:
        kind, opener = self.rng.choice(KINDS), self.rng.choice(self.scene.peers)
        is_stopped = any(peer.host.is_suspended for peer in self.scene.peers)
        if len(self.traffic.conversations) < 12 and not (
            kind.negotiated and is_stopped
        ):
            self.traffic.open(kind, opener)

    def close(self) -> None:
        conversations = [
            c
            for c in self.traffic.conversations
            if c.closed_by is None and c.there.can_send and c.back.can_send
        ]
        if conversations:
            conversation = self.rng.choice(conversations)
            conversation.close(by_opener=self.rng.random() < 0.5)

    # What must hold

    def check_memory(self) -> None:
        for peer in self.scene.peers:
            held = measure(peer.transport)
            assert held.entries <= MAX_ENTRIES, (peer.name, held)
            assert held.octets <= MAX_OCTETS, (peer.name, held)

    def check_quiet(self) -> None:
        """After all is delivered or given up, next to nothing is held."""
        peers = self.scene.peers
        self.world.run_until(
            lambda: has_ended(self.scene) or not any(peer.sctp.held for peer in peers),
            SETTLE_LIMIT,
        )
        # Paths of ICE sessions that are over are remembered for 30 s.
        self.world.run_for(31)
        for peer in peers:
            held = measure(peer.transport)
            assert held.entries <= MAX_QUIET_ENTRIES, (peer.name, held)
            assert held.octets <= MAX_QUIET_OCTETS, (peer.name, held)


def has_ended(scene: Scene) -> bool:
    return any(peer.ended_at is not None for peer in scene.peers)


def check_expiry(scene: Scene) -> None:
    """Who ends a session first has had no answer for 30 s."""
    first = min(scene.peers, key=lambda peer: peer.ended_at or math.inf)
    assert first.transport.end is EndCause.CONSENT_EXPIRED
    assert first.ended_at is not None
    assert first.ended_at >= first.transport.answered_at + CONSENT_LIFETIME - 1e-6


def check_end(scene: Scene) -> None:
    """Close from the client's side: nothing is left of the session anywhere."""
    scene.client.close()
    scene.world.run_for(CONSENT_LIFETIME + 1)
    assert scene.server.transport.end in (
        EndCause.CLOSED_BY_PEER,
        EndCause.CONSENT_EXPIRED,  # the close_notify was lost
    )
    for port in (scene.client_port, scene.server_port):
        assert port.dispatcher.endpoints == 0
        for socket in port.sockets.values():
            assert not port.dispatcher.is_used(socket.address)


@for_seeds(1000)
def test_messages_over_channels_of_every_kind(seed: int) -> None:
    scene = random_scene(seed)
    scene.connect(CONNECT_LIMIT)
    story = Story(scene)
    story.tell(scene.world.rng.uniform(10, 50))
    if story.settle():
        story.check_quiet()
        check_end(scene)


@for_seeds(10)
def test_where_nothing_is_lost_unreliable_channels_deliver_all(seed: int) -> None:
    scene = Scene(seed)
    scene.connect()
    traffic = scene.talk()
    conversations = [traffic.open(kind, scene.client) for kind in KINDS]
    scene.world.run_until(partial(all_open, conversations), 10)
    for _ in range(20):
        for flow in traffic.open_flows():
            flow.send(scene.world.rng.choice((HEADER_SIZE, 1000, 3000)))
        scene.world.run_for(0.1)
    scene.world.run_for(5)
    for conversation in conversations:
        for flow in conversation.flows:
            assert flow.is_complete, flow


# (b) Handshakes


def connect_with_a_channel(scene: Scene, limit: float = CONNECT_LIMIT) -> float:
    """Connect, and open a channel.

    Returns:
        virtual seconds from the offer until the channel is open on both sides.
    """
    begin = scene.world.now
    scene.connect(limit)
    conversation = scene.talk().open(RELIABLE, scene.client)
    scene.world.run_until(partial(all_open, [conversation]), limit)
    return scene.world.now - begin


@pytest.mark.parametrize("offers_candidates", [True, False])
@pytest.mark.parametrize("behind_nat", [False, True])
def test_a_connection_takes_few_round_trips(
    offers_candidates: bool, behind_nat: bool
) -> None:
    """One for signalling, one of ICE, two of DTLS, two of SCTP, one for the channel."""
    scene = Scene(
        0,
        client_nat={} if behind_nat else None,
        server_behind_nat=behind_nat,
        offers_candidates=offers_candidates,
    )
    round_trip = 0.2
    scene.change(delay=round_trip / 2)
    assert connect_with_a_channel(scene) < 7 * round_trip


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
@for_seeds(60)
def test_handshakes_under_loss_complete_in_bounded_time(seed: int, loss: float) -> None:
    scene = random_scene(seed)
    scene.change(loss=loss, rate=float("inf"))
    assert connect_with_a_channel(scene) < CONNECT_LIMIT


def test_most_handshakes_under_loss_are_quick() -> None:
    times = sorted(
        _handshake_under_loss(seed, loss=0.1, delay=0.02) for seed in range(100)
    )
    assert times[50] < 1.0
    assert times[90] < 3.0


def _handshake_under_loss(seed: int, loss: float, delay: float) -> float:
    scene = Scene(seed)
    scene.change(loss=loss, delay=delay)
    return connect_with_a_channel(scene)


@pytest.mark.parametrize("ice_lite", [False, True])
@for_seeds(50)
def test_both_sides_select_one_path(seed: int, ice_lite: bool) -> None:
    """IPv4 and IPv6 have different delays: checks overtake each other."""
    scene = Scene(seed, client_nat={}, has_ipv6=True, ice_lite=ice_lite)
    for access in scene.accesses:
        access.change(delay=scene.world.rng.uniform(0.001, 0.15))
    assert scene.connect() < 2
    scene.world.run_for(1)
    client, server = (peer.transport.ice.selected for peer in scene.peers)
    assert client is not None
    assert server is not None
    assert (":" in client.local[0]) == (":" in server.local[0])


# (c) Consent (RFC 7675)


@pytest.mark.parametrize("directions", ["both", "up", "down"])
@for_seeds(15)
def test_consent_ends_a_dead_session_within_30_s_and_no_sooner(
    seed: int, directions: str
) -> None:
    scene = random_scene(seed)
    scene.change(loss=0)
    scene.connect()
    scene.world.run_for(scene.world.rng.uniform(0, 60))
    assert scene.is_connected
    begin = scene.world.now
    scene.partition(1000, directions)
    scene.world.run_for(1)
    # Its last answer (to a lite agent, the last check) came at most 6 s ago.
    until = {peer: peer.transport.ice.consent_until for peer in scene.peers}
    scene.world.run_for(40)
    ended = sorted((peer.ended_at or math.inf, peer.name, peer) for peer in scene.peers)
    # Who has ended first tells the other, if that can hear it.
    for ended_at, _, peer in ended if directions == "both" else ended[:1]:
        assert peer.transport.end is EndCause.CONSENT_EXPIRED
        assert ended_at == pytest.approx(until[peer])
        assert begin + 30 - 6.5 < ended_at < begin + 30.5
    assert ended[1][0] < begin + 40


@pytest.mark.parametrize("ice_lite", [False, True])
@pytest.mark.parametrize("checks", [False, True])
def test_a_publisher_that_reads_no_stun_once_it_sends(
    checks: bool, ice_lite: bool
) -> None:
    """FFmpeg: 8.0 sends no checks either, later ones do. It is there while it sends."""
    scene = Scene(1, ice_lite=ice_lite)
    client, server = scene.client.transport, scene.server.transport
    received: list[bytes] = []
    server.rtp_routes[96] = received.append
    scene.signalling.connect(carries_media=True)
    scene.world.run_until(lambda: scene.is_connected, 10)
    [(_, path)] = scene.client.selected
    srtp, local, remote = client.srtp, client.ice.local, server.ice.local
    assert srtp is not None
    client.ice.close()
    for number in range(300):
        scene.client.port.send(srtp.protect_rtp(write_rtp(number)), path)
        if checks and number % 5 == 0:
            scene.client.port.send(check_from(local, remote, number=number), path)
        scene.world.run_for(1)
    assert len(received) == 300
    assert server.state is TransportState.CONNECTED
    # The last packet is a second old.
    scene.world.run_for(28.9)
    assert server.state is TransportState.CONNECTED
    scene.world.run_for(0.2)
    assert server.end is EndCause.CONSENT_EXPIRED


def test_a_viewer_that_checks_nothing_once_it_is_connected() -> None:
    """libnice (GStreamer) only answers checks: a lite server gets its reports."""
    scene = Scene(1, ice_lite=True)
    client, server = scene.client.transport, scene.server.transport
    scene.signalling.connect(carries_media=True)
    scene.world.run_until(lambda: scene.is_connected, 10)
    [(_, path)] = scene.client.selected
    srtp = client.srtp
    assert srtp is not None
    client.ice.close()
    for _ in range(60):
        report = srtp.protect_rtcp(write_receiver_report(1, ()))
        scene.client.port.send(report, path)
        scene.world.run_for(5)
    assert server.state is TransportState.CONNECTED
    scene.world.run_for(24.9)
    assert server.state is TransportState.CONNECTED
    scene.world.run_for(0.2)
    assert server.end is EndCause.CONSENT_EXPIRED


@for_seeds(30)
def test_a_session_outlives_an_outage_of_17_s(seed: int) -> None:
    """With what may be between two checks, before and after: 30 s less 12 s."""
    scene = random_scene(seed)
    scene.change(loss=0)
    scene.connect()
    traffic = scene.talk()
    conversation = traffic.open(RELIABLE, scene.client)
    scene.world.run_until(partial(all_open, [conversation]), 10)
    scene.world.run_for(scene.world.rng.uniform(0, 20))
    scene.partition(17, scene.world.rng.choice(("up", "down", "both")))
    for _ in range(10):
        conversation.there.send(100)
        conversation.back.send(2000)
        scene.world.run_for(2)
    scene.world.run_until(lambda: traffic.is_settled, 30)
    scene.world.run_for(60)
    assert scene.is_connected


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
@for_seeds(20)
def test_a_session_under_loss_ends_only_when_nothing_is_answered(
    seed: int, loss: float
) -> None:
    scene = Scene(seed)
    scene.connect()
    scene.change(loss=loss)
    scene.world.run_for(600)
    if not scene.is_connected:
        check_expiry(scene)


def test_a_session_ends_when_its_restart_does_not_succeed() -> None:
    """The old path is dead: the restart has 15 s from then on."""
    scene = Scene(0)
    scene.connect()
    scene.partition(1000)
    begin = scene.world.now
    scene.world.run_for(20)
    scene.signalling.restart()
    scene.world.run_for(40)
    for peer in scene.peers:
        assert peer.restarts == [False]
        assert peer.transport.end is EndCause.CONSENT_EXPIRED
        assert peer.ended_at is not None
        assert begin + 30 <= peer.ended_at < begin + 30 + 15.5


def test_a_restart_saves_a_session_whose_path_has_died() -> None:
    """The client has moved to another network, and says so by signalling."""
    scene = Scene(0)
    scene.connect()
    traffic = scene.talk()
    conversation = traffic.open(RELIABLE, scene.client)
    scene.world.run_until(partial(all_open, [conversation]), 10)
    scene.partition(1000)
    host = scene.client.host
    host.attach(scene.internet, "192.0.2.77")
    scene.client_port.add_address("192.0.2.77")
    conversation.there.send(1000)
    conversation.back.send(1000)
    scene.world.run_for(25)
    scene.signalling.restart()
    scene.world.run_until(lambda: traffic.is_settled, 30)
    assert scene.client.restarts == scene.server.restarts == [True]
    assert scene.client.selected[-1][1].local[0] == "192.0.2.77"


# Addresses that change


@for_seeds(30)
def test_a_session_follows_its_client_to_another_address(seed: int) -> None:
    """A NAT rebinds again and again; nobody signals anything."""
    rng = random.Random(seed)
    scene = Scene(
        seed,
        client_nat={"filtering": rng.choice((ENDPOINT_INDEPENDENT, ADDRESS_AND_PORT))},
        offers_candidates=rng.random() < 0.5,
        ice_lite=rng.random() < 0.3,
    )
    assert scene.client_nat is not None
    scene.connect()
    scene.change(loss=rng.choice((0, 0.1)))
    traffic = scene.talk()
    conversation = traffic.open(RELIABLE, scene.server)
    scene.world.run_until(partial(all_open, [conversation]), 10)
    for number in range(10):
        scene.client_nat.rebind(f"192.0.2.{10 + number}" if number % 3 == 2 else None)
        conversation.there.send(100)
        conversation.back.send(100)
        scene.world.run_until(lambda: traffic.is_settled or has_ended(scene), 40)
        scene.world.run_for(rng.uniform(0, 10))
        if has_ended(scene):
            check_expiry(scene)
            return


# Addresses shared


def exchange(*sessions: Session) -> None:
    """Have each session send messages both ways, all at the same time."""
    traffics = [session.talk() for session in sessions]
    world = sessions[0].world
    conversations = [
        traffic.open(RELIABLE, session.client)
        for traffic, session in zip(traffics, sessions, strict=True)
    ]
    world.run_until(lambda: all_open(conversations), 30)
    for _ in range(5):
        for conversation in conversations:
            conversation.there.send(100)
            conversation.back.send(3000)
        world.run_for(0.02)
    world.run_until(lambda: all(t.is_settled for t in traffics), 30)


@for_seeds(30)
def test_sessions_behind_one_address_and_port(seed: int) -> None:
    """Three clients share a socket, and have one path to the server."""
    scene = Scene(seed, client_nat={}, offers_candidates=False)
    loss = scene.world.rng.choice((0, 0.1))
    scene.change(loss=loss)
    scene.connect()
    others = [scene.add_session(scene.client_port, f" {n}") for n in (2, 3)]
    for other in others:
        other.connect()
    exchange(scene, *others)
    scene.world.run_for(60)
    exchange(scene, *others)
    others[0].client.close()
    scene.world.run_for(40)
    assert others[0].server.ended_at is not None
    exchange(scene, others[1])


def test_many_sessions_of_one_host() -> None:
    scene = Scene(0, client_nat={})
    scene.change(loss=0.02)
    ports = [VirtualPort(scene.client.host) for _ in range(30)]
    others = [scene.add_session(port, f" {n}") for n, port in enumerate(ports)]
    sessions = (scene, *others)
    for session in sessions:
        session.signalling.connect()
    scene.world.run_until(lambda: all(s.is_connected for s in sessions), 30)
    exchange(*sessions)


@for_seeds(10)
def test_a_session_that_never_begins_its_handshake_takes_nothing_from_others(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares its path with one that is connected, and does ICE only."""
    scene = Scene(seed, client_nat={}, offers_candidates=False)
    scene.connect()
    other = scene.add_session(scene.client_port, " 2")
    silent, start = other.client.transport.dtls, DtlsTransport.start
    monkeypatch.setattr(
        DtlsTransport, "start", lambda self, *at: self is silent or start(self, *at)
    )
    other.signalling.connect()
    scene.world.run_for(1)
    assert other.server.transport.ice.selected is not None
    exchange(scene)


@for_seeds(30)
def test_an_address_moves_from_one_session_to_another(seed: int) -> None:
    """A NAT gives a port to another host; both go on, each with its own address."""
    scene = Scene(seed, client_nat={}, offers_candidates=False)
    nat = scene.client_nat
    assert nat is not None
    scene.connect()
    exchange(scene)
    host = Host(nat.inside, "other", "10.0.0.3")
    other = scene.add_session(VirtualPort(host), " 2")
    if scene.world.rng.random() < 0.5:
        # ... which has a session already, and gets the port of the first one's.
        other.connect()
    (client,) = scene.client_port.sockets.values()
    (second,) = other.client.port.sockets.values()
    (public,) = nat.public_addresses(client.address)
    nat.give_port(public[1], second.address)
    if other.client.state is TransportState.NEW:
        other.connect()
    exchange(scene, other)
    assert nat.public_addresses(second.address) == [public]
    assert public not in nat.public_addresses(client.address)
    scene.client.close()
    scene.world.run_for(40)
    exchange(other)


@for_seeds(20)
def test_nobody_takes_a_session_with_what_they_have_overheard(seed: int) -> None:
    """Copies of all that the client sends come from another address, and back."""
    scene = Scene(seed)
    thief = Host(scene.internet, "thief", "203.0.113.66")
    socket = thief.bind(("203.0.113.66", 1), lambda data, path: None)
    (server,) = scene.server_port.sockets.values()
    (client,) = scene.client_port.sockets.values()
    (access,) = scene.accesses
    send = access.up.send

    def overhear(datagram: Datagram) -> None:
        send(datagram)
        socket.send(datagram.data, server.address)
        if scene.world.rng.random() < 0.3:
            noise = scene.world.rng.randbytes(scene.world.rng.randrange(100))
            scene.internet.route(Datagram(client.address, server.address, noise))
            socket.send(noise, client.address)

    access.up.send = overhear  # type: ignore[method-assign]
    scene.connect()
    exchange(scene)
    scene.world.run_for(60)
    exchange(scene)
    path = scene.server.transport.ice.selected
    assert path is not None
    assert path.remote == client.address


# Close, then open


@for_seeds(100)
def test_channels_that_are_closed_and_opened_again_open_every_time(seed: int) -> None:
    """Ten rounds of: five channels, three closed while echoes are on their way."""
    rng = random.Random(seed)
    scene = Scene(seed)
    scene.connect()
    if rng.random() < 0.8:
        scene.change(loss=rng.uniform(0, 0.2), jitter=0.02)
        scene.change(reordering=rng.uniform(0, 0.2), delay=rng.uniform(0, 0.05))
    traffic = scene.talk()
    conversations = [traffic.open(RELIABLE, scene.client) for _ in range(5)]
    for _ in range(10):
        scene.world.run_until(partial(all_open, conversations), 60)
        for conversation in conversations:
            for _ in range(20):
                conversation.there.send(50)
                conversation.back.send(50)
        scene.world.run_for(rng.uniform(0, 0.15))
        rng.shuffle(conversations)
        for conversation in conversations[:3]:
            conversation.close(by_opener=True)
        opened = [traffic.open(RELIABLE, scene.client) for _ in range(3)]
        conversations = conversations[3:] + opened
    scene.world.run_until(lambda: traffic.is_settled, 60)


def all_open(conversations: list[Conversation]) -> bool:
    return all(flow.is_open for c in conversations for flow in c.flows)


# Clocks and processes


@for_seeds(10)
def test_steps_of_the_wall_clock_do_no_harm(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the clocks of the system say, nothing of it is used."""
    rng = random.Random(seed)
    for clock in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, clock, lambda: rng.uniform(-1e9, 1e9))
    scene = Scene(seed)
    scene.change(loss=0.1)
    scene.connect()
    story = Story(scene)
    story.tell(10)
    story.settle()


@for_seeds(30)
def test_a_process_that_is_stopped_for_a_while_does_no_harm(seed: int) -> None:
    scene = random_scene(seed)
    rng = scene.world.rng
    scene.change(loss=rng.choice((0, 0.05)))
    scene.signalling.connect()
    traffic = None
    for _ in range(20):
        stopped = rng.choice(scene.peers).host
        if not stopped.is_suspended:
            stopped.suspend(rng.uniform(0, 8))
        scene.world.run_for(rng.uniform(0, 12))
        if traffic is None and scene.is_connected:
            traffic = scene.talk()
            conversation = traffic.open(RELIABLE, scene.client)
        elif traffic is not None and all_open([conversation]):
            conversation.there.send(100)
            conversation.back.send(5000)
    assert traffic is not None
    scene.world.run_until(lambda: traffic.is_settled, 60)
    assert scene.is_connected
