"""Which layer of a simulcast a viewer gets, by what it says of its network.

A viewer's estimate (REMB) grows to about one and a half of what it receives, and no
further. So it says when a layer is too large, but not whether the next one would do:
that has to be tried.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

# How much of a layer's bitrate the estimate must have: bitrates change all the time,
# and what does not fit makes it fall to 0.85 of what gets through.
TOLERANCE = 0.85
# ... and of the current layer's, for the next one to be tried.
HEADROOM = 1.2
# ... and of the next one's, for it to be taken without a trial.
CERTAIN = 1.1
# Of its highest in a trial, to which the estimate falls when the network is full.
FALL = 0.95
# Fractions of packets: when a layer is too large; when the next one may be tried.
MAX_LOSS, LITTLE_LOSS = 0.1, 0.02

# Seconds in which the estimate must grow in a trial, which browsers let it do by 8 % a
# second, or more slowly near to what was too much before.
GROWTH_TIME = 5.0
# Seconds after which a trial has succeeded where there are no estimates.
SETTLING_TIME = 5.0
# Seconds after a change in which losses are still those of the layer before it: as
# long as two reports may take.
LOSS_DELAY = 2.0
# Seconds between a change and the next trial; twice as many after each that failed.
MIN_PAUSE, MAX_PAUSE = 5.0, 120.0
# Seconds after which a layer was not given up because it was tried.
STABLE_TIME = 30.0

T = TypeVar("T", bound=Hashable)


class Selection(Generic[T]):
    """Chooses layers for one viewer: smaller ones at once, larger ones with care."""

    def __init__(self) -> None:
        self._current: T | None = None
        # When it began, and whether it was not known to do.
        self._changed = 0.0
        self._is_attempt = False
        self._pause = MIN_PAUSE
        # Of a trial: the highest estimate since it began, and when it came; None when
        # there is no trial.
        self._highest: tuple[float, float] | None = None

    def choose(
        self,
        layers: Sequence[tuple[T, float]],
        *,
        sent: T | None,
        estimate: float | None,
        lost: float,
        now: float,
    ) -> T:
        """Decide anew.

        Args:
            layers: what can be had, smallest first, and how many bit/s it has; one at
                least.
            sent: what the viewer gets now; a change takes until the next key frame.
            estimate: how many bit/s the viewer can take; None when it does not say.
            lost: the fraction of packets that were lost, by its last report.
            now: the time, in seconds.
        """
        names = [name for name, _ in layers]
        if self._current is None or self._current not in names:
            self._highest = None
            largest = _largest_within(layers, estimate)
            return self._use(names[largest], now, is_attempt=True)
        if sent != self._current:
            # What the viewer says is not about this one.
            self._changed = now
            if self._highest is not None:
                self._highest = (estimate or 0.0, now)
            return self._current
        if len(names) == 1:
            # There is nothing to decide. When there is, it begins as a trial does.
            self._highest = (estimate or 0.0, now)
            return self._current
        index = names.index(self._current)
        if self._is_too_large(layers[index][1], estimate, lost, now):
            self._highest = None
            if index > 0:
                if now - self._changed >= STABLE_TIME:
                    self._pause = MIN_PAUSE
                elif self._is_attempt:
                    self._pause = min(2 * self._pause, MAX_PAUSE)
                smaller = _largest_within(layers[:index], estimate)
                return self._use(names[smaller], now, is_attempt=False)
        elif (
            self._highest is None
            and index + 1 < len(layers)
            and now - self._changed >= self._pause
            and lost <= LITTLE_LOSS
            and _may_try(layers[index][1], layers[index + 1][1], estimate)
        ):
            self._highest = (estimate or 0.0, now)
            return self._use(names[index + 1], now, is_attempt=True)
        return self._current

    def _use(self, name: T, now: float, *, is_attempt: bool) -> T:
        self._current = name
        self._changed = now
        self._is_attempt = is_attempt
        return name

    def _is_too_large(
        self, bitrate: float, estimate: float | None, lost: float, now: float
    ) -> bool:
        if lost > MAX_LOSS and now - self._changed >= LOSS_DELAY:
            return True
        fits = estimate is not None and estimate >= TOLERANCE * bitrate
        if self._highest is None:
            return estimate is not None and not fits
        if fits or (estimate is None and now - self._changed >= SETTLING_TIME):
            self._highest = None
            return False
        if estimate is None:
            return False
        highest, since = self._highest
        if estimate > highest:
            self._highest = (estimate, now)
            return False
        return estimate < FALL * highest or now - since > GROWTH_TIME


def _largest_within(layers: Sequence[tuple[T, float]], estimate: float | None) -> int:
    """The index of the largest layer that fits; of the smallest if none does."""
    fitting = [
        index
        for index, (_, bitrate) in enumerate(layers)
        if estimate is None or bitrate <= estimate
    ]
    return fitting[-1] if fitting else 0


def _may_try(bitrate: float, larger: float, estimate: float | None) -> bool:
    if estimate is None:
        return True
    return estimate >= min(HEADROOM * bitrate, CERTAIN * larger)
