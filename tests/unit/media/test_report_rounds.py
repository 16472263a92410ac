"""Turns of many viewers in each second."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.netem.world import World
from whipbird.media.report_rounds import (
    REPORT_INTERVAL,
    TURNS,
    DueReport,
    ReportRounds,
)
from whipbird.rtp.rewriter import Rewriter


@dataclass(eq=False)
class Reporter:
    """Notes when it has a turn, and what it is to send by itself."""

    number: int = 0
    on_turn: Callable[[], None] = lambda: None
    times: list[float] = field(default_factory=list)
    sent: list[DueReport] = field(default_factory=list)

    def second_passed(self, now: float) -> None:
        self.times.append(now)
        self.on_turn()

    def due_reports(self, ntp_timestamp: int, now: float) -> list[DueReport]:
        streams = [Rewriter(self.number, sequence=0, timestamp=0) for _ in range(2)]
        return [(stream, self.number, b"") for stream in streams]

    def send_report(self, report: DueReport, ntp_timestamp: int) -> None:
        self.sent.append(report)


@pytest.mark.virtual_time
async def test_each_has_a_turn_in_each_second(world: World) -> None:
    """They are spread over the second, however they come; who has left has none."""
    rounds, reporters = ReportRounds(), [Reporter(n) for n in range(3 * TURNS)]
    for reporter in reporters:
        rounds.add(reporter)
    await asyncio.sleep(3.5 * REPORT_INTERVAL)
    for reporter in reporters:
        assert len(reporter.times) in (3, 4)
        steps = zip(reporter.times, reporter.times[1:], strict=False)
        assert all(b - a == pytest.approx(REPORT_INTERVAL, abs=0.01) for a, b in steps)
        assert len(reporter.sent) == 2 * len(reporter.times)
    turns = [round(r.times[0] * TURNS / REPORT_INTERVAL) for r in reporters]
    assert {turns.count(turn) for turn in turns} == {3}
    first, *others = reporters
    rounds.remove(first)
    count = len(first.times)
    await asyncio.sleep(2 * REPORT_INTERVAL)
    assert len(first.times) == count
    assert all(len(reporter.times) in (5, 6) for reporter in others)


@pytest.mark.virtual_time
async def test_the_first_turn_of_one(world: World) -> None:
    await asyncio.sleep(0.33)
    rounds, reporter = ReportRounds(), Reporter()
    rounds.add(reporter)
    began = world.now
    await asyncio.sleep(1.5 * REPORT_INTERVAL)
    wait = reporter.times[0] - began
    assert REPORT_INTERVAL * (1 - 1 / TURNS) <= wait <= REPORT_INTERVAL
    rounds.remove(reporter)
    assert rounds._timer is None
    # ... and of one that comes after a pause.
    await asyncio.sleep(10.2)
    rounds.add(reporter)
    await asyncio.sleep(1.5 * REPORT_INTERVAL)
    assert len(reporter.times) == 2


@pytest.mark.virtual_time
async def test_who_leaves_in_its_turn(world: World) -> None:
    rounds, other = ReportRounds(), Reporter()
    leaving = Reporter(on_turn=lambda: rounds.remove(leaving))
    rounds.add(leaving)
    rounds.add(other)
    await asyncio.sleep(2.5 * REPORT_INTERVAL)
    assert len(leaving.times) == 1
    assert len(other.times) in (2, 3)


@pytest.mark.virtual_time
async def test_a_fault_does_not_reach_the_others(world: World) -> None:
    def fail() -> None:
        raise ValueError("a fault")

    found: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: found.append(context["exception"]))
    rounds = ReportRounds()
    broken, other = Reporter(on_turn=fail), Reporter()
    # Both have the same turn.
    for reporter in (broken, *(Reporter() for _ in range(TURNS - 1)), other):
        rounds.add(reporter)
    await asyncio.sleep(2.2 * REPORT_INTERVAL)
    assert len(found) == len(broken.times) >= 2
    assert len(other.times) >= 2
    assert broken.sent == []
    assert len(other.sent) == 2 * len(other.times)


@pytest.mark.virtual_time
async def test_reports_are_sent_with_one_call(world: World) -> None:
    """What that does not send, the viewer sends by itself."""
    calls: list[list[int]] = []

    def send_reports(reports: object, _ntp: int) -> list[int]:
        assert isinstance(reports, list)
        calls.append([report[1] for report in reports])
        return [n for n, report in enumerate(reports) if report[1] == 0]

    rounds = ReportRounds(send_reports)
    reporters = [Reporter(n) for n in range(2 * TURNS)]
    for reporter in reporters:
        rounds.add(reporter)
    await asyncio.sleep(REPORT_INTERVAL)
    assert len(calls) == TURNS
    assert sorted(n for call in calls for n in call) == sorted([*range(2 * TURNS)] * 2)
    assert [len(reporter.sent) for reporter in reporters] == [2] + [0] * (2 * TURNS - 1)
