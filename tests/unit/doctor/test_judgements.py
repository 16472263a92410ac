"""What the doctor says of what it has seen; no network."""

import errno
import socket
from datetime import UTC, datetime, timedelta

import pytest
from yarl import URL

from whipbird.client import WhipError
from whipbird.doctor import (
    certificate,
    connection,
    cors,
    names,
    nat,
    offered,
    paths,
    requests,
    session,
    turn,
)
from whipbird.doctor.finding import Finding, State, failed, ok, skipped, warning
from whipbird.doctor.paths import Outcome
from whipbird.doctor.prober import Reply
from whipbird.doctor.report import as_json, as_line, has_failed
from whipbird.doctor.subject import Mapping
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.link import IceServer
from whipbird.transport.turn import TurnError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PUBLIC, OTHER, PRIVATE = "203.0.113.5", "198.51.100.7", "10.0.0.2"


def expect(finding: Finding, state: State, *words: str) -> None:
    text = f"{finding.text} {finding.advice}"
    assert finding.state is state, text
    for each in words:
        assert each in text
    # Whoever reads of a problem reads what to do.
    assert bool(finding.advice) is (state in (State.WARNING, State.FAILED))


# Names and TCP


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "?"), "there is no host named cam.test"),
        (socket.gaierror(socket.EAI_AGAIN, "?"), "no name server answers"),
        (TimeoutError(), "no name server answers"),
    ],
)
def test_names(error: Exception, words: str) -> None:
    expect(names.judge_failure("cam.test", error), State.FAILED, words)


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
NO_ROUTE = OSError(errno.ENETUNREACH, "unreachable")


@pytest.mark.parametrize(
    ("outcomes", "state", "words"),
    [
        ({PUBLIC: None}, State.OK, "port 8080 of 203.0.113.5 is open"),
        ({PUBLIC: REFUSED}, State.FAILED, "Nothing listens on port 8080"),
        ({PUBLIC: TimeoutError()}, State.FAILED, "A firewall on the way drops it"),
        (
            {PUBLIC: None, "2001:db8::1": TimeoutError()},
            State.WARNING,
            "but 2001:db8::1 does not answer",
        ),
        (
            {PUBLIC: None, "2001:db8::1": NO_ROUTE},
            State.OK,
            "this machine has no way to 2001:db8::1",
        ),
        ({"2001:db8::1": NO_ROUTE}, State.FAILED, "Is this machine connected"),
        ({"::1": REFUSED, "127.0.0.1": None}, State.OK, "8080 of 127.0.0.1 is open"),
    ],
)
def test_tcp(outcomes: dict[str, Exception | None], state: State, words: str) -> None:
    expect(connection.judge(outcomes, 8080), state, words)


# TLS


def facts(
    *names_: str, begins: int = -1, ends: int = 90, self_signed: bool = False
) -> certificate.Facts:
    return certificate.Facts(
        b"\xab" * 32, NOW + begins * DAY, NOW + ends * DAY, names_, self_signed
    )


@pytest.mark.parametrize(
    ("given", "problem", "state", "words"),
    [
        (facts("cam.test"), None, State.OK, "valid until 2026-08-30"),
        (facts("cam.test", ends=3), None, State.WARNING, "for another 3 days"),
        (facts("cam.test", ends=-1), "expired", State.FAILED, "has expired on 2026-05"),
        (facts("cam.test", begins=1), "early", State.FAILED, "not valid before"),
        (
            facts("a.test", "b.test"),
            "?",
            State.FAILED,
            "is for a.test, b.test, and",
        ),
        (facts("*.test"), "no issuer", State.FAILED, "is not trusted: no issuer"),
        (facts("*.cam.test"), "?", State.FAILED, "is for *.cam.test, and not for"),
        (facts("cam.test", self_signed=True), "?", State.FAILED, "SHA-256 AB:AB:"),
    ],
)
def test_certificates(
    given: certificate.Facts, problem: str | None, state: State, words: str
) -> None:
    expect(certificate.judge(given, problem, "cam.test", NOW), state, words)


def test_certificates_by_their_digest() -> None:
    given = facts("localhost", self_signed=True)
    judge = certificate.judge
    good = judge(given, "self-signed", "10.0.0.2", NOW, b"\xab" * 32)
    expect(good, State.OK, "the one of --tls-fingerprint")
    bad = judge(given, "self-signed", "10.0.0.2", NOW, bytes(32))
    expect(bad, State.FAILED, "its SHA-256 digest is AB:")


@pytest.mark.parametrize(
    ("host", "addresses", "state", "words"),
    [
        ("localhost", ["127.0.0.1"], State.SKIPPED, "on this machine"),
        ("10.0.0.2", ["10.0.0.2"], State.WARNING, "--tls-self-signed"),
        ("cam.test", [PUBLIC], State.WARNING, "--tls-cert"),
    ],
)
def test_plain_http(host: str, addresses: list[str], state: State, words: str) -> None:
    expect(certificate.judge_plain(host, addresses), state, words)


# HTTP


@pytest.mark.parametrize(
    ("page", "endpoint"),
    [
        ("http://cam.test", "http://cam.test/whip/test"),
        ("http://cam.test/", "http://cam.test/whip/test"),
        ("http://cam.test/?theme=dark#watch/a", "http://cam.test/whip/test"),
        ("https://cam.test:8443/watch/live", "https://cam.test:8443/whip/test"),
        ("https://cam.test/webrtc/", "https://cam.test/webrtc/whip/test"),
        ("https://cam.test/webrtc/embed/a", "https://cam.test/webrtc/whip/test"),
        ("https://cam.test/index.html", "https://cam.test/whip/test"),
    ],
)
def test_the_endpoint_of_a_page(page: str, endpoint: str) -> None:
    assert str(requests.endpoint_of_page(URL(page))) == endpoint


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (200, State.OK, "Whipbird answers"),
        (405, State.OK, "the endpoint is http://cam.test/whip/a"),
        (502, State.FAILED, "it does not reach the server"),
        (500, State.WARNING, "GET is answered with 500"),
        (421, State.FAILED, "does not know the name cam.test"),
    ],
)
def test_statuses(status: int, state: State, words: str) -> None:
    url = URL("http://cam.test/whip/a")
    expect(requests.judge_status(status, True, url), state, words)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (405, {}, "OPTIONS is answered with 405"),
        (301, {}, "OPTIONS is redirected"),
        (204, {}, "no Access-Control-Allow-Origin"),
        (204, {"Access-Control-Allow-Origin": "https://a.test"}, "only https://a.test"),
        (
            204,
            {
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Headers": "*",
            },
            "pages may not send authorization",
        ),
    ],
)
def test_cors(status: int, headers: dict[str, str], words: str) -> None:
    wanted = ["content-type", "authorization"]
    expect(cors.judge(status, headers, wanted), State.WARNING, words)


def test_cors_that_is_as_it_should_be() -> None:
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "Content-Type, If-Match",
    }
    expect(cors.judge(204, headers, ["content-type"]), State.OK)


@pytest.mark.parametrize(
    ("status", "has_token", "words"),
    [
        (None, False, "does the server run?"),
        (401, False, "Give one with --token-file"),
        (401, True, "Is it the right token"),
        (403, True, "has no right to publish"),
        (404, False, "Is this the URL of a WHIP endpoint?"),
        (409, False, "Somebody else publishes"),
        (421, False, "allowed_hosts"),
        (429, False, "Wait"),
        (502, False, "A proxy does not reach the server"),
        (503, False, "It is full"),
        (301, False, "redirect with 308"),
        (500, False, "See the log"),
    ],
)
def test_refusals(status: int | None, has_token: bool, words: str) -> None:
    error = WhipError("Refused", "so it is", status)
    expect(session.judge_refusal(error, has_token=has_token), State.FAILED, words)


# Addresses


def candidates(*addresses: str) -> list[Candidate]:
    return [Candidate("1", 1, "udp", 1, address, 8080, "host") for address in addresses]


@pytest.mark.parametrize(
    ("addresses", "hosts", "state", "words"),
    [
        ([PUBLIC], [PUBLIC], State.OK, "the server offers 203.0.113.5"),
        ([PRIVATE], [PRIVATE], State.OK, "10.0.0.2"),
        (["127.0.0.1"], ["127.0.0.1"], State.OK, "127.0.0.1"),
        ([], [PUBLIC], State.FAILED, "has no address to connect to"),
        (["a.local"], [PUBLIC], State.FAILED, "has no address to connect to"),
        (["127.0.0.1", "::1"], [PRIVATE], State.FAILED, "loopback address only"),
        ([PRIVATE, "fd00::1"], [PUBLIC], State.FAILED, "private addresses only"),
        (["100.64.0.1"], [PUBLIC], State.FAILED, "--public-address"),
        ([PUBLIC], [PUBLIC, "2001:db8::1"], State.WARNING, "no IPv6 address"),
        (["2001:db8::1"], [PUBLIC], State.WARNING, "no IPv4 address"),
        ([PUBLIC], [PUBLIC, "::1"], State.OK, "203.0.113.5"),
    ],
)
def test_offered_addresses(
    addresses: list[str], hosts: list[str], state: State, words: str
) -> None:
    expect(offered.judge(candidates(*addresses), hosts), state, words)


def heard(address: str, source: str = "") -> Outcome:
    where = (address, 8080)
    return Outcome(where, Reply((source or address, 8080), None, 0.012))


def silent(address: str, *, no_way: bool = False) -> Outcome:
    return Outcome((address, 8080), no_way=no_way)


@pytest.mark.parametrize(
    ("outcomes", "state", "words"),
    [
        ([heard(PUBLIC)], State.OK, "203.0.113.5 port 8080 answers after 12.0 ms"),
        ([heard(PUBLIC), silent(PRIVATE)], State.OK, "answers after"),
        (
            [heard(PRIVATE), silent(PUBLIC)],
            State.WARNING,
            "nothing comes back from",
        ),
        ([silent(PUBLIC)], State.FAILED, "nothing came back from UDP port 8080"),
        ([silent(OTHER)], State.FAILED, "is --public-address right"),
        (
            [silent("2001:db8::1", no_way=True)],
            State.FAILED,
            "has no way to 2001:",
        ),
        ([heard(PUBLIC, OTHER)], State.WARNING, "answers from another address, 198."),
        ([], State.FAILED, "offers no UDP candidate"),
    ],
)
def test_udp(outcomes: list[Outcome], state: State, words: str) -> None:
    expect(paths.judge_udp(outcomes, [PUBLIC]), state, words)


@pytest.mark.parametrize(
    ("outcomes", "udp_answers", "state", "words"),
    [
        ([], True, State.SKIPPED, "no TCP candidate"),
        ([heard(PUBLIC)], False, State.OK, "answers after"),
        (
            [Outcome((PUBLIC, 80), reason="refuses")],
            True,
            State.WARNING,
            "203.0.113.5 port 80 refuses",
        ),
        (
            [Outcome((PUBLIC, 80), reason="refuses")],
            False,
            State.FAILED,
            "Open the TCP",
        ),
    ],
)
def test_ice_tcp(
    outcomes: list[Outcome], udp_answers: bool, state: State, words: str
) -> None:
    expect(paths.judge_tcp(outcomes, udp_answers=udp_answers), state, words)


@pytest.mark.parametrize(
    ("udp", "tcp", "words"),
    [
        (True, True, "ICE or DTLS fails"),
        (False, True, "Browsers connect over TCP here"),
        (False, False, "add TURN"),
    ],
)
def test_no_connection(udp: bool, tcp: bool, words: str) -> None:
    error = WhipError("No connection", "it was not established within 5 seconds")
    expect(session.judge_connection(error, udp, tcp), State.FAILED, words)


def test_a_server_without_an_echo_is_no_failure() -> None:
    error = WhipError("No data channel", "the server closed it")
    expect(session.judge_channel(error, is_whipbird=False), State.SKIPPED)
    expect(session.judge_channel(error, is_whipbird=True), State.FAILED)
    expect(session.judge_silence(is_whipbird=False), State.OK, "has no echo")
    expect(session.judge_silence(is_whipbird=True), State.WARNING, "whipbird ping")


# NAT and TURN

LOCAL = (PRIVATE, 4000)


def mapping(server: str, seen: tuple[str, int], port: int = 3478) -> Mapping:
    return Mapping((server, port), LOCAL, seen)


@pytest.mark.parametrize(
    ("mappings", "state", "words"),
    [
        ([], State.SKIPPED, "no server outside"),
        ([mapping("10.0.0.9", LOCAL)], State.OK, "no NAT between"),
        ([mapping(PUBLIC, LOCAL)], State.OK, "none: this machine is seen at 10.0.0.2"),
        ([mapping(PUBLIC, (OTHER, 4000))], State.OK, "one answer does not tell"),
        (
            [mapping(PUBLIC, (OTHER, 5000)), mapping("192.0.2.1", (OTHER, 5000))],
            State.OK,
            "at the same port by 2 servers",
        ),
        (
            [mapping(PUBLIC, (OTHER, 5000)), mapping(PUBLIC, (OTHER, 5001), 8080)],
            State.WARNING,
            "symmetric: 10.0.0.2 port 4000 is seen at 198.51.100.7 port 5000 and",
        ),
    ],
)
def test_nat(mappings: list[Mapping], state: State, words: str) -> None:
    expect(nat.judge(mappings, [PRIVATE, "127.0.0.1"]), state, words)


SERVER = IceServer("turn:turn.test", f"{int(NOW.timestamp())}:a", "secret")


@pytest.mark.parametrize(
    ("code", "later", "words"),
    [
        (401, -60, "compare --turn-secret"),
        (401, 60, "they were valid until 2026-06-01 00:00:00 UTC"),
        (486, 0, "It is full"),
        (403, 0, "refuses to relay: Because (403)"),
        (0, 0, "cannot be reached: Because"),
    ],
)
def test_turn_servers_that_refuse(code: int, later: int, words: str) -> None:
    now = NOW.timestamp() + later
    finding = turn.judge_refusal(SERVER, TurnError(code, "Because"), now)
    expect(finding, State.FAILED, words)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "it does not answer. Does it run"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "?"), "there is no host named turn.test"),
    ],
)
def test_turn_servers_that_are_not_there(error: Exception, words: str) -> None:
    finding = turn.judge_unreachable(SERVER, error)
    expect(finding, State.FAILED, "UDP port 3478")
    assert words in as_line(finding, colour=False)


def test_turn_servers_that_do_not_reach_the_server() -> None:
    judge = turn.judge_relay
    expect(judge(SERVER, 0.1, (PUBLIC, 80), "it refuses"), State.FAILED, "it refuses")
    expect(judge(SERVER, 0.1, (PUBLIC, 80), None), State.OK, "reaches 203.0.113.5")


def test_stun_servers() -> None:
    server = IceServer("stun:stun.test")
    expect(turn.judge_stun(server, True), State.OK)
    expect(turn.judge_stun(server, False), State.WARNING, "does not answer")


def test_relays_try_public_addresses_and_ipv4_first() -> None:
    found = candidates("fd00::1", PRIVATE, "2001:db8::1", PUBLIC)
    assert turn.target_of(found) == (PUBLIC, 8080)
    assert turn.target_of(found[:3]) == ("2001:db8::1", 8080)
    assert turn.target_of([]) is None


# The report


def test_the_report() -> None:
    findings = [
        ok("DNS", "a is b"),
        warning("CORS", "no", "See x."),
        skipped("TURN", "none"),
    ]
    assert [as_line(finding, colour=False) for finding in findings] == [
        "ok       DNS         a is b",
        "warning  CORS        no. See x.",
        "skipped  TURN        none",
    ]
    assert as_line(findings[1], colour=True).startswith("\033[33mwarning")
    assert not has_failed(findings)
    findings.append(failed("UDP", "silent", "Open it."))
    assert has_failed(findings)
    found = as_json("http://a", findings)
    assert found["ok"] is False
    assert found["checks"][-1] == {
        "check": "UDP",
        "state": "failed",
        "text": "silent",
        "advice": "Open it.",
    }
