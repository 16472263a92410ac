"""Addresses that change within an ICE session: NAT rebinding, and other paths."""

import pytest

from tests.unit.transport.ice.link import (
    End,
    Link,
    are_connected,
    check_from,
    connect,
    pair_up,
)
from whipbird.transport.path import Path
from whipbird.transport.stun import parse, success_response

CLIENT = ("192.0.2.1", 5000)
SERVER = ("198.51.100.1", 5000)
OUTSIDE = ("203.0.113.1", 40001)
REBOUND = ("203.0.113.1", 40002)


def behind_nat(link: Link, *, lite: bool = False) -> tuple[End, End]:
    """A client behind a NAT, connected to a server."""
    client, server = pair_up(link, lite=lite)
    link.nat[CLIENT] = OUTSIDE
    connect(link, client, server)
    assert server.ice.selected == Path(SERVER, OUTSIDE)
    return client, server


def exchange(link: Link, client: End, server: End) -> bool:
    """Whether data gets through in both directions now."""
    client.data.clear()
    server.data.clear()
    client.send(b"\x80to the server")
    server.send(b"\x80to the client")
    link.run(1)
    return bool(client.data and server.data)


@pytest.mark.parametrize("lite", [False, True])
def test_the_controlling_side_is_rebound(lite: bool) -> None:
    """Its next consent check nominates the path again, as libwebrtc's do too, and the
    server follows within that check's interval."""
    link = Link()
    client, server = behind_nat(link, lite=lite)
    link.run(60)
    link.nat[CLIENT] = REBOUND
    assert not exchange(link, client, server)
    assert link.run_until(lambda: server.ice.selected == Path(SERVER, REBOUND), 6.1)
    assert exchange(link, client, server)
    link.run(120)
    assert not client.events + server.events
    assert server.selected == [Path(SERVER, OUTSIDE), Path(SERVER, REBOUND)]
    assert len(client.selected) == 1


def test_the_controlled_side_is_rebound() -> None:
    """Its checks come from elsewhere, and it cannot nominate: the controlling side sees
    that the selected path is dead beside the new one."""
    link = Link()
    server, client = pair_up(link, client=("198.51.100.1",), server=("192.0.2.1",))
    link.nat[CLIENT] = OUTSIDE
    client.start(server)
    server.start(client, knows_candidates=False)
    assert link.run_until(lambda: are_connected(client, server), 1)
    assert server.ice.controlling
    link.run(60)
    link.nat[CLIENT] = REBOUND
    assert link.run_until(lambda: server.ice.selected == Path(SERVER, REBOUND), 10)
    assert exchange(link, client, server)
    # ... and nominates it.
    path = Path(SERVER, REBOUND)
    checks = [d for _, d, p in link.sent if p == path and d[:2] == b"\0\1"]
    assert parse(checks[-1]).nominates
    link.run(120)
    assert not client.events + server.events


@pytest.mark.parametrize("lite", [False, True])
def test_a_peer_that_nominates_once_is_rebound(lite: bool) -> None:
    """libjuice and aioice do not nominate with their consent checks."""
    link = Link()
    client, server = behind_nat(link, lite=lite)
    link.run(60)
    # From here on the client is a peer that checks its consent without nominating.
    link.run(20)
    credentials = client.ice.local, server.ice.local
    client.ice.close()
    link.sent.clear()
    until = server.ice.consent_until
    key = client.ice.local.pwd.encode()
    number = 0
    began = link.now
    while server.ice.selected != Path(SERVER, REBOUND):
        number += 1
        if number % 50 == 1:
            check = check_from(*credentials, number=number)
            server.ice.receive(check, Path(SERVER, REBOUND), link.now)
        link.run(0.1)
        for _, data, path in link.sent:
            if path == Path(SERVER, REBOUND) and data[:2] == b"\0\1":
                response = success_response(data[8:20], SERVER, key)
                server.ice.receive(response, path, link.now)
        link.sent.clear()
        assert link.now < until
    assert link.now - began < (18 if lite else 10)


def test_the_selected_path_survives_a_second_one() -> None:
    """A new path that works does not replace one that works, without a nomination."""
    link = Link(2, loss=0.2)
    client, server = pair_up(link, client=("192.0.2.1", "192.0.2.2"))
    connect(link, client, server, 30)
    link.run(10)
    selected = server.ice.selected
    other = Path(SERVER, ("192.0.2.2", 5000))
    if selected == other:
        other = Path(SERVER, CLIENT)
    for n in range(100):
        check = check_from(client.ice.local, server.ice.local, number=n)
        server.ice.receive(check, other, link.now)
        link.run(5)
        assert server.ice.selected == selected
    assert other in server.verified


def test_the_newest_nomination_wins() -> None:
    """Of valid pairs, and of those that become valid: whatever order they come in."""
    link = Link()
    client, server = pair_up(
        link, client=("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    )
    server.start(client, knows_candidates=False)
    key = client.ice.local.pwd.encode()
    paths = [Path(SERVER, base) for base in client.bases]
    link.filter = lambda _data, _path: False

    def check(number: int, *, nominates: bool) -> None:
        data = check_from(
            client.ice.local, server.ice.local, number=number, nominates=nominates
        )
        server.ice.receive(data, paths[number], link.now)

    def answer(number: int) -> None:
        data = [
            data
            for _, data, path in link.sent
            if path == paths[number] and data[:2] == b"\0\1"
        ][-1]
        response = success_response(data[8:20], SERVER, key)
        server.ice.receive(response, paths[number], link.now)

    for number in (0, 1, 2):
        check(number, nominates=True)
    answer(1)
    assert server.selected == paths[1:2]
    # Nominated later, and answered later.
    answer(2)
    assert server.selected == paths[1:3]
    # Nominated earlier: its check was ended.
    answer(0)
    assert server.selected == paths[1:3]
    # Checked, and not nominated.
    check(3, nominates=False)
    answer(3)
    assert server.selected == paths[1:3]
    # Valid already.
    check(3, nominates=True)
    assert server.selected == paths[1:4]
    check(1, nominates=True)
    assert server.selected == [*paths[1:4], paths[1]]


def test_data_is_sent_before_the_nomination() -> None:
    """libjuice uses its first pair at once, and nominates when it has checked those of
    higher priority: after 50 ms, 100 ms or 2 s. Data on the path has to be answered."""
    link = Link()
    client, server = pair_up(link, client=("192.0.2.1", "192.0.2.2"))
    server.start(client, knows_candidates=False)
    check = check_from(client.ice.local, server.ice.local)
    server.ice.receive(check, Path(SERVER, CLIENT), link.now)
    assert server.ice.selected is None
    link.run(0.1)
    assert server.selected == [Path(SERVER, CLIENT)]
    # ... and moves when it has chosen.
    path = Path(SERVER, ("192.0.2.2", 5000))
    check = check_from(client.ice.local, server.ice.local, nominates=True)
    server.ice.receive(check, path, link.now)
    link.run(0.1)
    assert server.selected == [Path(SERVER, CLIENT), path]


def test_a_pair_that_only_we_have_checked_is_not_used() -> None:
    """The peer may not know of it: it has answered, and sent nothing."""
    link = Link()
    client, server = pair_up(link)
    server.start(client)
    link.run(30)
    assert server.verified == {Path(SERVER, CLIENT)}
    assert server.ice.selected is None
    client.start(server)
    assert link.run_until(lambda: are_connected(client, server), 1)


def test_a_stale_pair_is_checked_before_it_is_used_again() -> None:
    """Consent is given for a path (RFC 7675 section 5), and for 30 s."""
    link = Link()
    client, server = pair_up(link, client=("192.0.2.1", "192.0.2.2"))
    connect(link, client, server)
    other = Path(SERVER, ("192.0.2.2", 5000))
    check = check_from(client.ice.local, server.ice.local)
    server.ice.receive(check, other, link.now)
    link.run(40)
    link.dead.add(other.remote)
    check = check_from(client.ice.local, server.ice.local, number=1, nominates=True)
    server.ice.receive(check, other, link.now)
    link.run(5)
    assert server.selected == [Path(SERVER, CLIENT)]
    link.dead.clear()
    check = check_from(client.ice.local, server.ice.local, number=2, nominates=True)
    server.ice.receive(check, other, link.now)
    link.run(1)
    # ... until the client's next consent check nominates its own pair.
    assert server.selected[1] == other
