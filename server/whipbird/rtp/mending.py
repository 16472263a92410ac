"""The loss of some sources together, and whether retransmission mends it."""

# Seconds, and packets, over which it is measured, at least.
MIN_INTERVAL = 1.0
MIN_PACKETS = 40

# Loss is mended while no more than this share of packets is lost for good, and while
# retransmission takes less than the stream itself.
MAX_UNMENDED = 0.05
MAX_LOSS = 0.5
# Seconds for which it counts as not mended after that: a sender that sees no loss
# sends more, until the path takes no more.
MEMORY = 5.0


class Mending:
    """Measures the loss of the last second or so.

    Attributes:
        is_mended: whether retransmission brings back what is lost, at a bearable cost.
    """

    __slots__ = ("_totals", "_unmended_until", "_updated", "is_mended")

    def __init__(self) -> None:
        self.is_mended = True
        self._updated = float("-inf")
        self._unmended_until = float("-inf")
        self._totals = (0, 0, 0)

    def is_due(self, now: float) -> bool:
        """Whether to call ``update``."""
        return now - self._updated >= MIN_INTERVAL

    def update(self, now: float, expected: int, lost: int, given_up: int) -> None:
        """Measure.

        Args:
            now: the time, in seconds.
            expected: packets that the sources have sent so far.
            lost: packets of these that were lost at first.
            given_up: packets of these that were lost for good.
        """
        totals = (expected, lost, given_up)
        new = expected - self._totals[0]
        if new < 0:
            # A source has ended.
            self._updated, self._totals = now, totals
        elif new >= MIN_PACKETS:
            new_lost = lost - self._totals[1]
            new_given_up = given_up - self._totals[2]
            if new_lost > MAX_LOSS * new or new_given_up > MAX_UNMENDED * new:
                self._unmended_until = now + MEMORY
            self._updated, self._totals = now, totals
        self.is_mended = now >= self._unmended_until
