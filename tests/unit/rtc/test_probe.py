"""What looks at ICE from outside."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.rtc.conftest import Connect
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc.probe import (
    StunProbe,
    fall_silent,
    is_answered,
    local_address,
    tap,
)

ADDRESS = ("127.0.0.1", 9)


@pytest.fixture
async def probe() -> AsyncIterator[StunProbe]:
    probe = await StunProbe.open(ADDRESS)
    yield probe
    probe.close()


async def test_a_probe_is_a_usable_candidate(probe: StunProbe) -> None:
    assert probe.candidate.is_usable
    assert probe.candidate.address == "127.0.0.1"


async def test_a_probe_notes_checks(probe: StunProbe) -> None:
    """A check has the ufrags of both, and is made with the receiver's password."""
    other = await StunProbe.open(ADDRESS)
    try:
        to = (probe.candidate.address, probe.candidate.port)
        assert not await other.check(to, "ours:theirs", "secret-of-ours", 0.05)
    finally:
        other.close()
    request = await probe.arrivals.wait_for(lambda r: r.username == "ours:theirs", 20.0)
    assert request is not None
    assert request.source == ("127.0.0.1", other.candidate.port)
    assert request.is_authentic("secret-of-ours")
    assert not request.is_authentic("secret-of-others")
    assert await probe.arrivals.wait_for(lambda r: r.username == "x", 0.01) is None


async def test_a_probe_asks_nobody_of_another_family(probe: StunProbe) -> None:
    assert not await probe.check(("::1", 9), "a:b", "c" * 22, 5.0)


async def test_what_is_no_stun_is_nothing(probe: StunProbe) -> None:
    probe.datagram_received(b"", ADDRESS)
    probe.datagram_received(b"\x16\xfe\xfd", ADDRESS)
    probe.datagram_received(bytes(20), ADDRESS)
    assert probe.arrivals.requests == []


def test_no_way_to_an_address() -> None:
    with pytest.raises(OSError, match=r".+"):
        local_address(("not-an-address", 9))


async def test_a_peer_answers_checks_of_its_session(connect: Connect) -> None:
    pair = await connect()
    ours, theirs = pair.client.local_ice, pair.server.local_ice
    candidate = theirs.candidates[0]
    address = (candidate.address, candidate.port)
    probe = await StunProbe.open(address)
    try:
        username = f"{theirs.ice.ufrag}:{ours.ice.ufrag}"
        assert await probe.check(address, username, theirs.ice.pwd, 20.0)
        assert not await probe.check(address, username, "w" * 24, 0.2)
    finally:
        probe.close()


async def test_a_tap_takes_nothing_away(connect: Connect) -> None:
    """The checks are noted, and answered as before."""
    pair = await connect()
    arrivals = tap(pair.server)
    assert await is_answered(pair.client)
    [request] = arrivals.requests
    server, client = pair.server.local_ice.ice, pair.client.local_ice.ice
    assert request.username == f"{server.ufrag}:{client.ufrag}"
    assert request.is_authentic(server.pwd)


async def test_a_tap_hears_of_another_user_name(
    connect: Connect, probe: StunProbe, client_port: UdpPort
) -> None:
    """The port knows whose a request is by its user name alone."""
    pair = await connect()
    [candidate] = pair.client.local_ice.candidates
    address = (candidate.address, candidate.port)
    arrivals = tap(pair.client, "another")
    for ufrag in ("nobody", "another"):
        assert not await probe.check(address, f"{ufrag}:x", "p" * 22, 0.05)
    [request] = arrivals.requests
    assert request.username == "another:x"
    await pair.client.close()
    assert not client_port.dispatcher._by_ufrag


async def test_who_is_silent_answers_nothing_and_sends_nothing(
    connect: Connect,
) -> None:
    pair = await connect()
    seen: list[object] = []
    pair.server.on_message = lambda *message: seen.append(message)
    pair.channel.send("before")
    await until(lambda: seen)
    fall_silent(pair.client)
    pair.channel.send("after")
    assert not await is_answered(pair.server)
    assert len(seen) == 1
    await pair.client.close()
    assert not pair.server.closed_by_peer


async def test_who_is_not_connected_is_not_answered(
    connect: Connect,
) -> None:
    pair = await connect()
    await pair.client.close()
    assert not await is_answered(pair.client)
