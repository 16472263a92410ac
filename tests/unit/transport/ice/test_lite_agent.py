"""A lite agent (RFC 8445 section 2.5): it answers, and sends nothing by itself."""

import pytest

from tests.unit.transport.ice.link import (
    End,
    Link,
    are_connected,
    check_from,
    connect,
    pair_up,
    remote_candidate,
)
from whipbird.transport.path import Path
from whipbird.transport.stun import BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS

CLIENT = ("192.0.2.1", 5000)
SERVER = ("198.51.100.1", 5000)


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def ends(link: Link) -> tuple[End, End]:
    return pair_up(link, lite=True)


def test_it_never_checks(link: Link, ends: tuple[End, End]) -> None:
    client, server = ends
    connect(link, client, server)
    server.ice.add_remote_candidate(remote_candidate("192.0.2.9", 1), link.now)
    server.ice.end_of_candidates(link.now)
    server.ice.check_consent(link.now)
    link.run(300)
    assert are_connected(client, server)
    assert {m.type for m in link.messages(SERVER)} == {BINDING_SUCCESS}
    assert server.ice.checks_sent == 0
    assert server.ice.rtt is None
    assert not client.events + server.events


def test_it_selects_what_is_nominated(link: Link, ends: tuple[End, End]) -> None:
    """RFC 8445 section 7.3.2; before that, the path of the first check."""
    client, server = ends
    server.start(client)
    paths = [Path(SERVER, ("192.0.2.1", port)) for port in (1, 2, 3)]
    for path in paths[:2]:
        check = check_from(client.ice.local, server.ice.local)
        server.ice.receive(check, path, link.now)
    assert server.selected == paths[:1]
    for path in (paths[2], paths[1], paths[1]):
        check = check_from(client.ice.local, server.ice.local, nominates=True)
        server.ice.receive(check, path, link.now)
    assert server.selected == [paths[0], paths[2], paths[1]]
    assert server.verified == set(paths)


def test_a_restart_waits_for_the_nomination(link: Link, ends: tuple[End, End]) -> None:
    client, server = ends
    connect(link, client, server)
    before = server.ice.selected
    client.ice.restart(client.candidates(), link.now)
    server.ice.restart(server.candidates(), link.now)
    server.ice.accept_restart(client.ice.local, link.now)
    path = Path(SERVER, ("192.0.2.1", 7))
    for nominates in (False, True):
        assert server.ice.selected == before
        check = check_from(client.ice.local, server.ice.local, nominates=nominates)
        server.ice.receive(check, path, link.now)
    assert server.ice.selected == path
    assert server.events == ["restarted"]


def test_checks_before_the_credentials(link: Link, ends: tuple[End, End]) -> None:
    client, server = ends
    client.start(server)
    link.run(10)
    assert server.ice.selected is None
    assert server.ice.deadline == float("inf")
    server.start(client)
    assert server.selected == [Path(SERVER, CLIENT)]
    assert link.now + 24 <= server.ice.deadline <= link.now + 30


def test_checks_long_before_the_credentials(link: Link, ends: tuple[End, End]) -> None:
    """They are no consent any more."""
    client, server = ends
    client.start(server)
    link.run(10)
    client.ice.close()
    link.run(31)
    server.start(client)
    link.run(1)
    assert not server.selected
    assert not server.events


def test_data_stops_30_seconds_after_the_last_check(
    link: Link, ends: tuple[End, End]
) -> None:
    """A full peer's consent checks (RFC 7675) are all that shows it is there."""
    client, server = ends
    connect(link, client, server)
    link.run(100)
    client.ice.close()
    until = server.ice.consent_until
    assert 24 - 0.1 < until - link.now <= 30
    link.run(until - link.now - 0.001)
    assert not server.events
    link.run(0.002)
    assert server.events == ["expired"]
    assert server.ice.selected is None
    assert server.ice.consent_until <= link.now


def test_a_peer_that_sends_anything_need_not_check(
    link: Link, ends: tuple[End, End]
) -> None:
    """FFmpeg 8.0 and libnice send no checks once they are connected."""
    client, server = ends
    connect(link, client, server)
    client.ice.close()
    for _ in range(100):
        server.peer_heard_at = link.now
        link.run(1)
    assert not server.events
    link.run(28.9)
    assert server.ice.selected is not None
    link.run(0.2)
    assert server.events == ["expired"]


def test_responses_and_forged_requests_are_nothing(
    link: Link, ends: tuple[End, End]
) -> None:
    client, server = ends
    connect(link, client, server)
    until = server.ice.consent_until
    link.now += 1
    path = Path(SERVER, CLIENT)
    for _, data, _ in list(link.sent):
        if data[:2] == b"\x01\x01":
            assert not server.ice.receive(data, path, link.now)
    forged = check_from(server.ice.local, client.ice.local, nominates=True)
    assert not server.ice.receive(forged, path, link.now)
    assert server.ice.consent_until == until


def test_the_peer_must_control(link: Link, ends: tuple[End, End]) -> None:
    """RFC 8445 section 6.1.1: a full peer that does not is told to."""
    _, server = ends
    client = End(link, "192.0.2.7", controlling=False)
    server.start(client)
    client.start(server)
    assert link.run_until(lambda: are_connected(client, server), 1)
    assert client.ice.controlling
    assert [m.type for m in link.messages(SERVER)][:2] == [
        BINDING_ERROR,
        BINDING_SUCCESS,
    ]
    assert link.messages(("192.0.2.7", 5000))[0].type == BINDING_REQUEST
