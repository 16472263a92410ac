"""A distribution of many positive values: its moments, and its percentiles."""

import math

# The ratio of the bounds of a bucket: percentiles are exact to half of a thousandth.
_RATIO = math.log(1.001)
# The smallest and the largest value that are told from smaller and larger ones.
_SMALLEST = 1e-9
_LARGEST = 1e9


class Distribution:
    """Counts values in buckets that grow with them, so its memory has a bound.

    Attributes:
        count: the number of values.
        min, max: the smallest and the largest of them; None without any.
        mean: their mean; 0 without any.
    """

    __slots__ = ("_counted", "_squares", "count", "max", "mean", "min")

    def __init__(self) -> None:
        self.count = 0
        self.min: float | None = None
        self.max: float | None = None
        self.mean = 0.0
        self._squares = 0.0
        self._counted: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a value."""
        self.count += 1
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)
        # Welford's method, which loses no precision over many values.
        before = value - self.mean
        self.mean += before / self.count
        self._squares += before * (value - self.mean)
        number = round(math.log(min(max(value, _SMALLEST), _LARGEST)) / _RATIO)
        self._counted[number] = self._counted.get(number, 0) + 1

    def update(self, other: "Distribution") -> None:
        """Count all values of another distribution."""
        if other.min is None or other.max is None:
            return
        count = self.count + other.count
        apart = other.mean - self.mean
        self._squares += other._squares + apart**2 * self.count * other.count / count
        self.mean += apart * other.count / count
        self.count = count
        self.min = other.min if self.min is None else min(self.min, other.min)
        self.max = other.max if self.max is None else max(self.max, other.max)
        for number, values in other._counted.items():
            self._counted[number] = self._counted.get(number, 0) + values

    @property
    def deviation(self) -> float:
        """The standard deviation; 0 without any value."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    def percentile(self, share: float) -> float | None:
        """The smallest value that so many of the values do not exceed (nearest rank).

        Args:
            share: how many, from 0 to 1.

        Returns:
            The value; None without any.
        """
        if self.min is None or self.max is None:
            return None
        rank = max(1, math.ceil(share * self.count))
        for number in sorted(self._counted):
            rank -= self._counted[number]
            if rank <= 0:
                break
        return min(max(math.exp(number * _RATIO), self.min), self.max)
