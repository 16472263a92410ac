"""Says which application holds up the event loop, even if it never lets go of it."""

import logging
import threading
import time
from collections.abc import Coroutine, Generator
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

# Seconds that a step of a coroutine, from one await to the next, may take.
LIMIT = 2.0
# Seconds between looks.
_INTERVAL = 0.5


class _Step(NamedTuple):
    """What runs in the event loop now.

    Attributes:
        what: whose coroutine it is, in words.
        since: a time of the monotonic clock.
    """

    what: str
    coroutine: Coroutine[Any, Any, None]
    since: float


class Watchdog:
    """Watches the steps of coroutines from a thread: the event loop itself cannot.

    Each step that takes too long is a warning, with the line of the coroutine.
    """

    def __init__(self) -> None:
        self._step: _Step | None = None
        self._told: _Step | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(
            target=self._run, name="watchdog of applications", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def watch(
        self, coroutine: Coroutine[Any, Any, None], what: str
    ) -> Coroutine[Any, Any, None]:
        """Watch the steps of a coroutine, which runs as what is returned.

        Args:
            what: whose it is, for the log: as ``Application room: on_message``.
        """
        return _Watched(self, coroutine, what)

    def begin(self, what: str, coroutine: Coroutine[Any, Any, None]) -> None:
        """Note that a step begins."""
        self._step = _Step(what, coroutine, time.monotonic())

    def end(self) -> None:
        """Note that it has ended."""
        self._step = None

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            step = self._step
            if step is None or step is self._told:
                continue
            seconds = time.monotonic() - step.since
            if seconds > LIMIT:
                self._told = step
                logger.warning(
                    "%s has held up the event loop for %.1f s%s. Everything waits for "
                    "it: what computes or blocks belongs in asyncio.to_thread",
                    step.what,
                    seconds,
                    _place_of(step.coroutine),
                )


class _Watched(Coroutine[Any, Any, None]):
    """A coroutine whose steps are noted; it can be awaited, or run as a task."""

    __slots__ = ("_coroutine", "_watchdog", "_what")

    def __init__(
        self, watchdog: Watchdog, coroutine: Coroutine[Any, Any, None], what: str
    ) -> None:
        self._watchdog = watchdog
        self._coroutine = coroutine
        self._what = what

    def send(self, value: Any) -> Any:
        self._watchdog.begin(self._what, self._coroutine)
        try:
            return self._coroutine.send(value)
        finally:
            self._watchdog.end()

    def throw(self, *error: Any) -> Any:
        self._watchdog.begin(self._what, self._coroutine)
        try:
            return self._coroutine.throw(*error)
        finally:
            self._watchdog.end()

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> "Generator[Any, Any, None]":
        yield from self

    def __iter__(self) -> "_Watched":
        return self

    def __next__(self) -> Any:
        return self.send(None)


def _place_of(coroutine: Coroutine[Any, Any, None]) -> str:
    """Where a coroutine is now, as `` at room.py:12``; empty if that is not known."""
    frame = getattr(coroutine, "cr_frame", None)
    return "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"
