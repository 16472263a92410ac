"""The log of a command: text or JSON, one line for a record, and none without end."""

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

LogFormat = Literal["text", "json"]

# Seconds in which records that are alike are counted together.
PERIOD = 10.0

# Records that are alike and logged in that time, from warnings on and below these.
LIMIT_OF_PROBLEMS = 10
LIMIT_OF_OTHERS = 1000

# Kinds of records that are counted; then the oldest is forgotten.
MAX_KINDS = 1000

# What a record has by itself; all else was given as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# Control characters, which could look like another line.
_CONTROL = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160))}
_CONTROL |= {n: f"\\u{n:04x}" for n in (0x2028, 0x2029)}


def set_up_logging(level: str, format_: LogFormat, stream: TextIO) -> None:
    """Log to a stream from now on, in place of how it was logged before.

    Args:
        level: the name of the lowest level that is logged.
        format_: how a line is written.
    """
    handler = ThrottledHandler(stream)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    is_debug = level == "debug"
    quiet = logging.NOTSET if is_debug else logging.WARNING
    logging.getLogger("aiortc").setLevel(quiet)
    # It logs a traceback for what is not HTTP, which anybody can send; failures of ours
    # are logged by ourselves.
    loud = logging.NOTSET if is_debug else logging.CRITICAL
    logging.getLogger("aiohttp.server").setLevel(loud)


class TextFormatter(logging.Formatter):
    """One line of text for a record; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, in which control characters are escaped."""
        return super().formatMessage(record).translate(_CONTROL)


class JsonFormatter(logging.Formatter):
    """One JSON object for a record, on one line.

    It has ``time`` (UTC, RFC 3339), ``level``, ``logger``, ``message``, what was given
    as ``extra`` (``session``, ``stream`` ...), and ``exception`` with a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = vars(record)
        fields |= {key: given[key] for key in given.keys() - _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class ThrottledHandler(logging.StreamHandler[TextIO]):
    """Writes records to a stream, but not without end those that are alike.

    Records are alike if they have the same logger, level and template. Beyond the limit
    of a period they are counted, and their number is logged when it is over.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(
        self, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(stream)
        self._clock = clock
        # Kind -> the beginning of its period, and the records in it.
        self._kinds: OrderedDict[tuple[str, int, str], tuple[float, int]] = (
            OrderedDict()
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were too many like it."""
        now = self._clock()
        while self._kinds and self._oldest_is_over(now):
            self._close(next(iter(self._kinds)))
        kind = (record.name, record.levelno, str(record.msg))
        began, count = self._kinds.get(kind, (now, 0))
        self._kinds[kind] = (began, count + 1)
        if len(self._kinds) > MAX_KINDS:
            self._close(next(iter(self._kinds)))
        if count < _limit(record.levelno):
            super().emit(record)

    def close(self) -> None:
        """Say what was left out so far."""
        for kind in list(self._kinds):
            self._close(kind)
        super().close()

    def _oldest_is_over(self, now: float) -> bool:
        began, _ = next(iter(self._kinds.values()))
        return now - began >= PERIOD

    def _close(self, kind: tuple[str, int, str]) -> None:
        name, level, template = kind
        _, count = self._kinds.pop(kind)
        left_out = count - _limit(level)
        if left_out > 0:
            message = "%d more like it in %g s: %s"
            args = (left_out, PERIOD, template)
            record = logging.LogRecord(name, level, "", 0, message, args, None)
            super().emit(record)


def _limit(level: int) -> int:
    return LIMIT_OF_PROBLEMS if level >= logging.WARNING else LIMIT_OF_OTHERS
