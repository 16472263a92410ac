"""The checker: a right server keeps every rule, each wrong one breaks its own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import ClassVar

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from yarl import URL

from tests.conformance import page
from tests.conformance.wrong import FAULTS, Fault
from tests.conformance.wrong.server import TOKEN, Asked, Reply, serving
from tests.server import ROOT, free_port
from whipbird.app import create_app
from whipbird.check import (
    WHEP,
    WHIP,
    Level,
    NoResponse,
    NotWhip,
    Options,
    Outcome,
    Protocol,
    Result,
    Rule,
    check,
    checks,
    client,
    greeting,
    restart,
    select,
)
from whipbird.check.endpoint import Endpoint
from whipbird.check.rule import Failed
from whipbird.check.rules import restart as restart_rules
from whipbird.check.rules import security, teardown, trickle
from whipbird.config import Settings
from whipbird.media.feedback import Feedback
from whipbird.media.track import Track
from whipbird.transport.peer_transport import PeerTransport
from whipbird.transport.stun import StunMessage

OPTIONS = Options(token=TOKEN, timeout=16.0)


# Seconds for a run of all rules, some of which wait.
WHOLE_RUN_LIMIT = 240.0


@pytest.fixture(scope="module", autouse=True)
def whole_run() -> Iterator["subprocess.Popen[bytes]"]:
    """A run of all rules, by processes as users start them.

    It mostly waits, so it does that while the tests of this module run.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.page", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def reports(whole_run: "subprocess.Popen[bytes]") -> page.Reports:
    """The results of the whole run."""
    output, _ = whole_run.communicate(timeout=WHOLE_RUN_LIMIT)
    reports: page.Reports = json.loads(output)
    return reports


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for what comes, on a busy machine, and less for what does not."""
    monkeypatch.setattr(checks, "CHECK_LIMIT", 10.0)
    monkeypatch.setattr(greeting, "SECOND_POST_LIMIT", 1.0)
    monkeypatch.setattr(restart, "REPLACED_LIMIT", 0.3)
    monkeypatch.setattr(teardown, "NOTIFY_LIMIT", 10.0)
    monkeypatch.setattr(teardown, "SETTLE", 0.5)
    monkeypatch.setattr(trickle, "DELAY_LIMIT", 10.0)


def rules_for(fault: type[Fault]) -> list[Rule]:
    """The rules to try on a server: those of the sections that the fault is about."""
    if fault.tries:
        names = [*fault.tries, *fault.breaks]
    else:
        names = sorted({rule.section for rule in select([*fault.breaks])})
    # They wait for reports; they have tests of their own.
    waiting = ("bundle-media", "bundle-mid")
    return [rule for rule in quick(select(names)) if rule.id not in waiting]


def quick(rules: Iterable[Rule]) -> list[Rule]:
    """The rules that neither wait for half a minute nor flood the server."""
    return [rule for rule in rules if not rule.slow and not rule.flood]


def ids(results: Iterable[Result], outcome: Outcome) -> set[str]:
    return {result.rule.id for result in results if result.outcome is outcome}


def explained(results: Iterable[Result]) -> str:
    """The message of a failed test."""
    return "\n".join(
        f"{result.rule.id} {result.outcome}: {result.note}"
        for result in results
        if result.outcome is not Outcome.PASSED
    )


def test_every_rule_can_be_broken() -> None:
    """There is a planted fault for each rule that has to be kept, or another test."""
    elsewhere = {
        *("consent-checks", "consent-expiry", "restart-consent"),  # need a minute
        *("bundle-media", "bundle-mid", "stun-mismatch", "delete-revokes"),  # below
        "https",  # below
        *("full-ice", "trickle", "restart"),  # have no wrong, only an absent
        "extensions-optional",  # breaks when nothing connects
    }
    planted = set().union(*(fault.breaks for fault in FAULTS.values()))
    wanted = {rule.id for rule in select([]) if rule.level is not Level.MAY}
    assert wanted - planted - elsewhere == set()


async def test_a_right_server_keeps_every_rule() -> None:
    """The proxy by itself breaks nothing."""
    async with serving(Fault) as url:
        results = await check(url, quick(select([])), OPTIONS)
    assert ids(results, Outcome.FAILED) | ids(results, Outcome.SKIPPED) == set(), (
        explained(results)
    )


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"NoLimits"}))
async def test_fault(name: str) -> None:
    """A server breaks the rules that it breaks, and the checker sees no others."""
    fault = FAULTS[name]
    async with serving(fault) as url:
        results = await check(url, rules_for(fault), OPTIONS)
    assert ids(results, Outcome.FAILED) == set(fault.breaks), explained(results)
    assert set(fault.absent) <= ids(results, Outcome.ABSENT), explained(results)


async def test_limits_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 5: endpoints should limit the rates of POST, PATCH and DELETE."""
    monkeypatch.setattr(security, "MAX_FLOOD", 100)
    fault = FAULTS["NoLimits"]
    async with serving(fault) as url:
        results = await check(
            url, select([*fault.breaks]), Options(token=TOKEN, flood=True)
        )
    assert ids(results, Outcome.FAILED) == set(fault.breaks)


async def test_limits_that_are_there() -> None:
    """... and it takes no more requests than needed to see that they do."""

    class Limited(Fault):
        settings: ClassVar = {"post_rate": 60, "patch_rate": 60, "delete_rate": 60}

    async with serving(Limited) as url:
        results = await check(
            url, select(["post-rate", "patch-rate"]), Options(token=TOKEN, flood=True)
        )
    assert ids(results, Outcome.PASSED) == {"post-rate", "patch-rate"}


async def test_floods_are_asked_for() -> None:
    """Nobody is flooded without having said so."""
    async with serving(Fault) as url:
        results = await check(url, select(["post-rate"]), OPTIONS)
    assert [(r.outcome, r.note) for r in results] == [("skipped", "needs --flood")]


async def test_without_a_token_authentication_is_skipped() -> None:
    async with serving(FAULTS["NoTokenNeeded"]) as url:
        results = await check(url, select(["4.7"]), Options(timeout=2.0))
    assert {(r.outcome, r.note) for r in results} == {("skipped", "needs --token")}


async def test_a_server_that_does_not_say_good_bye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Section 4.2: consent is revoked at once, not only by silence."""
    close = PeerTransport.close

    def abrupt(self: PeerTransport, now: float) -> None:
        if self.dtls.is_client:
            close(self, now)
        else:
            self.abandon()

    monkeypatch.setattr(PeerTransport, "close", abrupt)
    await expect_failures("delete-revokes", of=("4.2",))


async def test_a_server_that_answers_any_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Section 4.3.3: STUN requests with invalid ICE information are dropped."""
    monkeypatch.setattr(StunMessage, "is_authentic", lambda *_: True)
    await expect_failures("stun-mismatch", of=("stun-mismatch", "restart-connects"))


async def test_a_server_that_hears_audio_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 4.4.1: media multiplexed in a bundle is received, all of it."""
    monkeypatch.setattr(client, "REPORT_TIMEOUT", 2.5)
    receive = Track._receive

    def deaf(self: Track, packet: bytes) -> None:
        if self.kind == "audio":
            receive(self, packet)

    monkeypatch.setattr(Track, "_receive", deaf)
    await expect_failures("bundle-media", of=("bundle-media", "post-connects"))


async def test_a_server_that_finds_media_by_ssrc_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Section 4.4.1: by RFC 9143 the mid is enough. Many servers are like that."""
    monkeypatch.setattr(client, "REPORT_TIMEOUT", 2.5)
    receive = Track._receive

    class NeedsSources(Fault):
        is_deaf = False

        def request(self, asked: Asked) -> Reply | None:
            if asked.method == "POST":
                type(self).is_deaf = "a=ssrc:" not in asked.body
            return None

    def hear(self: Track, packet: bytes) -> None:
        if not NeedsSources.is_deaf:
            receive(self, packet)

    monkeypatch.setattr(Track, "_receive", hear)
    rules = ("bundle-media", "bundle-mid", "post-connects", "restart-media")
    await expect_failures("bundle-mid", of=rules, fault=NeedsSources)


async def test_a_server_without_receiver_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are not what WHIP is about."""
    monkeypatch.setattr(client, "REPORT_TIMEOUT", 0.2)
    monkeypatch.setattr(Feedback, "_reports", lambda *_: [])
    async with serving(Fault) as url:
        [result] = await check(url, select(["bundle-media"]), OPTIONS)
    assert (result.outcome, result.note) == (
        "passed",
        "connected; the server sends no receiver reports",
    )


async def test_a_server_without_consent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 4.2: a full ICE server asks for consent. (Ours does, but not so soon.)"""
    monkeypatch.setattr(teardown, "CONSENT_CHECK_LIMIT", 0.5)
    await expect_failures("consent-checks", of=("consent-checks",))


async def test_a_server_that_notices_nothing() -> None:
    """Section 4.2: consent freshness ends sessions. (Ours does, but not so soon.)"""
    options = Options(token=TOKEN, consent_limit=1.0)
    async with serving(Fault) as url:
        [result] = await check(url, select(["consent-expiry"]), options)
    assert (result.outcome, result.is_breach) == ("failed", True)


async def test_a_server_that_keeps_failed_restarts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Section 4.3.3: a failed restart ends when consent expires. (As above.)"""
    monkeypatch.setattr(restart_rules, "RESTART_ALLOWANCE", 0.0)
    options = Options(token=TOKEN, consent_limit=1.0)
    async with serving(Fault) as url:
        [result] = await check(url, select(["restart-consent"]), options)
    assert (result.outcome, result.is_breach) == ("failed", True)


async def test_plain_http_across_a_network() -> None:
    """Section 5: HTTPS is used."""
    endpoint = Endpoint(URL("http://192.0.2.1/whip/live"), OPTIONS)
    try:
        with pytest.raises(Failed, match="is not HTTPS"):
            await security.https(endpoint)
    finally:
        await endpoint.close()


async def expect_failures(
    *failures: str, of: tuple[str, ...], fault: type[Fault] = Fault
) -> None:
    """A server like the one in this process breaks just these of the rules."""
    async with serving(fault) as url:
        rules = [r for r in select([*of]) if not r.slow or r.id in failures]
        results = await check(url, rules, OPTIONS)
    assert ids(results, Outcome.FAILED) == set(failures), explained(results)


async def test_no_session_is_left() -> None:
    """Every session is ended, and so is every one when the checker is stopped."""
    async with TestServer(create_app(Settings())) as server, ClientSession() as http:
        url = server.make_url("/whip/live")

        async def opened() -> tuple[int, int]:
            async with http.get(server.make_url("/api/status")) as response:
                sessions = (await response.json())["sessions"]
                return sessions["total"], sessions["open"]

        await check(url, quick(select(["4.2", "4.3"])), Options(timeout=12.0))
        total, left = await opened()
        assert total > 10
        assert left == 0

        checking = asyncio.create_task(check(url, select(["consent-expiry"])))
        while (await opened())[1] == 0:  # noqa: ASYNC110 - no event of the server's
            await asyncio.sleep(0.01)
        checking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await checking
        more, left = await opened()
        assert more > total
        assert left == 0


@pytest.mark.expects_fault
async def test_a_fault_of_the_checker_is_not_the_servers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_endpoint: Endpoint) -> None:
        raise RuntimeError("oops")

    rule = Rule("broken", "4.1", Level.MUST, "It cannot be tried.", broken)
    async with serving(Fault) as url:
        results = await check(url, [rule, *select(["get-endpoint"])], OPTIONS)
    assert [r.outcome for r in results] == [Outcome.SKIPPED, Outcome.PASSED]
    assert results[0].note == "the checker failed: RuntimeError('oops')"
    assert "The rule broken could not be tried" in caplog.text


async def test_a_server_that_hangs_up() -> None:
    """No response is a failure of the server's, of the rule that wants one."""

    class HangsUp(Fault):
        async def handle(self, asked: Asked) -> Reply:
            if asked.method == "HEAD":
                await asyncio.sleep(10)
            return await super().handle(asked)

    async with serving(HangsUp) as url:
        results = await check(
            url, select(["head", "get-endpoint"]), Options(token=TOKEN, timeout=0.5)
        )
    assert [r.outcome for r in results] == [Outcome.PASSED, Outcome.FAILED]
    assert "no response within 0.5 seconds" in results[1].note


@pytest.mark.parametrize(
    ("path", "token", "reason"),
    [
        ("/healthz", TOKEN, "405 Method Not Allowed; is this the URL of a WHIP"),
        ("/nothing/here", TOKEN, "404 Not Found; is this the URL of a WHIP"),
        ("/whip/live", None, "401 Unauthorized; it needs a --token"),
        ("/whip/live", "wrong", "401 Unauthorized; it needs another --token"),
    ],
)
async def test_what_cannot_be_tested(path: str, token: str | None, reason: str) -> None:
    """One line says why."""
    async with serving(Fault) as url:
        with pytest.raises(NotWhip, match=re.escape(reason)):
            await check(url.with_path(path), select(["4.1"]), Options(token=token))


async def test_nobody_is_there() -> None:
    url = URL(f"http://127.0.0.1:{free_port()}/whip/live")
    with pytest.raises(NoResponse, match=r"127\.0\.0\.1 port .*refused"):
        await check(url, select(["4.1"]))


# docs/conformance.md

_of_the_whole_run = pytest.mark.timeout(WHOLE_RUN_LIMIT + 30)


@_of_the_whole_run
@pytest.mark.parametrize("protocol", page.PROTOCOLS, ids=lambda each: each.name)
def test_every_must_and_should_is_kept(
    reports: page.Reports, protocol: Protocol
) -> None:
    """None is broken, and none is skipped."""
    results = page.results_of(reports, protocol)
    bad = [
        (result.rule.id, result.note)
        for result in results
        if result.outcome in (Outcome.FAILED, Outcome.SKIPPED)
    ]
    assert bad == []
    assert reports[protocol.name]["conforms"]
    assert sum(r.outcome is Outcome.PASSED for r in results) > 80


@_of_the_whole_run
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        # Both trickle ICE and restarts are supported; no extension yet.
        pytest.param(
            WHIP, {"patch-422", "extension-links", "extension-urns"}, id="WHIP"
        ),
        pytest.param(WHEP, {"patch-422"}, id="WHEP"),
    ],
)
def test_what_is_absent_is_optional(
    reports: page.Reports, protocol: Protocol, expected: set[str]
) -> None:
    """... or has nothing to apply to, of which there is little."""
    absent = {
        result.rule.id
        for result in page.results_of(reports, protocol)
        if result.outcome is Outcome.ABSENT and result.rule.level is not Level.MAY
    }
    assert absent == expected


@_of_the_whole_run
def test_the_page_is_up_to_date(reports: page.Reports) -> None:
    """If this fails: ``make conformance``."""
    assert page.PATH.read_text(encoding="utf-8") == page.page(reports)
