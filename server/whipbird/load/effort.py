"""How busy this process is: whether a load tool is the limit of what it measures."""

import asyncio
import enum
import time

from ..stats.distribution import Distribution

# Seconds from one measurement to the next.
_INTERVAL = 0.1

# From this share of one core, or this lag of its event loop in seconds, the figures are
# those of this process rather than of the server.
BUSY_SHARE = 0.85
BUSY_LAG = 0.02


class Limit(enum.StrEnum):
    """What made this side too slow to measure the other one."""

    NONE = "none"
    PROCESS = "process"
    MACHINE = "machine"


class Effort:
    """Measures CPU time, and how late the event loop is, from ``start`` on.

    Attributes:
        lags: seconds by which the event loop was late.
    """

    def __init__(self) -> None:
        self.lags = Distribution()
        self._cpu = time.process_time()
        self._clock = time.monotonic()
        self._ended: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._cpu, self._clock = time.process_time(), time.monotonic()
        self._arm()

    def stop(self) -> None:
        """Measure no longer."""
        self._ended = self.cpu_share
        if self._timer is not None:
            self._timer.cancel()

    @property
    def cpu_share(self) -> float:
        """The share of one core that this process has used."""
        if self._ended is not None:
            return self._ended
        passed = time.monotonic() - self._clock
        return (time.process_time() - self._cpu) / passed if passed > 0 else 0.0

    @property
    def limit(self) -> Limit:
        """What was too busy here to measure anything else."""
        if self.cpu_share >= BUSY_SHARE:
            return Limit.PROCESS
        lag = self.lags.percentile(0.99) or 0.0
        return Limit.MACHINE if lag >= BUSY_LAG else Limit.NONE

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _INTERVAL
        self._timer = loop.call_at(due, self._measure, due)

    def _measure(self, due: float) -> None:
        self.lags.add(max(asyncio.get_running_loop().time() - due, 0.0))
        self._arm()
