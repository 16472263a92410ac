"""Consent to send (RFC 7675): given by answers, revoked, or expired."""

import random
from itertools import pairwise

import pytest

from tests.unit.transport.ice.link import End, Link, connect, pair_up
from whipbird.transport.ice import CONSENT_LIFETIME
from whipbird.transport.ice.consent import Consent
from whipbird.transport.ice.pairs import Pair
from whipbird.transport.path import Path
from whipbird.transport.stun import (
    BINDING_REQUEST,
    ErrorCode,
    error_response,
    parse,
    success_response,
)

CLIENT = ("192.0.2.1", 5000)
SERVER = ("198.51.100.1", 5000)


def test_consent_is_checked_at_irregular_intervals() -> None:
    """RFC 7675 section 5.1: every 5 s, times 0.8 to 1.2, each in a transaction of its
    own; and the checks keep NAT bindings alive."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.run(1)
    link.sent.clear()
    link.run(600)
    for base in (CLIENT, SERVER):
        sent = [
            (at, data[8:20])
            for at, data, path in link.sent
            if path.local == base and parse(data).type == BINDING_REQUEST
        ]
        gaps = [b - a for (a, _), (b, _) in pairwise(sent)]
        # The interval begins with the answer.
        assert min(gaps) >= 4
        assert max(gaps) <= 6 + 0.03
        assert max(gaps) - min(gaps) > 1
        assert len({transaction for _, transaction in sent}) == len(sent)
    assert not client.events + server.events


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("role", ["client", "server"])
def test_consent_expires_after_30_seconds_and_no_sooner(seed: int, role: str) -> None:
    """RFC 7675 section 5.1, counted from the last answer."""
    link = Link(seed)
    client, server = pair_up(link, seed=seed)
    connect(link, client, server)
    link.run(20 + seed)
    end, other = (client, server) if role == "client" else (server, client)
    other.ice.close()
    until = end.ice.consent_until
    assert 24 - 0.1 < until - link.now <= 30
    link.run(until - link.now - 0.001)
    assert end.ice.selected is not None
    assert not end.events
    link.run(0.002)
    assert end.ice.selected is None
    assert end.events == ["expired"]
    sent = len(link.sent)
    link.run(100)
    assert len(link.sent) == sent
    assert end.events == ["expired"]


def send_media(link: Link, server: End, seconds: int) -> None:
    """Let the client be heard by the server each second."""
    for _ in range(seconds):
        server.media_sender_heard_at = link.now
        link.run(1)


def test_media_is_the_consent_of_a_peer_that_answers_no_checks() -> None:
    """FFmpeg's WHIP muxer reads no STUN once it sends. Consent still expires."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    client.ice.close()
    send_media(link, server, 300)
    assert server.ice.selected is not None
    assert not server.events
    heard_at = server.media_sender_heard_at
    # It is asked all the time.
    assert len(link.messages(SERVER, link.now - 60)) >= 10
    link.run(heard_at + CONSENT_LIFETIME - link.now - 0.001)
    assert not server.events
    link.run(0.002)
    assert server.events == ["expired"]
    assert server.ice.selected is None


def test_a_peer_that_has_answered_must_go_on() -> None:
    """RFC 7675 section 5.1, whatever else comes from it."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    send_media(link, server, 20)
    client.ice.close()
    until = server.ice.consent_until
    send_media(link, server, 29)
    assert until - 6 < link.now
    send_media(link, server, 3)
    assert server.events == ["expired"]
    assert until <= link.now <= until + 8


def test_answers_before_the_media_are_no_promise() -> None:
    """FFmpeg answers while it shakes hands, which may take some seconds."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.run(8)
    client.ice.close()
    send_media(link, server, 100)
    assert not server.events


def test_consent_survives_loss() -> None:
    """Six checks or so in 30 s: not all of them are lost in an hour."""
    link = Link(3)
    client, server = pair_up(link)
    connect(link, client, server)
    link.loss = 0.1
    link.run(3600)
    assert not client.events + server.events


def test_a_late_answer_counts() -> None:
    """A path may take longer than the time to the next check."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.delay = 8
    link.run(200)
    assert not client.events + server.events
    assert server.ice.rtt == pytest.approx(16)


def test_consent_is_not_given_by_anybody_else() -> None:
    """RFC 7675 section 5.1: an answer is authenticated, and from the same address."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.run(7)
    client.ice.close()
    link.sent.clear()
    server.ice.check_consent(link.now)
    [(_, request, path)] = link.sent
    key = client.ice.local.pwd.encode()
    for password, remote, is_given in (
        (b"x" * 24, CLIENT, False),
        (key, ("203.0.113.1", 5000), False),
        (key, CLIENT, True),
        # Once only.
        (key, CLIENT, False),
    ):
        link.now += 0.1
        until = server.ice.consent_until
        response = success_response(request[8:20], SERVER, password)
        server.ice.receive(response, Path(path.local, remote), link.now)
        assert (server.ice.consent_until > until) is is_given
    assert server.ice.consent_until == pytest.approx(link.now - 0.1 + CONSENT_LIFETIME)


@pytest.mark.parametrize(
    ("code", "is_signed", "is_revoked"),
    [
        (ErrorCode.FORBIDDEN, True, True),
        (ErrorCode.FORBIDDEN, False, False),
        (ErrorCode.BAD_REQUEST, True, False),
        (ErrorCode.UNAUTHENTICATED, False, False),
    ],
)
def test_consent_is_revoked(code: ErrorCode, is_signed: bool, is_revoked: bool) -> None:
    """RFC 7675 section 5.2: by "a valid and authenticated STUN response with error code
    Forbidden (403)"; by no other."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.run(7)
    client.ice.close()
    link.sent.clear()
    server.ice.check_consent(link.now)
    [(_, request, path)] = link.sent
    key = client.ice.local.pwd.encode() if is_signed else None
    server.ice.receive(error_response(request[8:20], code, key), path, link.now)
    assert (server.ice.selected is None) is is_revoked
    assert server.events == (["expired"] if is_revoked else [])
    link.sent.clear()
    link.run(10)
    assert bool(link.sent) is not is_revoked


def test_consent_checks_are_bounded() -> None:
    """However often the caller asks for one."""
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.dead.add(CLIENT)
    for _ in range(1000):
        server.ice.check_consent(link.now)
    # Only the newest may still be answered.
    link.dead.clear()
    answered = 0
    for _, request, path in link.sent[-1000:]:
        response = success_response(
            request[8:20], SERVER, client.ice.local.pwd.encode()
        )
        answered += server.ice.receive(response, path, link.now)
    assert answered == 8


def test_a_timer_may_come_early_or_late() -> None:
    link = Link()
    client, server = pair_up(link)
    connect(link, client, server)
    link.sent.clear()
    for _ in range(100):
        server.ice.handle_timeout(link.now)
    assert not link.sent
    server.ice.handle_timeout(link.now + 29)
    assert server.ice.selected is not None
    assert len(link.sent) == 1
    server.ice.handle_timeout(link.now + 100)
    assert server.events == ["expired"]


# The part of an agent


def watched(rng: random.Random | None = None) -> tuple[Consent, Pair]:
    """Consent for a pair that was answered at 100 s."""
    pair = Pair(Path(SERVER, CLIENT), 1, 1)
    pair.answered_at, pair.consent_until = 100, 130
    consent = Consent(rng or random.Random(1))
    consent.follow(pair)
    return consent, pair


def other_pair(answered_at: float) -> Pair:
    pair = Pair(Path(SERVER, ("192.0.2.2", 5000)), 1, 1)
    pair.answered_at = answered_at
    return pair


def test_nothing_is_watched_before_there_is_a_pair() -> None:
    consent = Consent(random.Random(1))
    assert consent.deadline == float("inf")
    consent.doubt(1000)
    assert not consent.is_expired(1000)
    assert not consent.is_check_due(1000)
    assert not consent.is_dead_beside(other_pair(1000))
    consent, _ = watched()
    consent.stop()
    assert consent.deadline == float("inf")
    assert not consent.is_check_due(1000)


def test_a_pair_that_lives_is_not_doubted() -> None:
    consent, pair = watched()
    at = consent.deadline
    consent.doubt(100.9)
    assert consent.deadline == at
    pair.requested_at = 102.5
    consent.doubt(103)
    assert consent.deadline == at
    consent.doubt(103.6)
    assert consent.deadline == 103.6


def test_a_doubted_pair_is_checked_in_quick_succession() -> None:
    """Until it is answered."""
    consent, pair = watched()
    consent.doubt(103)
    times = []
    for _ in range(3):
        times.append(consent.deadline)
        assert consent.is_check_due(times[-1])
        consent.checked(times[-1])
        consent.doubt(times[-1] + 0.1)
    assert times == [103, 104, 105]
    pair.answered_at, pair.consent_until = 105.5, 135.5
    consent.answered()
    assert consent.deadline >= 109.5
    consent.checked(consent.deadline)
    assert consent.deadline >= 113.5


def test_when_a_pair_is_dead_beside_another() -> None:
    """Three checks in vain, no check of the peer's, and the other answered since."""
    consent, pair = watched()
    consent.doubt(103)
    for n in range(3):
        assert not consent.is_dead_beside(other_pair(104))
        consent.checked(103 + n)
    assert consent.is_dead_beside(other_pair(103))
    assert not consent.is_dead_beside(other_pair(102.9))
    pair.requested_at = 104
    assert not consent.is_dead_beside(other_pair(103))
