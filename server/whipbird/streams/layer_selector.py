"""Selects the layer of a simulcast for a viewer, by its bandwidth estimate and loss.

A viewer's estimate (REMB) grows to about 1.5 times the bitrate that it receives, and no
further. So the estimate shows that a layer is too large, but not that the next larger
one would fit: that has to be tried.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

# A layer fits if the estimate is at least this fraction of its bitrate: bitrates vary,
# and an overloaded path makes the estimate fall to 0.85 of the received bitrate.
TOLERANCE = 0.85
# The next layer is tried if the estimate is this multiple of the current bitrate,
HEADROOM = 1.2
# ... or this multiple of the next layer's bitrate.
CERTAIN = 1.1
# A trial has failed if the estimate falls to this fraction of its highest value.
FALL = 0.95
# Loss fractions: above the first, a layer is too large; the next layer is tried only
# below the second.
MAX_LOSS, LITTLE_LOSS = 0.1, 0.02

# Seconds within which the estimate must grow in a trial. Browsers' estimates grow by
# 8 % per second, or more slowly close to a bitrate that was too much before.
GROWTH_TIME = 5.0
# Seconds after which a trial without estimates has succeeded.
SETTLING_TIME = 5.0
# Seconds after a change in which the reported loss is still that of the layer before:
# the time of two reports.
LOSS_DELAY = 2.0
# Seconds between a change and the next trial; doubled after each failed trial.
MIN_PAUSE, MAX_PAUSE = 5.0, 120.0
# Seconds after which giving up a layer does not count as a failed trial.
STABLE_TIME = 30.0

T = TypeVar("T", bound=Hashable)


class LayerSelector(Generic[T]):
    """Selects layers for one viewer: smaller ones at once, larger ones by trial."""

    def __init__(self) -> None:
        self._current: T | None = None
        # When the current layer was selected, and whether as a trial.
        self._changed = 0.0
        self._is_attempt = False
        self._pause = MIN_PAUSE
        # During a trial: the highest estimate so far, and its time; else None.
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
        """Select a layer.

        Args:
            layers: the available layers and their bitrates in bit/s, the smallest
                first; one at least.
            sent: the layer that is forwarded now; a change takes effect at the next
                key frame.
            estimate: the viewer's bandwidth estimate in bit/s; None without one.
            lost: the loss fraction in the viewer's last report.
            now: the time, in seconds.
        """
        names = [name for name, _ in layers]
        if self._current is None or self._current not in names:
            self._highest = None
            largest = _largest_within(layers, estimate)
            return self._use(names[largest], now, is_attempt=True)
        if sent != self._current:
            # The viewer's estimate and loss are not those of the selected layer.
            self._changed = now
            if self._highest is not None:
                self._highest = (estimate or 0.0, now)
            return self._current
        if len(names) == 1:
            # There is no choice. As soon as there is one, a trial begins.
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
    """The index of the largest layer that fits, or of the smallest if none does."""
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
