"""NATs: their mapping, filtering and time-outs (RFC 4787), and what moves."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.netem.host import Host, Socket
from tests.netem.nat import ADDRESS, ADDRESS_AND_PORT, ENDPOINT_INDEPENDENT, Nat
from tests.netem.network import Network
from tests.netem.seeds import for_seeds
from tests.netem.world import World
from whipbird.transport.path import Address

PUBLIC = "203.0.113.1"
FIRST, SECOND = "192.0.2.1", "192.0.2.2"


class House:
    """Two hosts behind a NAT, two outside; all sockets keep what comes to them."""

    def __init__(self, seed: int = 0, **properties: Any) -> None:
        self.world = World(seed)
        self.internet = Network(self.world)
        self.nat = Nat(self.internet, "nat", PUBLIC, **properties)
        self.alice = Host(self.nat.inside, "alice", "10.0.0.1")
        self.bob = Host(self.nat.inside, "bob", "10.0.0.2")
        self.first = Host(self.internet, "first", FIRST)
        self.second = Host(self.internet, "second", SECOND)
        self.received: dict[Address, list[tuple[bytes, Address]]] = {}

    def bind(self, host: Host, ip: str, port: int) -> Socket:
        received = self.received.setdefault((ip, port), [])
        return host.bind(
            (ip, port), lambda data, path: received.append((data, path.remote))
        )

    def send(self, socket: Socket, remote: Address, data: bytes = b"") -> None:
        socket.send(data, remote)
        self.world.run_for(1)

    def source(self, socket: Socket, remote: Socket) -> Address:
        """The address that a remote socket sees of an inside one."""
        self.send(socket, remote.address)
        return self.received[remote.address][-1][1]

    def passes(self, remote: Socket, public: Address, inside: Socket) -> bool:
        """Whether a datagram to a public address comes to an inside socket."""
        before = len(self.received[inside.address])
        self.send(remote, public)
        return len(self.received[inside.address]) > before


Build = Callable[..., tuple[House, Socket, list[Socket]]]


@pytest.fixture
def build() -> Build:
    def build(**properties: Any) -> tuple[House, Socket, list[Socket]]:
        house = House(**properties)
        inside = house.bind(house.alice, "10.0.0.1", 1000)
        remotes = [
            house.bind(house.first, FIRST, 1),
            house.bind(house.first, FIRST, 2),
            house.bind(house.second, SECOND, 1),
        ]
        return house, inside, remotes

    return build


def test_an_answer_comes_back_to_where_the_question_came_from(build: Build) -> None:
    house, inside, (remote, *_) = build()
    public = house.source(inside, remote)
    assert public[0] == PUBLIC
    assert house.nat.public_addresses(inside.address) == [public]
    house.send(remote, public, b"answer")
    assert house.received[inside.address] == [(b"answer", remote.address)]


@pytest.mark.parametrize(
    ("mapping", "distinct"),
    [(ENDPOINT_INDEPENDENT, 1), (ADDRESS, 2), (ADDRESS_AND_PORT, 3)],
)
def test_mapping_rfc_4787_section_4_1(
    build: Build, mapping: object, distinct: int
) -> None:
    house, inside, remotes = build(mapping=mapping)
    sources = [house.source(inside, remote) for remote in remotes]
    assert len(set(sources)) == distinct
    assert sources == [house.source(inside, remote) for remote in remotes]


@pytest.mark.parametrize(
    ("filtering", "passing"),
    [
        (ENDPOINT_INDEPENDENT, [True, True, True]),
        (ADDRESS, [True, True, False]),
        (ADDRESS_AND_PORT, [True, False, False]),
    ],
)
def test_filtering_rfc_4787_section_5(
    build: Build, filtering: object, passing: list[bool]
) -> None:
    house, inside, remotes = build(filtering=filtering)
    public = house.source(inside, remotes[0])
    assert [house.passes(remote, public, inside) for remote in remotes] == passing
    assert house.nat.refused == passing.count(False)


def test_different_inside_addresses_have_different_ports(build: Build) -> None:
    house, inside, (remote, *_) = build()
    other = house.bind(house.bob, "10.0.0.2", 1000)
    assert house.source(inside, remote) != house.source(other, remote)


def test_a_mapping_times_out_when_nothing_goes_out(build: Build) -> None:
    house, inside, (remote, *_) = build(timeout=30)
    public = house.source(inside, remote)
    house.world.run_for(25)
    assert house.source(inside, remote) == public
    house.world.run_for(25)
    assert house.passes(remote, public, inside)
    house.world.run_for(5)
    # What comes in refreshes nothing (RFC 4787 section 4.3).
    assert not house.passes(remote, public, inside)
    assert house.nat.public_addresses(inside.address) == []
    assert house.source(inside, remote) != public


def test_a_filter_times_out_for_each_remote_end(build: Build) -> None:
    house, inside, (one, _, other) = build(timeout=30)
    public = house.source(inside, one)
    house.world.run_for(20)
    assert house.source(inside, other) == public
    house.world.run_for(20)
    assert house.passes(other, public, inside)
    assert not house.passes(one, public, inside)


def test_after_a_rebinding_all_ports_are_new(build: Build) -> None:
    house, inside, (remote, *_) = build()
    other = house.bind(house.bob, "10.0.0.2", 1000)
    before = {house.source(inside, remote), house.source(other, remote)}
    house.nat.rebind()
    assert not any(house.passes(remote, public, inside) for public in before)
    after = {house.source(inside, remote), house.source(other, remote)}
    assert not before & after
    assert {address[0] for address in after} == {PUBLIC}


def test_a_rebinding_avoids_old_ports_while_it_can(build: Build) -> None:
    house, inside, (remote, *_) = build(ports=range(100, 102))
    first = house.source(inside, remote)
    house.nat.rebind()
    second = house.source(inside, remote)
    assert {first[1], second[1]} == {100, 101}
    other = house.bind(house.bob, "10.0.0.2", 1000)
    assert house.source(other, remote) == first


def test_a_rebinding_may_change_the_public_address(build: Build) -> None:
    house, inside, (remote, *_) = build()
    public = house.source(inside, remote)
    house.nat.rebind("203.0.113.9")
    assert house.source(inside, remote)[0] == "203.0.113.9"
    house.send(remote, public)
    assert house.internet.unrouted == 1


def test_a_port_moves_to_another_host(build: Build) -> None:
    house, inside, (remote, *_) = build()
    public = house.source(inside, remote)
    other = house.bind(house.bob, "10.0.0.2", 1000)
    house.source(other, remote)
    house.nat.give_port(public[1], other.address)
    assert house.passes(remote, public, other)
    assert house.source(other, remote) == public
    assert house.source(inside, remote) != public
    assert house.nat.public_addresses(other.address) == [public]


def test_a_port_that_is_not_mapped_cannot_move(build: Build) -> None:
    house, inside, _ = build()
    with pytest.raises(KeyError):
        house.nat.give_port(1, inside.address)


def test_a_forwarded_port_is_open_to_all_and_is_the_source(build: Build) -> None:
    house, inside, remotes = build()
    house.nat.forward(8080, inside.address)
    public = (PUBLIC, 8080)
    assert all(house.passes(remote, public, inside) for remote in remotes)
    house.nat.rebind()
    house.world.run_for(1000)
    assert {house.source(inside, remote) for remote in remotes} == {public}
    assert house.nat.public_addresses(inside.address) == [public]


def test_a_forwarded_port_is_no_mappings(build: Build) -> None:
    house, inside, (remote, *_) = build(ports=range(8080, 8082))
    house.nat.forward(8080, ("10.0.0.2", 1))
    assert house.source(inside, remote) == (PUBLIC, 8081)


def test_there_is_no_hairpinning(build: Build) -> None:
    house, inside, (remote, *_) = build(filtering=ENDPOINT_INDEPENDENT)
    other = house.bind(house.bob, "10.0.0.2", 1000)
    public = house.source(inside, remote)
    assert not house.passes(other, public, inside)
    assert house.nat.hairpins == 1
    # Inside addresses reach each other.
    assert house.passes(other, inside.address, inside)


def test_ports_run_out_and_come_back_when_mappings_time_out(build: Build) -> None:
    house, inside, (remote, *_) = build(ports=range(100, 101), timeout=30)
    house.source(inside, remote)
    other = house.bind(house.bob, "10.0.0.2", 1000)
    house.send(other, remote.address)
    assert house.nat.exhausted == 1
    house.world.run_for(30)
    assert house.source(other, remote) == (PUBLIC, 100)


def test_a_nat_behind_a_nat() -> None:
    house = House()
    inner = Nat(house.nat.inside, "inner", "10.0.0.9")
    host = Host(inner.inside, "carol", "192.168.0.1")
    inside = house.bind(host, "192.168.0.1", 1000)
    remote = house.bind(house.first, FIRST, 1)
    public = house.source(inside, remote)
    assert public[0] == PUBLIC
    assert house.passes(remote, public, inside)


@for_seeds(10)
def test_one_seed_gives_the_same_ports(seed: int) -> None:
    def ports(seed: int) -> list[Address]:
        house = House(seed, mapping=ADDRESS_AND_PORT)
        remote = house.bind(house.first, FIRST, 1)
        sockets = [house.bind(house.alice, "10.0.0.1", n) for n in range(1, 11)]
        return [house.source(socket, remote) for socket in sockets]

    assert ports(seed) == ports(seed)
    assert ports(seed) != ports(seed + 1)
