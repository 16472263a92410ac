"""Sender reports, and the round trip that answers to them tell (RFC 3550, 6.4.1)."""

import time
from itertools import count

import pytest
from aiortc.rtp import RtcpPacket, RtcpSrPacket

from whipbird.rtc.source_reports import SourceReports
from whipbird.rtp.rtcp import ReportBlock


@pytest.fixture(autouse=True)
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second for each report."""
    seconds = count(1_700_000_000)
    monkeypatch.setattr(time, "time", lambda: next(seconds))


def middle(data: bytes) -> int:
    """What an answer says of the report that it is for."""
    report, _ = RtcpPacket.parse(data)
    assert isinstance(report, RtcpSrPacket)
    return report.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF


def block(last_report: int, delay: float = 0.0) -> ReportBlock:
    return ReportBlock(7, 0, 0, 0, 0, last_report, round(delay * 65536))


def test_the_round_trip() -> None:
    reports = SourceReports(7, "name")
    first = middle(reports.write(0, 1, 1, now=100.0))
    assert reports.last is None
    # The receiver has no report yet.
    reports.received(block(0), now=100.1)
    assert reports.last == block(0)
    assert reports.rtt is None
    # It has kept it for a while.
    reports.received(block(first, 0.25), now=100.75)
    assert reports.rtt == 0.5
    # It is not the last one that was sent.
    reports.write(0, 1, 1, now=101.0)
    reports.received(block(first, 0.75), now=101.0)
    assert reports.rtt == 0.25
    # It tells more than there is.
    reports.received(block(first, 2.0), now=101.5)
    assert reports.rtt == 0.0


def test_reports_that_are_not_ours() -> None:
    reports = SourceReports(7, "name")
    first = middle(reports.write(0, 1, 1, now=100.0))
    reports.received(block(first ^ 1 << 31), now=101.0)
    assert reports.rtt is None
    # It is long past.
    for second in range(101, 120):
        reports.write(0, 1, 1, now=float(second))
    reports.received(block(first), now=120.0)
    assert reports.rtt is None
