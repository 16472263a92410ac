"""How values are distributed: counted in buckets, as Prometheus has them."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistogramStats:
    """A histogram at a moment.

    Attributes:
        bounds: the highest value of each bucket but the last one, ascending.
        counts: the values in each bucket; the last one has all above the last bound.
        sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def cumulative(self) -> list[tuple[float, int]]:
        """Each bound, infinity at last, and how many values are not above it."""
        found: list[tuple[float, int]] = []
        total = 0
        bounds = (*self.bounds, float("inf"))
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class Histogram:
    """Counts values by their size.

    Args:
        bounds: see ``HistogramStats``.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def stats(self) -> HistogramStats:
        """A snapshot."""
        return HistogramStats(self._bounds, tuple(self._counts), self._sum)
