"""How late the event loop does what is due: what a busy process costs everybody."""

import asyncio
from dataclasses import dataclass

from .histogram import Histogram, HistogramStats

# Seconds from one measurement to the next.
INTERVAL = 0.25

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class LoopLagStats:
    """The lag of an event loop at a moment, in seconds.

    Attributes:
        lags: all measurements since the start.
        longest: the longest of them.
    """

    lags: HistogramStats
    longest: float


class LoopLag:
    """Measures by how many seconds a timer of the event loop is late, with one timer.

    Nothing runs before ``start`` and after ``stop``.
    """

    def __init__(self) -> None:
        self._lags = Histogram(_BOUNDS)
        self._longest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure the running event loop."""
        loop = asyncio.get_running_loop()
        self._arm(loop, loop.time() + INTERVAL)

    def stop(self) -> None:
        """Measure no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def stats(self) -> LoopLagStats:
        """A snapshot."""
        return LoopLagStats(self._lags.stats, self._longest)

    def _arm(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._timer = loop.call_at(due, self._measure, loop, due)

    def _measure(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        lag = max(now - due, 0.0)
        self._lags.observe(lag)
        self._longest = max(self._longest, lag)
        self._arm(loop, now + INTERVAL)
