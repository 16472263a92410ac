"""The loss that retransmission does not mend."""

# Seconds, and packets, over which it is measured, at least.
MIN_INTERVAL = 1.0
MIN_PACKETS = 20


class UnmendedLoss:
    """Measures which share of packets is lost for good.

    Attributes:
        fraction: that share, in the last second or so.
    """

    __slots__ = ("_totals", "_updated", "fraction")

    def __init__(self) -> None:
        self.fraction = 0.0
        self._updated = float("-inf")
        self._totals = (0, 0)

    def update(self, now: float, expected: int, given_up: int) -> None:
        """Measure; called about every second.

        Args:
            now: the time, in seconds.
            expected: packets that all sources have sent so far.
            given_up: packets of these that were given up.
        """
        new = expected - self._totals[0]
        if new < 0:
            # A source has ended.
            self._updated, self._totals = now, (expected, given_up)
        elif now - self._updated >= MIN_INTERVAL and new >= MIN_PACKETS:
            self.fraction = max(given_up - self._totals[1], 0) / new
            self._updated, self._totals = now, (expected, given_up)
