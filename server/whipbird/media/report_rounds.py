"""Sender reports to all viewers, once a second, in few turns of the event loop.

Viewers that share a turn share what it costs to wake up, and the compiled packet path
sends all their reports with one call.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from ..rtp.ntp import ntp_now
from ..rtp.rewriter import Rewriting

# Seconds between the sender reports of a viewer, and turns in that time.
REPORT_INTERVAL = 1.0
TURNS = 20

DueReport = tuple[Rewriting, int, bytes]
"""The RTP stream that is reported on, the RTP timestamp of this moment in it, and the
RTCP packets that follow the report."""

SendReports = Callable[[Sequence[DueReport], int], Sequence[int]]
"""``Native.send_reports``."""


class Reporter(Protocol):
    """A viewer that is sent sender reports."""

    def second_passed(self, now: float) -> None:
        """Begin a new second of what is limited, measured or reviewed by the second."""

    def due_reports(self, ntp_timestamp: int, now: float) -> list[DueReport]:
        """The reports of a second, which will be sent at once.

        Args:
            ntp_timestamp: the time that they will say.
        """

    def send_report(self, report: DueReport, ntp_timestamp: int) -> None:
        """Send one of them, if there is a connection (RFC 3550 section 6.4)."""


class ReportRounds:
    """Gives each of many viewers a turn in each second.

    Args:
        send_reports: sends to many viewers with one call; None without the compiled
            packet path.
    """

    def __init__(self, send_reports: SendReports | None = None) -> None:
        self._send_reports = send_reports
        # Those of each turn; turn n of the loop's clock is that of n % TURNS.
        self._turns: list[dict[Reporter, None]] = [{} for _ in range(TURNS)]
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, viewer: Reporter) -> None:
        """Give a viewer a turn: the one with the fewest, as late as possible."""
        now = self._now_turn()
        turn = min(range(now + TURNS, now, -1), key=lambda n: len(self._of(n)))
        self._of(turn)[viewer] = None
        if self._timer is None or turn < self._next:
            self._wait_for(turn)

    def remove(self, viewer: Reporter) -> None:
        """Give a viewer no turn any more."""
        for members in self._turns:
            members.pop(viewer, None)
        if self._timer is not None and not any(self._turns):
            self._timer.cancel()
            self._timer = None

    def _of(self, turn: int) -> dict[Reporter, None]:
        return self._turns[turn % TURNS]

    def _now_turn(self) -> int:
        now = asyncio.get_running_loop().time()
        return math.floor(now * TURNS / REPORT_INTERVAL)

    def _wait_for(self, turn: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = turn
        when = turn * REPORT_INTERVAL / TURNS
        self._timer = asyncio.get_running_loop().call_at(when, self._run)

    def _run(self) -> None:
        """Take the turns that are due, each once, and wait for the next one."""
        first, last = self._next, max(self._next, self._now_turn())
        due = range(max(first, last - TURNS + 1), last + 1)
        members = [viewer for turn in due for viewer in self._of(turn)]
        self._timer = None
        for turn in range(last + 1, last + 1 + TURNS):
            if self._of(turn):
                self._wait_for(turn)
                break
        now = asyncio.get_running_loop().time()
        alive = [viewer for viewer in members if self._second_passed(viewer, now)]
        self._report(alive, now)

    def _second_passed(self, viewer: Reporter, now: float) -> bool:
        """Let a viewer begin a new second; return whether it could.

        A fault in one of them is not to reach the others.
        """
        try:
            viewer.second_passed(now)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "A viewer cannot go on", "exception": error}
            )
            return False
        return True

    def _report(self, members: Sequence[Reporter], now: float) -> None:
        """Send the reports of some viewers, as of one moment."""
        ntp_timestamp = ntp_now()
        reports: list[DueReport] = []
        senders: list[Reporter] = []
        for viewer in members:
            due = viewer.due_reports(ntp_timestamp, now)
            reports += due
            senders += [viewer] * len(due)
        others: Sequence[int] = range(len(reports))
        if self._send_reports is not None and reports:
            others = self._send_reports(reports, ntp_timestamp)
        for number in others:
            senders[number].send_report(reports[number], ntp_timestamp)
