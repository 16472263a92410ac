"""Whether packets are delayed more and more: a queue on the path grows.

The arrival-time filter and the over-use detector of draft-ietf-rmcat-gcc-02 sections
5.1 to 5.4, for packets that say when they were sent (abs-send-time). The filter is the
slope of a line through the last delays, which libwebrtc uses in place of the draft's
Kalman filter.
"""

from collections import deque

# draft-alvestrand-rmcat-remb-03 section 3: 24 bits, 18 of them of the fraction.
_UNITS_PER_SECOND = 1 << 18
_MASK = 0xFFFFFF
_SIGN = 0x800000

# Packets that were sent within so many seconds are one group (section 5.2).
GROUP = 0.005
# Groups in the line, and the weight of older delays in the smoothed one.
WINDOW = 20
SMOOTHING = 0.9
# A longer pause between groups, in seconds, begins a new line.
MAX_PAUSE = 2.0

# The slope is compared with the threshold times this: at first, it stands for 5 %.
GAIN = 240.0

# The adaptive threshold (section 5.4), in milliseconds; its gains are for each of them.
INITIAL_THRESHOLD = 12.5
MIN_THRESHOLD, MAX_THRESHOLD = 6.0, 600.0
GAIN_UP, GAIN_DOWN = 0.0087, 0.039
MAX_EXCESS = 15.0
MAX_STEP = 100.0
# Seconds for which a slope must be above it.
OVERUSE_TIME = 0.01


class DelayTrend:
    """Detects a growing queue from the departures and arrivals of packets.

    Attributes:
        is_growing: whether the queue grows.
        is_shrinking: whether it shrinks.
    """

    __slots__ = (
        "_accumulated",
        "_arrived",
        "_before",
        "_delays",
        "_first_sent",
        "_last_sent",
        "_over",
        "_slope",
        "_smoothed",
        "_threshold",
        "is_growing",
        "is_shrinking",
    )

    def __init__(self) -> None:
        self.is_growing = False
        self.is_shrinking = False
        self._threshold = INITIAL_THRESHOLD
        self._begin()

    def _begin(self) -> None:
        """Begin a new line."""
        # Of the current group: when its first and last packet were sent, in units, and
        # when its last one arrived; and the last two of the group before.
        self._first_sent = self._last_sent = -1
        self._arrived = 0.0
        self._before: tuple[int, float] | None = None
        # Milliseconds: what groups were delayed more than the first, and smoothed; and
        # the line's points, arrival and smoothed delay.
        self._accumulated = self._smoothed = 0.0
        self._delays: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._slope = 0.0
        # Seconds for which the slope has been above the threshold.
        self._over = 0.0

    def received(self, sent: int, now: float) -> None:
        """Note a packet.

        Args:
            sent: its abs-send-time, 24 bits.
            now: its arrival, in seconds.
        """
        if self._first_sent < 0:
            self._first_sent = self._last_sent = sent
        elif now - self._arrived > MAX_PAUSE:
            self._begin()
            self._first_sent = self._last_sent = sent
        else:
            since_first = _difference(sent, self._first_sent)
            if since_first < 0:
                # Overtaken by a later group.
                return
            if since_first > GROUP:
                self._end_group()
                self._first_sent = self._last_sent = sent
            elif _difference(sent, self._last_sent) > 0:
                self._last_sent = sent
        self._arrived = now

    def _end_group(self) -> None:
        group = (self._last_sent, self._arrived)
        before, self._before = self._before, group
        if before is None:
            return
        elapsed = 1000 * (group[1] - before[1])
        self._accumulated += elapsed - 1000 * _difference(group[0], before[0])
        self._smoothed *= SMOOTHING
        self._smoothed += (1 - SMOOTHING) * self._accumulated
        self._delays.append((1000 * group[1], self._smoothed))
        if len(self._delays) == WINDOW:
            self._detect(elapsed)

    def _detect(self, elapsed: float) -> None:
        """Compare the slope with the threshold.

        Args:
            elapsed: milliseconds since the group before.
        """
        slope = GAIN * _slope(self._delays)
        if slope > self._threshold:
            self._over += elapsed / 1000
            # Not when it has begun to shrink (section 5.4).
            self.is_growing = self._over > OVERUSE_TIME and slope >= self._slope
            self.is_shrinking = False
        else:
            self._over = 0.0
            self.is_growing = False
            self.is_shrinking = slope < -self._threshold
        self._slope = slope
        excess = abs(slope) - self._threshold
        if excess > MAX_EXCESS:
            # A single spike, of a path that has changed.
            return
        gain = GAIN_UP if excess > 0 else GAIN_DOWN
        threshold = self._threshold + gain * excess * min(elapsed, MAX_STEP)
        self._threshold = min(max(threshold, MIN_THRESHOLD), MAX_THRESHOLD)


def _difference(later: int, earlier: int) -> float:
    """Seconds between two abs-send-times, which wrap after 64."""
    units = (later - earlier) & _MASK
    return (units - ((units & _SIGN) << 1)) / _UNITS_PER_SECOND


def _slope(points: deque[tuple[float, float]]) -> float:
    """The slope of the line through points with the least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    numerator = sum((x - mean_x) * (y - mean_y) for x, y in points)
    denominator = sum((x - mean_x) ** 2 for x, _ in points)
    return numerator / denominator if denominator else 0.0
