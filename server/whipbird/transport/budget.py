"""How much of something a peer may ask for in a time: a token bucket."""


class Budget:
    """Lets pass so much per second, and a burst of it after a pause.

    Args:
        rate: per second.
        burst: at once, at most.
    """

    __slots__ = ("_burst", "_left", "_rate", "_updated")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._updated = 0.0

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Take some of it; return whether there was as much.

        Args:
            now: the time, in seconds of one clock; an earlier one counts as the last.
        """
        left = self._left
        if now > self._updated:
            left += (now - self._updated) * self._rate
            self._updated = now
        self._left = left = min(left, self._burst)
        if left < cost:
            return False
        self._left = left - cost
        return True

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Seconds until as much can be taken; 0 if it can be taken now."""
        self.take(now, 0.0)
        return max(0.0, (cost - self._left) / self._rate)
