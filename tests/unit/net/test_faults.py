"""Faults of ours: one traceback a minute for each place that has one."""

import logging

import pytest

from whipbird.net.faults import INTERVAL, MAX_FAULTS, FaultLog

pytestmark = pytest.mark.expects_fault
logger = logging.getLogger("whipbird.test")


def _error(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def _other() -> Exception:
    try:
        raise KeyError
    except KeyError as error:
        return error


def test_a_fault_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    FaultLog().report(logger, _error("what went wrong"), 0.0)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "what went wrong" in caplog.text
    assert "Traceback" in caplog.text


def test_repetitions_are_counted_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FaultLog()
    for n in range(1000):
        log.report(logger, _error(str(n)), n / 100)
    log.report(logger, _other(), 10.0)
    assert len(caplog.records) == 2
    log.report(logger, _error("again"), INTERVAL)
    assert "999 more like it" in caplog.records[-1].getMessage()
    assert log.count == 1002


def test_what_is_remembered_is_bounded() -> None:
    log = FaultLog()
    for n in range(3 * MAX_FAULTS):
        source = "\n" * n + "raise ValueError"
        try:
            exec(compile(source, "<made up>", "exec"))
        except ValueError as error:
            log.report(logger, error, float(n))
    assert len(log._seen) == MAX_FAULTS
