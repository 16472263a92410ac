"""The log of a command: text or JSON, one line for a record, and none without end."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TextIO

from ..net.faults import place_of
from .log_writer import LineWriter

LogFormat = Literal["text", "json"]

# Seconds in which records that are alike are counted together.
PERIOD = 10.0

# Records that are alike and logged in that time: from warnings on, those with a
# traceback, and those below warnings.
LIMIT_OF_PROBLEMS = 10
LIMIT_OF_TRACEBACKS = 3
LIMIT_OF_OTHERS = 1000

# Kinds of records that are counted; then the oldest is forgotten.
MAX_KINDS = 1000

# What a record has by itself; all else was given as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# What lines of a traceback begin with: no record begins like that.
_MARGIN = "  | "


def set_up_logging(level: str, format_: LogFormat, stream: TextIO) -> None:
    """Log to a stream from now on, in place of how it was logged before.

    Args:
        level: the name of the lowest level that is logged.
        format_: how a line is written.
    """
    root = logging.getLogger()
    handler = next((h for h in root.handlers if _writes_to(h, stream)), None)
    if handler is None:
        handler = _new_handler(stream)
        logging.basicConfig(handlers=[handler], force=True)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    root.setLevel(level.upper())
    is_debug = level == "debug"
    quiet = logging.NOTSET if is_debug else logging.WARNING
    for name in ("aiortc", "httpx2"):
        logging.getLogger(name).setLevel(quiet)
    # It logs a traceback for what is not HTTP, which anybody can send; failures of ours
    # are logged by ourselves.
    loud = logging.NOTSET if is_debug else logging.CRITICAL
    logging.getLogger("aiohttp.server").setLevel(loud)


def log_as_worker(number: int, level: str, format_: LogFormat, stream: TextIO) -> None:
    """Log in a process that was forked, and say with each record which worker it is.

    The thread that wrote the log stays in the process that was forked.
    """
    logging.getLogger().handlers.clear()
    set_up_logging(level, format_, stream)
    make = logging.LogRecord

    def record_of_worker(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        record.worker = number
        return record

    logging.setLogRecordFactory(record_of_worker)


def _writes_to(handler: logging.Handler, stream: TextIO) -> bool:
    """Whether it is one of ours for this stream; it goes on with what waits there."""
    if not isinstance(handler, ThrottledHandler):
        return False
    writer = handler.stream
    return isinstance(writer, LineWriter) and writer.stream is stream


def _new_handler(stream: TextIO) -> "ThrottledHandler":
    def dropped(count: int) -> str:
        template = "Nobody read the log: %d lines of it were dropped"
        args = ("whipbird.log", logging.WARNING, "", 0, template, (count,), None)
        return f"{handler.format(logging.LogRecord(*args))}\n"

    writer = LineWriter(stream, dropped)
    handler = ThrottledHandler(writer, on_close=writer.close)
    return handler


async def tell_left_out() -> None:
    """Say how many records were left out, as soon as that is known; without end."""
    while True:
        await asyncio.sleep(PERIOD)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, ThrottledHandler):
                handler.tell_left_out()


class TextFormatter(logging.Formatter):
    """One line of text for a record; the lines of a traceback follow, indented.

    The worker that says it, if there are several, and the session that it is about are
    named at the end; the session not where the message names it.
    Whatever is not printable is escaped. An exception may quote what a peer has sent.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line."""
        text = super().formatMessage(record)
        worker = getattr(record, "worker", None)
        if worker is not None:
            text += f" (worker {worker})"
        session = getattr(record, "session", None)
        if session and session not in record.message:
            text += f" (session {session})"
        return _printable(text)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The lines of a traceback."""
        lines = super().formatException(ei).splitlines()
        return "\n".join(_MARGIN + _printable(line) for line in lines)


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
        fields |= {key: given[key] for key in given.keys() - _STANDARD - fields.keys()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


@dataclass(slots=True)
class _Count:
    """The records of one kind in its current period.

    Attributes:
        began: when the period began, in seconds.
        limit: how many records are written.
        name, level, template: those of the first record.
        records: how many there are.
    """

    began: float
    limit: int
    name: str
    level: int
    template: str
    records: int = 0

    @classmethod
    def of(cls, record: logging.LogRecord, now: float) -> "_Count":
        return cls(now, _limit(record), record.name, record.levelno, _template(record))


class Sink(Protocol):
    """Takes lines."""

    def write(self, line: str, /) -> object:
        """Take a line, with its end."""


class ThrottledHandler(logging.StreamHandler[Sink]):
    """Writes records to a stream, but not without end those that are alike.

    Records are alike if they have the same logger, level and template, or the same
    exception from the same place in the code. Beyond the limit of a period they are
    counted, and their number is logged when it is over.

    Args:
        clock: returns the time in seconds.
        on_close: called at the end, when all records are written to the stream.
    """

    def __init__(
        self,
        stream: Sink,
        clock: Callable[[], float] = time.monotonic,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(stream)
        self._clock = clock
        self._on_close = on_close
        # The one whose period began first comes first.
        self._kinds: OrderedDict[Hashable, _Count] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were too many like it."""
        self.tell_left_out()
        kind = _kind_of(record)
        count = self._kinds.get(kind)
        if count is None:
            count = self._kinds[kind] = _Count.of(record, self._clock())
            if len(self._kinds) > MAX_KINDS:
                self._close_oldest()
        count.records += 1
        if count.records <= count.limit:
            super().emit(record)

    def tell_left_out(self) -> None:
        """Say what was left out in periods that are over."""
        self.acquire()
        try:
            while self._kinds and self._oldest_is_over():
                self._close_oldest()
        finally:
            self.release()

    def close(self) -> None:
        """Say what was left out so far."""
        while self._kinds:
            self._close_oldest()
        super().close()
        self._on_close()

    def _oldest_is_over(self) -> bool:
        return self._clock() - next(iter(self._kinds.values())).began >= PERIOD

    def _close_oldest(self) -> None:
        _, count = self._kinds.popitem(last=False)
        left_out = count.records - count.limit
        if left_out > 0:
            message = "%d more like it in %g s: %s"
            args = (left_out, PERIOD, count.template)
            super().emit(
                logging.LogRecord(count.name, count.level, "", 0, message, args, None)
            )


def _limit(record: logging.LogRecord) -> int:
    if _error_of(record) is not None:
        return LIMIT_OF_TRACEBACKS
    is_problem = record.levelno >= logging.WARNING
    return LIMIT_OF_PROBLEMS if is_problem else LIMIT_OF_OTHERS


def _kind_of(record: logging.LogRecord) -> Hashable:
    error = _error_of(record)
    if error is None:
        return record.name, record.levelno, _template(record)
    # Whatever is said of it: asyncio puts the name of the task into its template.
    return record.name, *place_of(error)


def _template(record: logging.LogRecord) -> str:
    """The first line of the template: what follows it in libraries' is different."""
    return str(record.msg).partition("\n")[0]


def _error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
