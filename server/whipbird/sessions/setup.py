"""How long the steps of a session's setup take, as the server knows them."""

import enum
import time
from collections.abc import Callable, Mapping

from ..stats import Histogram, HistogramStats

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class SetupStep(enum.StrEnum):
    """A step of a session's setup. Each begins where the one before it has ended.

    ``CHANNEL`` and ``MEDIA`` both follow ``DTLS``: the client has opened a data
    channel; the first packet has come from a publisher, or gone to a viewer.
    """

    POST = "post"
    ICE = "ice"
    DTLS = "dtls"
    CHANNEL = "channel"
    MEDIA = "media"


_ORDER = (SetupStep.POST, SetupStep.ICE, SetupStep.DTLS)


class SetupTimes:
    """The setup times of all sessions."""

    def __init__(self) -> None:
        self._steps = {step: Histogram(_BOUNDS) for step in SetupStep}

    def observe(self, step: SetupStep, seconds: float) -> None:
        """Count a step that a session has made."""
        self._steps[step].observe(seconds)

    @property
    def stats(self) -> Mapping[SetupStep, HistogramStats]:
        """A snapshot."""
        return {step: histogram.stats for step, histogram in self._steps.items()}


class Setup:
    """The setup of one session.

    Args:
        observe: called once with each step, and the seconds that it took.

    Attributes:
        seconds: the steps so far, and the seconds that each took.
    """

    __slots__ = ("_observe", "_since", "seconds")

    def __init__(self, observe: Callable[[SetupStep, float], None]) -> None:
        self.seconds: dict[SetupStep, float] = {}
        self._observe = observe
        self._since = time.monotonic()

    def reached(self, step: SetupStep) -> None:
        """Note that a step is made; only the first time counts.

        Steps before it that nobody has noted took no time of their own: a client may
        shake hands on a path before the path is selected.
        """
        if step in self.seconds:
            return
        now = time.monotonic()
        if step in _ORDER:
            for earlier in _ORDER[: _ORDER.index(step)]:
                self._note(earlier, self._since)
        self._note(step, now)
        if step in _ORDER:
            self._since = now

    def _note(self, step: SetupStep, now: float) -> None:
        if step not in self.seconds:
            seconds = self.seconds[step] = now - self._since
            self._observe(step, seconds)
