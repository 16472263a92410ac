"""The log of a command."""

import io
import json
import logging
import sys

import pytest

from whipbird.cli.logs import (
    LIMIT_OF_OTHERS,
    LIMIT_OF_PROBLEMS,
    MAX_KINDS,
    PERIOD,
    JsonFormatter,
    TextFormatter,
    ThrottledHandler,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Log:
    """A logger with one throttled handler."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.clock = Clock()
        self.stream = io.StringIO()
        self.handler = ThrottledHandler(self.stream, self.clock)
        self.handler.setFormatter(formatter)
        self.logger = logging.Logger("whipbird.test", logging.DEBUG)
        self.logger.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def log() -> Log:
    return Log(logging.Formatter("%(levelname)s %(message)s"))


def test_what_is_alike_is_not_logged_without_end(log: Log) -> None:
    for number in range(1000):
        log.logger.warning("Packet %d is wrong", number)
    assert len(log.lines) == LIMIT_OF_PROBLEMS
    log.clock.now = PERIOD
    log.logger.info("Something else")
    assert log.lines[LIMIT_OF_PROBLEMS:] == [
        f"WARNING {1000 - LIMIT_OF_PROBLEMS} more like it in 10 s: Packet %d is wrong",
        "INFO Something else",
    ]
    log.logger.warning("Packet %d is wrong", 1000)
    assert log.lines[-1] == "WARNING Packet 1000 is wrong"


def test_what_is_different_is_counted_by_itself(log: Log) -> None:
    for _ in range(LIMIT_OF_PROBLEMS + 5):
        log.logger.warning("One")
        log.logger.error("One")
        log.logger.warning("Two")
    assert len(log.lines) == 3 * LIMIT_OF_PROBLEMS


def test_other_levels_have_a_limit_of_their_own(log: Log) -> None:
    for _ in range(LIMIT_OF_OTHERS + 5):
        log.logger.info("Session opened")
    assert len(log.lines) == LIMIT_OF_OTHERS


def test_tracebacks_are_throttled_too(log: Log) -> None:
    for _ in range(50):
        try:
            raise ValueError
        except ValueError:
            log.logger.exception("A fault")
    text = log.stream.getvalue()
    assert text.count("Traceback") == LIMIT_OF_PROBLEMS
    log.handler.close()
    assert (
        log.lines[-1] == f"ERROR {50 - LIMIT_OF_PROBLEMS} more like it in 10 s: A fault"
    )


def test_kinds_that_are_remembered_are_bounded(log: Log) -> None:
    for number in range(MAX_KINDS + 50):
        log.logger.warning(f"Kind {number}")
    assert len(log.handler._kinds) == MAX_KINDS


@pytest.mark.parametrize("text", ["a\nERROR b", "a\r\x1b[31mb", "a\u2028b", "a\x85b"])
def test_nobody_can_write_lines_of_their_own(text: str) -> None:
    log = Log(TextFormatter())
    log.logger.info("Stream %s", text)
    assert len(log.lines) == 1
    assert "\x1b" not in log.lines[0]
    assert log.lines[0].endswith("b")


def test_json() -> None:
    log = Log(JsonFormatter())
    log.logger.info(
        "Session %s\n opened", "abc", extra={"session": "abc", "stream": "live"}
    )
    try:
        raise ValueError("no")
    except ValueError:
        log.logger.exception("A fault")
    first, second = map(json.loads, log.lines)
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "whipbird.test",
        "message": "Session abc\n opened",
        "session": "abc",
        "stream": "live",
    }
    assert second["level"] == "error"
    assert "ValueError: no" in second["exception"]


def test_json_of_what_json_does_not_know() -> None:
    log = Log(JsonFormatter())
    log.logger.info("x", extra={"path": sys.stderr})
    assert "path" in json.loads(log.lines[0])
