"""The log of a command."""

import asyncio
import io
import json
import logging
import sys

import pytest

from whipbird.cli.logs import (
    LIMIT_OF_OTHERS,
    LIMIT_OF_PROBLEMS,
    LIMIT_OF_TRACEBACKS,
    MAX_KINDS,
    PERIOD,
    JsonFormatter,
    TextFormatter,
    ThrottledHandler,
    tell_left_out,
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


def fail(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_tracebacks_are_fewer_and_never_none(log: Log) -> None:
    for number in range(500):
        log.clock.now = number * PERIOD / 100
        log.logger.error("A fault %d", number, exc_info=fail(str(number)))
    text = log.stream.getvalue()
    assert text.count("Traceback") == 5 * LIMIT_OF_TRACEBACKS
    log.handler.close()
    summaries = [line for line in log.lines if "more like it" in line]
    each = f"ERROR {100 - LIMIT_OF_TRACEBACKS} more like it in 10 s: A fault %d"
    assert summaries == [each] * 5


def test_tracebacks_of_one_place_are_alike_whatever_is_said_of_them(log: Log) -> None:
    """As asyncio does it, with the name of the task."""
    for number in range(50):
        message = f"Task exception was never retrieved\nfuture: <Task-{number}>"
        log.logger.error(message, exc_info=fail("x"))
    log.logger.error("Another", exc_info=KeyError("of another place"))
    assert log.stream.getvalue().count("ValueError: x") == LIMIT_OF_TRACEBACKS
    assert "of another place" in log.stream.getvalue()


def test_the_number_is_told_without_another_record(log: Log) -> None:
    for number in range(LIMIT_OF_PROBLEMS + 3):
        log.logger.warning("Packet %d is wrong", number)
    log.handler.tell_left_out()
    assert len(log.lines) == LIMIT_OF_PROBLEMS
    log.clock.now = PERIOD
    log.handler.tell_left_out()
    log.handler.tell_left_out()
    told = log.lines[LIMIT_OF_PROBLEMS:]
    assert told == ["WARNING 3 more like it in 10 s: Packet %d is wrong"]


@pytest.mark.virtual_time
async def test_it_is_told_by_the_clock(log: Log) -> None:
    loop = asyncio.get_running_loop()
    log.handler._clock = loop.time
    root = logging.getLogger()
    root.addHandler(log.handler)
    telling = asyncio.create_task(tell_left_out())
    try:
        for number in range(LIMIT_OF_PROBLEMS + 3):
            log.logger.warning("Packet %d is wrong", number)
        await asyncio.sleep(2 * PERIOD)
    finally:
        telling.cancel()
        root.removeHandler(log.handler)
    assert "3 more like it" in log.lines[-1]


def test_kinds_that_are_remembered_are_bounded(log: Log) -> None:
    for number in range(MAX_KINDS + 50):
        log.logger.warning(f"Kind {number}")
    assert len(log.handler._kinds) == MAX_KINDS


@pytest.mark.parametrize(
    "text", ["a\nERROR b", "a\r\x1b[31mb", "a\u2028b", "a\x85b", "a\u202eb"]
)
def test_nobody_can_write_lines_of_their_own(text: str) -> None:
    log = Log(TextFormatter())
    log.logger.info("Stream %s", text)
    assert len(log.lines) == 1
    assert log.lines[0].isprintable()
    assert log.lines[0].endswith("b")


def test_tracebacks_cannot_be_forged_either() -> None:
    """An exception may quote what a peer has sent."""
    log = Log(TextFormatter())
    said = "a\n2026-11-30 07:00:00,000 INFO    forged\x1b[31m\u202e"
    log.logger.error("A fault", exc_info=fail(said))
    first, *others = log.stream.getvalue().rstrip("\n").split("\n")
    assert first.endswith("A fault")
    assert others[-1].endswith("forged\\x1b[31m\\u202e")
    assert all(line.startswith("  | ") and line.isprintable() for line in others)


def test_the_session_is_named_once() -> None:
    log = Log(TextFormatter())
    log.logger.info("Session %s opened", "abc", extra={"session": "abc"})
    log.logger.error("A fault", exc_info=fail("x"), extra={"session": "a\nbc"})
    opened, fault, *_ = log.lines
    assert opened.endswith("Session abc opened")
    assert fault.endswith("A fault (session a\\nbc)")


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
