"""The checker on WHEP endpoints: a right one, each wrong one, and one with a stream."""

import asyncio

import pytest
from click.testing import CliRunner

from tests.conformance.test_check import OPTIONS, explained, ids, quick
from tests.conformance.wrong import WHEP_FAULTS, Fault
from tests.conformance.wrong.server import TOKEN, serving
from whipbird.check import (
    WHEP,
    WHIP,
    Level,
    NotWhip,
    Outcome,
    all_rules,
    check,
    greeting,
    select,
)
from whipbird.check.rules import teardown, whep
from whipbird.cli import main
from whipbird.client import WhipClient
from whipbird.client.publish import Publication
from whipbird.load.repeated import encode_once


class Watched(Fault):
    """A right WHEP endpoint."""

    protocol = WHEP


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for what comes, on a busy machine, and less for what does not."""
    monkeypatch.setattr(greeting, "SECOND_POST_LIMIT", 1.0)
    monkeypatch.setattr(teardown, "NOTIFY_LIMIT", 10.0)
    monkeypatch.setattr(whep, "MEDIA_LIMIT", 0.1)


def test_its_own_rules_can_be_broken() -> None:
    """The others have a fault as rules of WHIP."""
    same = {rule.id for rule in all_rules(WHIP)}
    planted = set().union(*(fault.breaks for fault in WHEP_FAULTS.values()))
    own = {rule.id for rule in all_rules(WHEP) if rule.level is not Level.MAY} - same
    assert own - planted == set()


def test_every_section_has_rules() -> None:
    assert {rule.section for rule in all_rules(WHEP)} == set(WHEP.sections)
    assert not any("WHIP" in rule.text for rule in all_rules(WHEP))


async def test_a_right_server_keeps_every_rule() -> None:
    async with serving(Watched) as url:
        results = await check(url, quick(select([], WHEP)), OPTIONS)
    assert ids(results, Outcome.FAILED) | ids(results, Outcome.SKIPPED) == set(), (
        explained(results)
    )
    optional = {rule.id for rule in all_rules(WHEP) if rule.level is Level.MAY}
    # Trickle ICE and restarts are both supported.
    assert ids(results, Outcome.ABSENT) - optional == {"patch-422"}


@pytest.mark.parametrize("name", sorted(WHEP_FAULTS))
async def test_fault(name: str) -> None:
    """A server breaks the rules that it breaks, and the checker sees no others."""
    fault = WHEP_FAULTS[name]
    async with serving(fault) as url:
        rules = quick(select([*fault.tries, *fault.breaks], WHEP))
        results = await check(url, rules, OPTIONS)
    assert ids(results, Outcome.FAILED) == set(fault.breaks), explained(results)
    assert set(fault.absent) <= ids(results, Outcome.ABSENT), explained(results)


async def test_media_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whep, "MEDIA_LIMIT", 20.0)
    async with serving(Watched) as url:
        publishing = str(url.with_path("/whip/live"))
        async with WhipClient(publishing, token=TOKEN) as client:
            publication = Publication(encode_once(), client)
            await publication.connect()
            sending = asyncio.create_task(publication.run())
            try:
                [result] = await check(url, select(["media-comes"], WHEP), OPTIONS)
            finally:
                sending.cancel()
                await asyncio.wait([sending])
    assert result.outcome is Outcome.PASSED
    assert set(result.note.split(", ")) <= {"audio", "video"}


async def test_nobody_publishes_where_viewers_may_not_wait() -> None:
    class Impatient(Watched):
        settings = {"wait_for_publisher": False}  # noqa: RUF012 - as in Fault

    async with serving(Impatient) as url:
        with pytest.raises(NotWhip, match=r"409 .*; publish a stream there first"):
            await check(url, select(["4.1"], WHEP), OPTIONS)


def test_the_protocol_is_told_by_the_path_or_the_option() -> None:
    for arguments in (["http://x/WHEP/live"], ["--protocol", "whep"]):
        result = CliRunner().invoke(main, ["check", "--list", *arguments])
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == len(all_rules(WHEP))
    result = CliRunner().invoke(main, ["check", "--list", "http://x/whip/live"])
    assert len(result.stdout.splitlines()) == len(all_rules(WHIP))
