"""A viewer's own estimate of the bandwidth (REMB), and what it says of the path.

libwebrtc's estimate begins with what arrives, and grows by 8 % a second to 1.5 times as
much: how high it is says little. A queue makes it fall, to 0.85 of what arrives; after
that it grows slowly.
"""

import math

# Seconds after the first estimate in which its height says nothing.
SETTLING_TIME = 3.0
# An estimate below this share of the one before has fallen; for so many seconds that
# is a sign of a queue.
FALL = 0.95
FALL_TIME = 2.0


class ViewerEstimate:
    """The estimates of one viewer.

    Attributes:
        bitrate: the last one, in bit/s; None before the first.
        fell_at: when it fell last, in seconds.
    """

    __slots__ = ("_is_growing", "_settled_at", "bitrate", "fell_at")

    def __init__(self) -> None:
        self.bitrate: int | None = None
        self._settled_at = math.inf
        self.fell_at = -math.inf
        self._is_growing = False

    def received(self, bitrate: int, now: float) -> None:
        """Take an estimate, in bit/s."""
        if self.bitrate is None:
            self._settled_at = now + SETTLING_TIME
        elif bitrate < FALL * self.bitrate:
            self._settled_at = min(self._settled_at, now)
            self.fell_at = now
        self._is_growing = self.bitrate is not None and bitrate > self.bitrate
        self.bitrate = bitrate

    def is_settled(self, now: float) -> bool:
        """Whether its height says something: it is no first guess, nor does it grow."""
        return now >= self._settled_at and not self._is_growing

    def has_fallen(self, now: float) -> bool:
        """Whether it has fallen lately."""
        return now - self.fell_at < FALL_TIME
