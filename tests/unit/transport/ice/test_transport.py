"""IceTransport: connecting, and what others send."""

import hmac
import random
from collections import Counter

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
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.ice import (
    MAX_LOCAL_PREFERENCE,
    MAX_REMOTE_CANDIDATES,
    MAX_VERIFIED_PATHS,
    IceTransport,
    host_candidate,
)
from whipbird.transport.ice.checks import WAITS
from whipbird.transport.ice.full_agent import ANSWER_TIME, RESTART_ANSWER_TIME
from whipbird.transport.ice.pairs import MAX_PAIRS
from whipbird.transport.path import Path
from whipbird.transport.stun import (
    BINDING_ERROR,
    BINDING_REQUEST,
    BINDING_SUCCESS,
    ErrorCode,
    error_response,
    parse,
    success_response,
)

CLIENT = ("192.0.2.1", 5000)
SERVER = ("198.51.100.1", 5000)
ADDRESSES = (SERVER, CLIENT)
STRANGER = ("203.0.113.9", 40000)


def test_credentials_have_their_length() -> None:
    """RFC 8839 section 5.4: at least 4 and 22 characters, of the ICE alphabet."""
    a, b = pair_up(Link())
    assert len(a.ice.local.ufrag) >= 4
    assert len(a.ice.local.pwd) >= 22
    assert a.ice.local != b.ice.local
    assert (
        (a.ice.local.ufrag + a.ice.local.pwd)
        .replace("+", "")
        .replace("/", "")
        .isalnum()
    )
    assert a.ufrags == (a.ice.local.ufrag,)


def test_connects_without_the_candidates_of_the_peer() -> None:
    """A peer that neither offers nor trickles any is found by its own checks: as
    FFmpeg and OBS do (RFC 8445 section 7.3.1.3)."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    assert client.selected == [Path(CLIENT, SERVER)]
    assert server.selected == [Path(SERVER, CLIENT)]
    client.send(b"\x80data")
    server.send(b"\x80echo")
    link.run(1)
    assert (server.data, client.data) == ([b"\x80data"], [b"\x80echo"])


def test_the_server_is_ready_when_data_comes() -> None:
    """A peer that sends as soon as its check is answered is answered at once: the
    server's own check was on its way before that answer."""
    link = Link(delay=0.05)
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    client.start(server)
    began = link.now
    assert link.run_until(lambda: client.ice.selected is not None, 1)
    assert link.now - began == pytest.approx(0.1)
    client.send(b"\x16hello")
    assert link.run_until(lambda: bool(server.data), 1)
    assert link.now - began == pytest.approx(0.15)
    assert server.ice.selected is not None


def test_a_check_that_was_lost_before_the_peer_was_ready_is_made_again_at_once() -> (
    None
):
    """The server knows the client's candidates from the offer, the client knows
    nothing of the server before the answer: what came before, it has dropped."""
    link = Link(delay=0.001)
    client, server = pair_up(link)
    link.filter = lambda _data, path: path.local == CLIENT
    server.start(client)
    link.run(ANSWER_TIME + 0.008)
    assert server.ice.checks_sent == 1
    link.filter = lambda _data, _path: True
    client.start(server)
    began = link.now
    assert link.run_until(lambda: are_connected(client, server), 1)
    assert link.now - began == pytest.approx(0.003)
    assert server.ice.rtt == pytest.approx(0.002)


def test_a_candidate_that_comes_late_is_checked() -> None:
    """RFC 8838 section 12."""
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    client.start(server, knows_candidates=False)
    link.run(60)
    assert not are_connected(client)
    client.take_candidates(server)
    assert link.run_until(lambda: are_connected(client, server), 1)


def test_checks_that_come_before_the_credentials() -> None:
    """RFC 8445 section 7.3: they are answered at once, and remembered."""
    link = Link()
    client, server = pair_up(link)
    client.start(server)
    link.run(0.1)
    # Answered: the client has its path, and what it sends is taken.
    assert client.ice.selected is not None
    assert server.verified == {Path(SERVER, CLIENT)}
    assert not server.ice.checks_sent
    server.start(client, knows_candidates=False)
    assert link.run_until(lambda: are_connected(server), 0.1)


def test_all_paths_of_earlier_checks_are_checked_at_once() -> None:
    link = Link()
    client, server = pair_up(link)
    for n in range(3):
        check = check_from(client.ice.local, server.ice.local, number=n)
        server.ice.receive(check, Path(SERVER, ("192.0.2.9", 1 + n)), link.now)
    link.sent.clear()
    server.start(client)
    assert [path.remote[1] for _, _, path in link.sent] == [1, 2, 3]
    link.run(ANSWER_TIME)
    assert [path.remote[1] for _, _, path in link.sent[3:]] == [5000]


def test_who_has_passed_a_check_is_heard_before_it_is_answered() -> None:
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    calls: list[str] = []
    data = check_from(client.ice.local, server.ice.local)
    server.path_verified = lambda path: calls.append("verified")  # type: ignore
    server.send_datagram = lambda data, path: calls.append(  # type: ignore
        {BINDING_REQUEST: "check", BINDING_SUCCESS: "answer"}[parse(data).type]
    )
    ice = IceTransport(server, controlling=False)
    ice.start(client.ice.local, link.now)
    data = check_from(client.ice.local, ice.local)
    assert ice.receive(data, Path(SERVER, CLIENT), link.now)
    # ... and the check of ours leaves before the answer.
    assert calls == ["verified", "check", "answer"]


def test_the_rtt_is_measured() -> None:
    link = Link(delay=0.08)
    client, server = pair_up(link)
    connect(link, client, server)
    assert client.ice.rtt == pytest.approx(0.16)
    link.run(1)
    link.delay = 0.02
    client.ice.check_consent(link.now)
    link.run(0.1)
    assert client.ice.rtt == pytest.approx(0.04)


def test_the_rtt_of_a_retransmission_is_not_known() -> None:
    """Nobody knows which transmission an answer belongs to."""
    link = Link()
    client, server = pair_up(link)
    link.filter = lambda _data, _path: link.now > 1000.4
    connect(link, client, server)
    assert client.ice.rtt is None
    assert server.ice.rtt == pytest.approx(0.02)


# Pairs


def test_the_pair_of_the_highest_priority_is_checked_first() -> None:
    """RFC 8445 section 6.1.4.2, and Ta of section 14.2 between two checks."""
    link = Link()
    client, server = pair_up(
        link, server=("198.51.100.1", "198.51.100.2", "2001:db8::1")
    )
    link.filter = lambda _data, _path: False
    client.start(server, knows_candidates=False)
    for local in reversed(server.ice.local_candidates):
        client.ice.add_remote_candidate(local.candidate, link.now)
    link.run(0.1)
    sent = [(round(at - 1000, 3), path.remote[0]) for at, _, path in link.sent]
    # No pair of two IP versions.
    assert sent == [(0, "198.51.100.2"), (0.02, "198.51.100.1")]


def test_every_base_is_paired_with_every_candidate_of_its_version() -> None:
    link = Link()
    client, server = pair_up(
        link,
        client=("192.0.2.1", "192.0.2.2", "2001:db8::c", "fe80::c"),
        server=("198.51.100.1", "198.51.100.2", "2001:db8::1", "fe80::1"),
    )
    link.filter = lambda _data, _path: False
    client.start(server)
    link.run(0.4)
    pairs = {(path.local[0], path.remote[0]) for _, _, path in link.sent}
    assert pairs == {
        *(
            (a, b)
            for a in ("192.0.2.1", "192.0.2.2")
            for b in ("198.51.100.1", "198.51.100.2")
        ),
        ("2001:db8::c", "2001:db8::1"),
        # RFC 8445 section 6.1.2.2: link-local with link-local.
        ("fe80::c", "fe80::1"),
    }


def test_an_unreachable_candidate_does_not_hold_up_the_others() -> None:
    link = Link()
    client, server = pair_up(link, server=("198.51.100.1", "198.51.100.2"))
    link.dead.add(SERVER)
    began = link.now
    connect(link, client, server)
    link.run(0.1)
    assert link.now - began < 0.2
    path = Path(CLIENT, ("198.51.100.2", 5000))
    assert client.selected == [path]
    # It is nominated at once, and the other is checked no more.
    assert server.ice._current._selected.nomination  # type: ignore[attr-defined]
    link.run(30)
    assert sum(path.remote == SERVER for _, _, path in link.sent) == 1


def test_a_candidate_behind_a_one_to_one_nat() -> None:
    """Two candidates of one base make one pair: RFC 8445 section 6.1.2.4."""
    link = Link()
    client, server = pair_up(link)
    public = ("203.0.113.5", 8080)
    link.nat[SERVER] = public
    server.start(client)
    client.start(server, knows_candidates=False)
    client.ice.add_remote_candidate(remote_candidate(*public), link.now)
    assert link.run_until(lambda: are_connected(client, server), 1)
    assert client.selected == [Path(CLIENT, public)]
    assert server.selected == [Path(SERVER, CLIENT)]


def test_remote_candidates_are_bounded() -> None:
    """They make pairs with every base; those are bounded too (RFC 8445 6.1.2.5), and
    one of better priority takes the place of another, whose check ends."""
    link = Link()
    client = End(link, "192.0.2.1", "192.0.2.2", "192.0.2.3", controlling=True)
    client.ice.start(IceCredentials("abcd", "x" * 22), link.now)
    for n in range(3 * MAX_REMOTE_CANDIDATES):
        candidate = remote_candidate("198.51.100.1", 1000 + n, n)
        client.ice.add_remote_candidate(candidate, link.now)
        client.ice.add_remote_candidate(candidate, link.now)
        link.run(0.07)
    link.run(200)
    remotes = {path.remote[1] for _, _, path in link.sent}
    assert len(remotes) == MAX_REMOTE_CANDIDATES
    assert max(remotes) < 1000 + MAX_REMOTE_CANDIDATES
    counts = Counter(path for _, _, path in link.sent)
    assert len(counts) > MAX_PAIRS
    finished = [path for path in counts if counts[path] == len(WAITS)]
    assert len(finished) <= MAX_PAIRS
    assert client.ice.deadline == float("inf")


def test_checks_from_ever_new_addresses_are_bounded() -> None:
    """The paths, and what is sent to them; the newest one works all the same."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    for n in range(5 * MAX_VERIFIED_PATHS):
        data = check_from(client.ice.local, server.ice.local, number=n)
        server.ice.receive(data, Path(SERVER, ("192.0.2.1", 10000 + n)), link.now)
        link.run(0.01)
        assert len(server.verified) <= MAX_VERIFIED_PATHS
    assert Path(SERVER, CLIENT) in server.verified
    assert Path(SERVER, ("192.0.2.1", 10000 + n)) in server.verified
    server.send(b"\x80still here")
    link.run(1)
    assert client.data == [b"\x80still here"]


@pytest.mark.parametrize("lite", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_both_sides_select_one_path(seed: int, lite: bool) -> None:
    """Though each path has another delay, so that checks overtake each other: only one
    pair is nominated (RFC 8445 section 8.1.1), and only when it works."""
    link = Link(seed, delay=0.001, jitter=0.15)
    client, server = pair_up(
        link,
        client=("192.0.2.1", "192.0.2.2"),
        server=("198.51.100.1", "198.51.100.2"),
        lite=lite,
        seed=seed,
    )
    connect(link, client, server)
    link.run(1)
    assert client.ice.selected == Path(*reversed(server.ice.selected or ()))
    assert len(client.selected) == 1
    nominated = {p for _, d, p in link.sent if d[:2] == b"\0\1" and parse(d).nominates}
    assert nominated == set(client.selected)


def test_the_peer_is_told_before_data_comes() -> None:
    """A lite peer answers data on what is nominated: it has to know that first."""
    link = Link()
    client, server = pair_up(link, lite=True)
    selected = client.path_selected

    def send_data(path: Path) -> None:
        selected(path)
        client.send(b"\x16hello")

    client.path_selected = send_data  # type: ignore[method-assign]
    connect(link, client, server)
    data = [data for _, data, path in link.sent if path.local == CLIENT]
    assert data[-1] == b"\x16hello"
    assert parse(data[-2]).nominates


# Authentication


def test_forged_requests() -> None:
    """RFC 8489 section 9.1.3: with a wrong password 401, without a signature 400."""
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    link.sent.clear()
    path = Path(SERVER, STRANGER)
    wrong = IceCredentials(server.ice.local.ufrag, "x" * 24)
    signed = check_from(client.ice.local, wrong, nominates=True)
    unsigned = signed[:2] + (len(signed) - 52).to_bytes(2, "big") + signed[4:-32]
    for data, code in (
        (signed, ErrorCode.UNAUTHENTICATED),
        (unsigned, ErrorCode.BAD_REQUEST),
    ):
        assert not server.ice.receive(data, path, link.now)
        [(_, answer, _)] = link.sent
        assert parse(answer).type == BINDING_ERROR
        assert parse(answer).error_code == code
        assert len(answer) <= len(data)
        link.sent.clear()
    assert not server.verified
    assert server.ice.selected is None
    assert server.ice.requests_received == 0


def test_a_check_of_another_session_of_the_peers() -> None:
    """Signed with our password, and with another ufrag of the peer's than the one that
    is known: 400, signed, and nothing comes of it."""
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    link.sent.clear()
    other = IceCredentials("else", client.ice.local.pwd)
    check = check_from(other, server.ice.local, nominates=True)
    assert not server.ice.receive(check, Path(SERVER, CLIENT), link.now)
    [answer] = link.messages(SERVER)
    assert answer.error_code == ErrorCode.BAD_REQUEST
    assert answer.is_authentic(server.ice.local.pwd.encode())
    assert not server.verified


def test_what_is_somebody_elses() -> None:
    """Two peers may be behind one address, so the caller asks others then."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.sent.clear()
    path = Path(SERVER, CLIENT)
    other = IceCredentials("else", "x" * 24)
    assert not server.ice.receive(check_from(other, other), path, link.now)
    answer = success_response(bytes(12), SERVER, b"x")
    assert not server.ice.receive(answer, path, link.now)
    no_username = error_response(bytes(12), ErrorCode.FORBIDDEN, None)
    no_username = b"\x00\x01" + no_username[2:-8]
    no_username = (
        no_username[:2] + (len(no_username) - 20).to_bytes(2, "big") + no_username[4:]
    )
    assert not server.ice.receive(no_username, path, link.now)
    assert not link.sent
    assert server.ice.malformed == 0


def test_what_is_malformed_is_counted() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    for data in (b"\x00", b"\x00\x01" + bytes(18), b"\x03" * 1200):
        assert not server.ice.receive(data, Path(SERVER, CLIENT), link.now)
    assert server.ice.malformed == 3
    link.run(60)
    assert are_connected(client, server)


def test_a_keep_alive_says_nothing() -> None:
    """RFC 8445 section 11: a binding indication."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    indication = b"\x00\x11\x00\x00\x21\x12\xa4\x42" + bytes(12)
    link.sent.clear()
    assert server.ice.receive(indication, Path(SERVER, STRANGER), link.now)
    assert not link.sent
    assert Path(SERVER, STRANGER) not in server.verified


def test_an_attribute_that_must_be_understood() -> None:
    """RFC 8489 section 6.3.1: 420, signed, if the request is authentic."""
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    link.sent.clear()
    # 0x7001 in the place of USE-CANDIDATE, and everything signed.
    data = check_from(client.ice.local, server.ice.local, nominates=True)
    data = resign(data.replace(b"\x00\x25\x00\x00", b"\x70\x01\x00\x00"), server)
    server.ice.receive(data, Path(SERVER, CLIENT), link.now)
    [(_, answer, _)] = link.sent
    assert parse(answer).error_code == ErrorCode.UNKNOWN_ATTRIBUTE
    assert parse(answer).is_authentic(server.ice.local.pwd.encode())
    assert b"\x00\x0a\x00\x02\x70\x01" in answer
    assert not server.verified


def resign(data: bytes, receiver: End) -> bytes:
    """Sign a changed request again, without FINGERPRINT."""
    start = data[:2] + (len(data) - 28).to_bytes(2, "big") + data[4:-32]
    mac = hmac.digest(receiver.ice.local.pwd.encode(), start, "sha1")
    return start + b"\x00\x08\x00\x14" + mac


@pytest.mark.parametrize("wrong", ["password", "source", "base"])
def test_forged_responses(wrong: str) -> None:
    """RFC 8445 section 7.2.5.2.1 and RFC 8489 section 9.1.4: they prove nothing. The
    check goes on, and succeeds when the right answer comes."""
    link = Link()
    client, server = pair_up(link, client=("192.0.2.1", "192.0.2.2"))
    link.filter = lambda data, _path: data[:2] == b"\x01\x01"
    server.start(client)
    link.run(ANSWER_TIME)
    [(_, data, path)] = link.sent
    key = client.ice.local.pwd.encode()
    if wrong == "password":
        forged, at = success_response(data[8:20], SERVER, b"x" * 24), path
    else:
        forged = success_response(data[8:20], SERVER, key)
        at = Path(path.local, STRANGER)
        if wrong == "base":
            at = Path(("198.51.100.7", 5000), path.remote)
    assert server.ice.receive(forged, at, link.now)
    assert not server.verified
    assert server.ice.responses_received == 0
    right = success_response(data[8:20], SERVER, key)
    assert server.ice.receive(right, path, link.now)
    assert server.verified == {path}
    assert server.ice.responses_received == 1


def test_an_answer_without_the_mapped_address() -> None:
    """FFmpeg's WHIP muxer does not tell it."""
    link = Link()
    client, server = pair_up(link)
    server.start(client)
    link.filter = lambda _data, _path: False
    link.run(ANSWER_TIME)
    [(_, data, path)] = link.sent
    answer = success_response(data[8:20], SERVER, b"")
    bare = b"\x01\x01" + (24).to_bytes(2, "big") + answer[4:20]
    mac = hmac.digest(client.ice.local.pwd.encode(), bare, "sha1")
    server.ice.receive(bare + b"\x00\x08\x00\x14" + mac, path, link.now)
    assert server.verified == {path}


# Roles


@pytest.mark.parametrize("controlling", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_role_conflict_is_resolved(controlling: bool, seed: int) -> None:
    """RFC 8445 section 7.3.1.1: one of both switches; with loss and jitter too."""
    link = Link(seed, loss=0.1, jitter=0.05)
    a = End(link, "192.0.2.1", controlling=controlling, seed=seed)
    b = End(link, "198.51.100.1", "198.51.100.2", controlling=controlling, seed=seed)
    a.start(b)
    b.start(a)
    assert link.run_until(lambda: are_connected(a, b), 30)
    link.run(30)
    assert a.ice.controlling is not b.ice.controlling
    link.loss = 0
    link.run(15)
    assert a.ice.selected is not None
    assert a.ice.selected == Path(*reversed(b.ice.selected or ()))


@pytest.mark.parametrize("tie_breaker", [0, (1 << 64) - 1])
def test_who_becomes_controlling_nominates(tie_breaker: int) -> None:
    """RFC 8445 section 7.3.1.1: the peer will not."""
    link = Link()
    client, server = pair_up(link)
    server.start(client)
    check = check_from(client.ice.local, server.ice.local)
    server.ice.receive(check, Path(SERVER, CLIENT), link.now)
    link.run(0.1)
    assert server.ice.selected is not None
    link.sent.clear()
    check = check_from(
        client.ice.local,
        server.ice.local,
        number=1,
        controlling=False,
        tie_breaker=tie_breaker,
    )
    server.ice.receive(check, Path(SERVER, CLIENT), link.now)
    if tie_breaker:
        [answer] = link.messages(SERVER)
        assert answer.error_code == ErrorCode.ROLE_CONFLICT
    else:
        request, answer = link.messages(SERVER)
        assert request.nominates
        assert answer.type == BINDING_SUCCESS
    assert server.ice.controlling is not bool(tie_breaker)
    assert server.selected == [Path(SERVER, CLIENT)]


def test_a_full_agent_controls_a_lite_one() -> None:
    """RFC 8445 section 6.1.1, whoever has made the offer."""
    link = Link()
    a = End(link, "192.0.2.1", controlling=False)
    b = End(link, "198.51.100.1", controlling=True, lite=True)
    a.ice.start(b.ice.local, link.now, remote_lite=True)
    a.take_candidates(b)
    b.start(a)
    assert link.run_until(lambda: are_connected(a, b), 1)
    assert (a.ice.controlling, b.ice.controlling) == (True, False)
    # It knew, and had not to be told.
    assert {m.type for m in link.messages(b.bases[0])} == {BINDING_SUCCESS}


# The end


def test_failing_takes_patience() -> None:
    """RFC 8863 section 4: not before 39.5 s, though no pair is left."""
    link = Link()
    client, server = pair_up(link)
    link.dead.add(SERVER)
    client.start(server)
    client.ice.end_of_candidates(link.now)
    link.run(39.4)
    assert not client.events
    link.run(0.2)
    assert client.events == ["failed"]
    link.run(1000)
    assert client.events == ["failed"]
    assert client.ice.checks_sent == len(WAITS)


def test_a_check_that_goes_on_is_waited_for() -> None:
    """RFC 8445 section 8.1.2: the list fails when all its pairs have."""
    link = Link()
    client, server = pair_up(link)
    link.dead.add(SERVER)
    client.start(server, knows_candidates=False)
    link.run(38)
    client.take_candidates(server)
    client.ice.end_of_candidates(link.now)
    link.run(27)
    assert not client.events
    link.run(1)
    assert client.events == ["failed"]


def test_without_any_candidate_the_same() -> None:
    link = Link()
    client, server = pair_up(link)
    server.start(client, knows_candidates=False)
    server.ice.end_of_candidates(link.now)
    link.run(39)
    assert not server.events
    link.run(1)
    assert server.events == ["failed"]


def test_a_peer_that_may_trickle_is_waited_for() -> None:
    """RFC 8838 section 8: no failure before the end of candidates."""
    link = Link()
    client, server = pair_up(link)
    link.dead.add(SERVER)
    client.start(server)
    link.run(1000)
    assert not client.events
    client.ice.end_of_candidates(link.now)
    assert client.events == ["failed"]


def test_a_check_of_the_peers_revives_a_failed_pair() -> None:
    """RFC 8445 section 7.3.1.4."""
    link = Link()
    client, server = pair_up(link)
    server.start(client)
    link.run(60)
    assert not are_connected(server)
    client.start(server)
    assert link.run_until(lambda: are_connected(client, server), 1)


@pytest.mark.parametrize("sink", ["path_verified", "path_selected", "send_datagram"])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("lite", [False, True])
@pytest.mark.parametrize("knows_candidates", [False, True])
def test_closing_from_within_a_sink(
    sink: str, side: int, lite: bool, knows_candidates: bool
) -> None:
    """Nothing is called afterwards."""
    link = Link()
    ends = pair_up(link, lite=lite)
    end = ends[side]
    inner = getattr(end, sink)
    calls: list[tuple[object, ...]] = []

    def close(*arguments: object) -> None:
        assert not calls
        calls.append(arguments)
        inner(*arguments)
        end.ice.close()

    # VerifiedPaths has the bound methods.
    if sink == "path_verified":
        end.ice._paths._added = close
    else:
        setattr(end, sink, close)
    ends[1].start(ends[0], knows_candidates=knows_candidates)
    link.run(0.1)
    ends[0].start(ends[1])
    link.run(60)
    assert len(calls) == 1
    assert end.ice.selected is None
    assert sink != "path_verified" or not end.selected
    assert end.ice.deadline == float("inf")
    sent = len(link.messages(end.bases[0]))
    end.ice.receive(check_from(ends[0].ice.local, end.ice.local), Path(*ADDRESSES), 0)
    assert len(link.messages(end.bases[0])) == sent


def test_a_controlled_side_leaves_its_answer_the_time_to_arrive() -> None:
    """A check that comes before the answer cannot be authentic to the peer, and costs a
    retransmission. What the peer checks itself is checked back at once."""
    link = Link(delay=0.001)
    client, server = pair_up(link)
    server.start(client)
    assert server.ice.checks_sent == 0
    assert server.ice.deadline == link.now + ANSWER_TIME
    client.start(server)
    began = link.now
    assert link.run_until(lambda: are_connected(client, server), 1)
    assert link.now - began < ANSWER_TIME
    assert server.ice.checks_sent == 1


def test_transactions_begin_with_the_prefix() -> None:
    """By it, whoever receives datagrams for many peers finds that of a response."""
    link = Link()
    client, server = pair_up(link)
    ice = IceTransport(server, controlling=False, transaction_prefix=b"\x07\x08\x09")
    for n in range(3):
        if n:
            ice.restart(server.candidates(), link.now)
            ice.accept_restart(client.ice.local, link.now)
        else:
            ice.gather(server.candidates())
            ice.start(client.ice.local, link.now)
        ice.add_remote_candidate(client.candidates()[0].candidate, link.now)
        ice.handle_timeout(link.now + RESTART_ANSWER_TIME)
    transactions = {data[8:20] for _, data, _ in link.sent}
    assert len(transactions) == 3
    assert {transaction[:3] for transaction in transactions} == {b"\x07\x08\x09"}


def test_closing() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    server.ice.close()
    link.sent.clear()
    verified = set(server.verified)
    data = check_from(client.ice.local, server.ice.local)
    assert not server.ice.receive(data, Path(SERVER, STRANGER), link.now)
    server.ice.handle_timeout(link.now)
    server.ice.check_consent(link.now)
    server.ice.start(client.ice.local, link.now)
    server.ice.add_remote_candidate(remote_candidate("192.0.2.7", 1), link.now)
    server.ice.end_of_candidates(link.now)
    server.ice.abandon_restart(link.now)
    with pytest.raises(ConnectionError):
        server.ice.restart((), link.now)
    assert not link.sent
    assert server.verified == verified
    assert server.ice.selected is None
    assert server.ice.deadline == float("inf")
    assert not server.events


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_a_handshake_under_loss(loss: float) -> None:
    """300 seeds, with jitter and duplicates. None takes longer than 20 s (of 2,000 with
    30 % loss, the longest took 15.2 s, 1 % more than 7.6 s), and the median less than a
    second: RFC 8445 section 14.3 wants half a second to the first retransmission."""
    took = []
    for seed in range(300):
        link = Link(seed, loss=loss, jitter=0.05, duplication=0.1)
        client, server = pair_up(link, seed=seed)
        began = link.now
        connect(link, client, server, 20)
        took.append(link.now - began)
    assert sorted(took)[150] < 1


def test_random_is_all_there_is() -> None:
    """The same seed gives the same datagrams."""

    def story() -> list[bytes]:
        link = Link(7, loss=0.2)
        client, server = pair_up(link, seed=7)
        connect(link, client, server, 30)
        link.run(60)
        return [data for _, data, _ in link.sent]

    assert story() == story()
    assert (
        IceTransport(pair_up(Link())[0], controlling=True, rng=random.Random(1)).local
        == IceTransport(
            pair_up(Link())[0], controlling=True, rng=random.Random(1)
        ).local
    )


def test_a_candidate_that_comes_later_connects() -> None:
    """A relay, which the peer learns of by the checks from it."""
    link = Link()
    client, server = pair_up(link)
    link.dead.add(CLIENT)
    server.start(client, knows_candidates=False)
    client.start(server)
    link.run(3)
    assert client.ice.selected is None
    relayed = ("192.0.2.2", 5000)
    client.bases.append(relayed)
    local = host_candidate(*relayed, relayed, MAX_LOCAL_PREFERENCE)
    client.ice.add_local_candidate(local, link.now)
    assert local in client.ice.local_candidates
    link.run(3)
    assert client.selected == [Path(relayed, SERVER)]
    assert server.selected == [Path(SERVER, relayed)]


def test_a_candidate_that_comes_when_there_is_a_path_is_not_checked() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    relayed = ("192.0.2.2", 5000)
    client.bases.append(relayed)
    local = host_candidate(*relayed, relayed, MAX_LOCAL_PREFERENCE)
    client.ice.add_local_candidate(local, link.now)
    link.run(3)
    assert link.messages(relayed) == []
    assert client.selected == [Path(CLIENT, SERVER)]
