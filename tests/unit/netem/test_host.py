"""Hosts: sockets, networks, a process that stops, a wall clock that steps."""

import pytest

from tests.netem.host import SOCKET_BUFFER, Host
from tests.netem.link import Datagram
from tests.netem.network import Network
from tests.netem.seeds import for_seeds
from tests.netem.world import World
from whipbird.transport.path import Path

ALICE, BOB = "192.0.2.1", "192.0.2.2"


class Pair:
    """Two hosts with a socket each; Bob's keeps what comes."""

    def __init__(self, seed: int = 0) -> None:
        self.world = World(seed)
        self.network = Network(self.world)
        self.alice = Host(self.network, "alice", ALICE, "2001:db8::1")
        self.bob = Host(self.network, "bob", BOB, "2001:db8::2")
        self.received: list[tuple[bytes, Path]] = []
        self.events: list[object] = []
        self.sender = self.alice.bind((ALICE, 1000), lambda data, path: None)
        self.receiver = self.bob.bind((BOB, 2000), self._receive)

    def _receive(self, data: bytes, path: Path) -> None:
        self.received.append((data, path))
        self.events.append(data)

    def send(self, data: bytes) -> None:
        self.sender.send(data, self.receiver.address)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_a_datagram_arrives_with_its_path(pair: Pair) -> None:
    pair.send(b"data")
    pair.world.run_for(1)
    assert pair.received == [(b"data", Path(local=(BOB, 2000), remote=(ALICE, 1000)))]


def test_ipv6(pair: Pair) -> None:
    received: list[Path] = []
    pair.bob.bind(("2001:db8::2", 5), lambda data, path: received.append(path))
    socket = pair.alice.bind(("2001:db8::1", 6), lambda data, path: None)
    socket.send(b"", ("2001:db8::2", 5))
    pair.world.run_for(1)
    assert received == [Path(("2001:db8::2", 5), ("2001:db8::1", 6))]


def test_a_datagram_takes_both_links(pair: Pair) -> None:
    pair.alice.access.change(delay=0.1)
    pair.bob.access.down.conditions.delay = 0.2
    pair.send(b"data")
    pair.world.run_for(0.299)
    assert not pair.received
    pair.world.run_for(0.002)
    assert pair.received


def test_changing_a_property_that_there_is_not_is_an_error(pair: Pair) -> None:
    with pytest.raises(AttributeError):
        pair.alice.access.change(los=0.5)


def test_what_nobody_listens_for_is_dropped_and_counted(pair: Pair) -> None:
    pair.sender.send(b"", (BOB, 2001))
    pair.sender.send(b"", ("198.51.100.1", 1))
    pair.world.run_for(1)
    assert pair.bob.unbound == 1
    assert pair.network.unrouted == 1


def test_a_closed_socket_neither_sends_nor_receives(pair: Pair) -> None:
    pair.sender.close()
    pair.send(b"a")
    assert pair.alice.access.up.sent == 0
    pair.receiver.close()
    pair.receiver.close()
    pair.bob.bind((BOB, 2000), pair._receive)
    pair.receiver.close()
    pair.network.route(Datagram((ALICE, 1), (BOB, 2000), b"b"))
    pair.world.run_for(1)
    assert [data for data, _ in pair.received] == [b"b"]


def test_a_free_port_is_found(pair: Pair) -> None:
    sockets = [pair.alice.bind((ALICE, 0), lambda *_: None) for _ in range(3)]
    assert len({socket.address for socket in sockets}) == 3


def test_an_address_that_is_not_ours_or_in_use_cannot_be_bound(pair: Pair) -> None:
    with pytest.raises(ValueError, match="not an address of alice"):
        pair.alice.bind((BOB, 1), lambda *_: None)
    with pytest.raises(ValueError, match="in use"):
        pair.alice.bind((ALICE, 1000), lambda *_: None)
    with pytest.raises(ValueError, match="in use"):
        Host(pair.network, "carol", ALICE)


def test_a_host_may_be_attached_to_two_networks(pair: Pair) -> None:
    other = Network(pair.world, "other")
    access = pair.alice.attach(other, "10.0.0.1")
    Host(other, "carol", "10.0.0.2")
    pair.alice.bind(("10.0.0.1", 1), lambda *_: None).send(b"", ("10.0.0.2", 1))
    assert access.up.sent == 1
    assert pair.alice.access.up.sent == 0


def test_datagrams_wait_for_a_suspended_process(pair: Pair) -> None:
    pair.bob.suspend(5)
    for number in range(3):
        pair.send(b"%d" % number)
    pair.world.run_for(4.9)
    assert not pair.received
    pair.world.run_for(0.2)
    assert [data for data, _ in pair.received] == [b"0", b"1", b"2"]
    assert not pair.bob.is_suspended


def test_the_buffer_of_a_suspended_process_is_bounded(pair: Pair) -> None:
    pair.bob.suspend(5)
    for _ in range(300):
        pair.send(bytes(1000))
    pair.world.run_for(6)
    assert len(pair.received) == SOCKET_BUFFER // 1512
    assert pair.receiver.overflowed == 300 - len(pair.received)
    pair.send(b"later")
    pair.world.run_for(1)
    assert pair.received[-1][0] == b"later"


def test_timers_of_a_suspended_process_are_late(pair: Pair) -> None:
    times: list[float] = []
    pair.bob.call_later(1, lambda: times.append(pair.world.now))
    pair.bob.call_later(4, pytest.fail).cancel()
    pair.bob.call_later(9, lambda: times.append(pair.world.now))
    pair.bob.suspend(5)
    pair.bob.run(lambda: times.append(-1.0))
    assert times == []
    pair.world.run_for(10)
    assert times == [-1.0, 5.0, 9.0]


def test_a_second_suspension_lengthens_the_first(pair: Pair) -> None:
    pair.bob.suspend(5)
    pair.bob.suspend(1)
    pair.world.run_for(2)
    assert pair.bob.is_suspended
    pair.bob.suspend(10)
    pair.world.run_for(9)
    assert pair.bob.is_suspended
    pair.world.run_for(2)
    assert not pair.bob.is_suspended


def test_a_process_can_be_resumed_early_and_stop_again_at_once(pair: Pair) -> None:
    pair.bob.suspend(100)
    pair.bob.run(pair.bob.suspend, 1)
    pair.bob.run(pair.events.append, "late")
    pair.send(b"data")
    pair.world.run_for(1)
    pair.bob.resume()
    assert "late" not in pair.events
    pair.world.run_for(1.5)
    assert not pair.bob.is_suspended
    assert sorted(map(str, pair.events)) == ["b'data'", "late"]


def test_after_a_suspension_timers_or_datagrams_come_first() -> None:
    orders = set()
    for seed in range(20):
        pair = Pair(seed)
        pair.bob.call_later(1, pair.events.append, "timer")
        pair.bob.suspend(2)
        pair.send(b"data")
        pair.world.run_for(3)
        orders.add(tuple(pair.events))
    assert orders == {("timer", b"data"), (b"data", "timer")}


def test_a_step_of_the_wall_clock_moves_nothing_else(pair: Pair) -> None:
    before = pair.alice.wall_clock()
    times: list[float] = []
    pair.alice.call_later(5, lambda: times.append(pair.world.now))
    pair.alice.step_wall_clock(-3600)
    pair.world.run_for(10)
    assert times == [5.0]
    assert pair.alice.wall_clock() == before - 3590
    assert pair.bob.wall_clock() == before + 10


@for_seeds(10)
def test_one_seed_gives_one_trace(seed: int) -> None:
    def trace() -> list[tuple[float, bytes]]:
        pair = Pair(seed)
        pair.alice.access.change(loss=0.2, jitter=0.1, duplication=0.1)
        pair.bob.access.change(loss=0.1, reordering=0.3)
        arrivals: list[tuple[float, bytes]] = []
        pair.bob.bind(
            (BOB, 7), lambda data, path: arrivals.append((pair.world.now, data))
        )
        for number in range(100):
            pair.sender.send(b"%d" % number, (BOB, 7))
            if pair.world.rng.random() < 0.05:
                pair.bob.suspend(pair.world.rng.random())
            pair.world.run_for(0.05)
        return arrivals

    assert trace() == trace()
