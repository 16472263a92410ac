"""ICE restarts (RFC 8445 section 9): a new session under a connection that goes on."""

import pytest

from tests.unit.transport.ice.link import (
    End,
    Link,
    are_connected,
    check_from,
    connect,
    pair_up,
    restart,
)
from whipbird.transport.ice import CONSENT_LIFETIME, RESTART_TIMEOUT
from whipbird.transport.ice.full_agent import RESTART_ANSWER_TIME
from whipbird.transport.path import Address, Path

CLIENT = ("192.0.2.1", 5000)
MOVED = ("192.0.2.2", 5000)
SERVER = ("198.51.100.1", 5000)


def have_restarted(*ends: End) -> bool:
    return all("restarted" in end.events for end in ends)


@pytest.mark.parametrize("lite", [False, True])
def test_no_datagram_is_lost_over_ten_restarts(lite: bool) -> None:
    """Data goes on over the old path until the new one is there, and what is on its way
    then is heard: though every restart is to another address, on a path that delays
    and reorders. (What overtakes the answer of a lite agent, which sends no checks,
    cannot be known for its data.)"""
    link = Link(1, delay=0.04, jitter=0 if lite else 0.04)
    client, server = pair_up(link, lite=lite)
    connect(link, client, server)
    ufrags = set()
    number = 0
    for n in range(10):
        # The old socket stays open for a while.
        client.bases = [(f"192.0.2.{10 + n}", 5000), client.bases[0]]
        client.ice.restart(client.candidates()[:1], link.now)
        link.run(0.01)
        server.ice.restart(server.candidates(), link.now)
        server.ice.accept_restart(client.ice.local, link.now)
        link.run(0.05)
        client.ice.accept_restart(server.ice.local, link.now)
        client.take_candidates(server)
        ufrags |= {client.ice.local.ufrag, server.ice.local.ufrag}
        for _ in range(500):
            for end in (client, server):
                end.send(b"\x80" + str(number).encode())
            number += 1
            link.run(0.001)
        assert have_restarted(client, server)
        assert client.ice.selected == Path(client.bases[0], SERVER)
        assert server.ice.selected == Path(SERVER, client.bases[0])
        client.events.clear()
        server.events.clear()
    link.run(1)
    expected = {b"\x80" + str(n).encode() for n in range(number)}
    assert len(ufrags) == 20
    for end in (client, server):
        assert len(end.data) == number
        assert set(end.data) == expected


def test_what_a_restart_leaves() -> None:
    """New credentials, and after a while none of the old paths."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    before = server.ice.local
    client.move("192.0.2.2")
    restart(link, client, server)
    assert server.ufrags == (before.ufrag, server.ice.local.ufrag)
    assert server.ice.local != before
    assert server.ice.remote == client.ice.local
    assert link.run_until(lambda: have_restarted(client, server), 1)
    assert list(server.ufrags) == [server.ice.local.ufrag]
    assert server.verified == {Path(SERVER, CLIENT), Path(SERVER, MOVED)}
    assert server.selected == [Path(SERVER, CLIENT), Path(SERVER, MOVED)]
    link.run(CONSENT_LIFETIME - 1)
    assert len(server.verified) == 2
    link.run(1)
    assert server.verified == {Path(SERVER, MOVED)}
    # Nobody answers for the old ufrag.
    data = check_from(client.ice.local, before)
    assert not server.ice.receive(data, Path(SERVER, CLIENT), link.now)
    link.run(100)
    assert are_connected(client, server)


def test_a_restart_on_the_same_path() -> None:
    """It is verified all the time, and selected once more."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    restart(link, client, server)
    assert link.run_until(lambda: have_restarted(client, server), 1)
    link.run(100)
    assert server.verified == {Path(SERVER, CLIENT)}
    assert server.selected == [Path(SERVER, CLIENT)] * 2
    assert not client.events[1:] + server.events[1:]


def test_the_old_path_is_used_until_the_new_one_is_nominated() -> None:
    """RFC 8445 section 9: by the controlled side; that the pair works is not enough."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    server.ice.restart(server.candidates(), link.now)
    client.ice.restart(client.candidates(), link.now)
    server.ice.accept_restart(client.ice.local, link.now)
    path = Path(SERVER, MOVED)
    client.bases.append(MOVED)
    check = check_from(client.ice.local, server.ice.local, number=1)
    server.ice.receive(check, path, link.now)
    link.run(1)
    assert path in server.verified
    assert server.ice.responses_received > 1
    assert server.selected == [Path(SERVER, CLIENT)]
    assert server.ice.selected == Path(SERVER, CLIENT)
    link.run(60)
    assert server.ice.selected == Path(SERVER, CLIENT)


def test_checks_of_the_new_session_that_come_before_its_credentials() -> None:
    """RFC 8445 section 7.3."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    client.ice.accept_restart(server.ice.local, link.now)
    client.take_candidates(server)
    assert link.run_until(lambda: have_restarted(client), 1)
    assert not have_restarted(server)
    client.send(b"\x80early")
    link.run(1)
    assert server.data == [b"\x80early"]
    server.ice.accept_restart(client.ice.local, link.now)
    assert link.run_until(lambda: have_restarted(server), 0.1)


def begin_restart(client: End, server: End, link: Link) -> None:
    """The client has moved, and its offer has come; the answer is on its way."""
    client.bases = [MOVED, client.bases[0]]
    client.ice.restart(client.candidates()[:1], link.now)
    server.ice.restart(server.candidates(), link.now)
    server.ice.accept_restart(client.ice.local, link.now)
    server.take_candidates(client)


def checks_to(remote: Address, link: Link) -> int:
    return sum(path.remote == remote for _, _, path in link.sent)


def test_the_peer_is_not_checked_before_it_has_the_answer() -> None:
    """Chromium would never use a pair that is checked before."""
    link = Link(delay=0.01)
    client, server = pair_up(link)
    connect(link, client, server)
    begin_restart(client, server, link)
    link.run(RESTART_ANSWER_TIME - 0.1)
    assert checks_to(MOVED, link) == 0
    client.ice.accept_restart(server.ice.local, link.now)
    client.take_candidates(server)
    assert link.run_until(lambda: have_restarted(client, server), 0.2)
    assert checks_to(MOVED, link) > 0


def test_the_peer_is_checked_when_its_own_checks_do_not_arrive() -> None:
    """As behind a NAT that lets in only what was asked for."""
    link = Link(delay=0.01)
    client, server = pair_up(link)
    connect(link, client, server)
    begin_restart(client, server, link)
    link.run(RESTART_ANSWER_TIME + 0.1)
    assert checks_to(MOVED, link) > 0


def test_an_abandoned_restart_leaves_the_old_path() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    before, candidates = client.ice.local, client.ice.local_candidates
    client.move("192.0.2.1", "192.0.2.2")
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    # It has verified a path already.
    server.ice.receive(
        check_from(client.ice.local, server.ice.local), Path(SERVER, MOVED), link.now
    )
    assert Path(SERVER, MOVED) in server.verified
    client.ice.abandon_restart(link.now)
    server.ice.abandon_restart(link.now)
    assert client.events == server.events == ["abandoned"]
    assert server.verified == {Path(SERVER, CLIENT)}
    assert (client.ice.local, client.ice.local_candidates) == (before, candidates)
    assert client.ufrags == (before.ufrag,)
    with pytest.raises(ConnectionError):
        client.ice.accept_restart(server.ice.local, link.now)
    client.ice.abandon_restart(link.now)
    link.run(100)
    assert are_connected(client, server)
    assert client.events == ["abandoned"]


def test_a_restart_takes_the_place_of_one_that_is_not_finished() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    first = server.ice.local
    server.ice.accept_restart(client.ice.local, link.now)
    restart(link, client, server)
    assert client.events == server.events == ["abandoned"]
    assert first.ufrag not in server.ufrags
    assert link.run_until(lambda: have_restarted(client, server), 1)
    link.run(100)
    assert are_connected(client, server)


@pytest.mark.parametrize("seed", range(30))
def test_overlapping_restarts_under_loss(seed: int) -> None:
    """Each time with the newest credentials, in the middle of the checks for the one
    before: the last one succeeds."""
    link = Link(seed, loss=0.3, jitter=0.02)
    client, server = pair_up(link, seed=seed)
    connect(link, client, server, 60)
    for n in range(5):
        client.move(f"192.0.2.{n + 2}")
        restart(link, client, server)
        link.run(0.05 * (seed % 5))
    path = Path(client.bases[0], SERVER)
    assert link.run_until(
        lambda: (
            client.ice.selected == path and server.ice.selected == Path(*reversed(path))
        ),
        30,
    )


def test_the_client_moves_when_the_old_path_is_dead_already() -> None:
    """Consent expires while the restart is under way: it may still succeed."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    client.move("192.0.2.2")
    link.run(25)
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    link.run(10)
    assert not are_connected(client, server)
    assert server.ice.selected is None
    assert not server.events + client.events
    server.ice.accept_restart(client.ice.local, link.now)
    client.ice.accept_restart(server.ice.local, link.now)
    client.take_candidates(server)
    assert link.run_until(lambda: have_restarted(client, server), 1)
    link.run(100)
    assert server.events == client.events == ["restarted"]
    assert server.ice.selected == Path(SERVER, MOVED)


@pytest.mark.parametrize("is_accepted", [False, True])
def test_a_restart_that_fails_after_consent_has_expired(is_accepted: bool) -> None:
    """It has its time after that, and then the connection ends."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    link.run(1)
    server.ice.restart(server.candidates(), link.now)
    if is_accepted:
        server.ice.accept_restart(client.ice.local, link.now)
    until = server.ice.consent_until
    link.run(until - link.now)
    assert server.ice.selected is None
    link.run(RESTART_TIMEOUT - 0.01)
    assert not server.events
    link.run(0.02)
    assert server.events == ["abandoned", "expired"]
    link.run(100)
    assert server.events == ["abandoned", "expired"]


def test_another_restart_after_consent_has_expired_has_its_time() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    server.ice.restart(server.candidates(), link.now)
    link.run(CONSENT_LIFETIME + RESTART_TIMEOUT - 1)
    server.ice.restart(server.candidates(), link.now)
    assert server.events == ["abandoned"]
    link.run(RESTART_TIMEOUT - 0.1)
    assert server.events == ["abandoned"]
    link.run(0.2)
    assert server.events == ["abandoned", "abandoned", "expired"]


def test_abandoning_after_consent_has_expired_ends_the_connection() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    server.ice.restart(server.candidates(), link.now)
    link.run(CONSENT_LIFETIME + 1)
    server.ice.abandon_restart(link.now)
    assert server.events == ["abandoned", "expired"]


def test_a_restart_that_finds_no_pair_keeps_the_old_path() -> None:
    """When the peer has no more candidates, and patience is over (RFC 8863)."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    restart(link, client, server)
    server.ice.abandon_restart(link.now)
    client.ice.end_of_candidates(link.now)
    link.run(50)
    assert client.events == ["abandoned"]
    assert are_connected(client, server)


def test_a_restart_before_the_first_connection() -> None:
    link = Link()
    client, server = pair_up(link)
    link.dead.add(SERVER)
    server.start(client)
    client.start(server)
    client.ice.end_of_candidates(link.now)
    link.run(5)
    restart(link, client, server)
    link.run(60)
    # The first has failed, and the second may still succeed.
    assert not client.events
    link.dead.clear()
    server.ice.abandon_restart(link.now)
    restart(link, client, server)
    assert link.run_until(lambda: are_connected(client, server), 5)
    assert client.events == ["abandoned", "restarted"]


def test_the_first_failure_is_told_when_the_restart_has_failed_too() -> None:
    link = Link()
    client, server = pair_up(link)
    link.dead.add(SERVER)
    client.start(server)
    client.ice.end_of_candidates(link.now)
    client.ice.restart(client.candidates(), link.now)
    link.run(60)
    client.ice.abandon_restart(link.now)
    assert client.events == ["abandoned", "failed"]


def test_consent_that_was_lost_and_found() -> None:
    """A later restart may fail: it has nothing to do with that."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    server.ice.restart(server.candidates(), link.now)
    link.run(CONSENT_LIFETIME + 1)
    assert server.ice.selected is None
    client.move("192.0.2.2")
    client.ice.restart(client.candidates(), link.now)
    server.ice.accept_restart(client.ice.local, link.now)
    client.ice.accept_restart(server.ice.local, link.now)
    client.take_candidates(server)
    assert link.run_until(lambda: have_restarted(client, server), 1)
    server.ice.restart(server.candidates(), link.now)
    link.run(RESTART_TIMEOUT + 1)
    server.ice.abandon_restart(link.now)
    assert server.events == ["restarted", "abandoned"]
    assert are_connected(server)


def test_closing_when_the_new_path_is_selected() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    server.path_selected = (  # type: ignore[method-assign]
        lambda path: server.ice.close()
    )
    restart(link, client, server)
    link.run(100)
    assert not server.events
    assert server.ice.selected is None


@pytest.mark.parametrize("event", ["restarted", "abandoned", "expired"])
def test_closing_from_within_a_sink(event: str) -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    server.closes_on = event
    if event != "restarted":
        link.dead.add(CLIENT)
    restart(link, client, server)
    link.run(100)
    assert server.ice.deadline == float("inf")
    assert server.events[-1] == event
    sent = len(link.messages(SERVER))
    link.run(100)
    assert len(link.messages(SERVER)) == sent
