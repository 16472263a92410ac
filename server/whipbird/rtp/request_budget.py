"""How many packets of one source may be requested in a second."""

# As many as have come in the current second and in the one before, and a few, but at
# most so many. So a path that takes no more is not filled with retransmissions; one
# that loses half of all packets can still be mended.
SPARE_REQUESTS = 32
MAX_REQUESTED_PER_SECOND = 1024


class RequestBudget:
    """Counts requests.

    Attributes:
        received: packets of the source that have come so far; the caller sets it.
    """

    __slots__ = ("_before", "_ends", "_spent", "_until_now", "received")

    def __init__(self) -> None:
        self.received = 0
        # Requests in the current second, and its end; and the packets received before
        # it, and before the one before.
        self._spent = 0
        self._ends = float("-inf")
        self._until_now = self._before = 0

    def left(self, now: float) -> int:
        """How many packets may still be requested in this second."""
        if now >= self._ends:
            self._spent, self._ends = 0, now + 1.0
            self._before, self._until_now = self._until_now, self.received
        earned = SPARE_REQUESTS + self.received - self._before
        return max(min(earned, MAX_REQUESTED_PER_SECOND) - self._spent, 0)

    def spend(self, count: int) -> None:
        """Count requests."""
        self._spent += count
