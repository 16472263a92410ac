"""Faults of ours are counted, and logged with their traceback and their session."""

import logging

import pytest

from whipbird.net.faults import FaultLog, place_of

logger = logging.getLogger("whipbird.test")


def _error(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


@pytest.mark.expects_fault
def test_a_fault_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = FaultLog()
    log.report(logger, _error("what went wrong"), {"session": "abc"})
    log.report(logger, _error("what else"))
    first, second = caplog.records
    assert (first.levelno, vars(first)["session"]) == (logging.ERROR, "abc")
    assert "session" not in vars(second)
    assert "what went wrong" in caplog.text
    assert caplog.text.count("Traceback") == 2
    assert log.count == 2


def test_the_place_is_where_it_was_raised() -> None:
    file, line, kind = place_of(_error("a"))
    assert (file, kind) == (__file__, ValueError)
    assert place_of(_error("b")) == (file, line, kind)
    assert place_of(KeyError()) == ("", 0, KeyError)
