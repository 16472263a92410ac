"""Finds the rate of a video stream that a viewer's path carries, if it is too thin.

A queue in the network tells it: the round trip grows, and the estimate falls below the
stream. Loss alone tells nothing. From then on the stream is sent at a rate, and the
feed leaves out what does not fit (`Pacer`, `Feed`). The rate grows until there is a
queue again: slowly close to what was too much before, and quickly far above it.
"""

import math

from ..rtp.round_trip import QUEUE, RoundTrip
from ..rtp.viewer_estimate import ViewerEstimate

# A stream does not fit if there is a queue and the estimate is below this share of it:
# a queue makes an estimate fall to 0.85 of what arrives.
TOLERANCE = 0.9
# What a queue leaves of the rate: the estimate, within these limits. In bit/s, the rate
# at least.
LEAST_LEFT, MOST_LEFT = 0.75, 0.9
MIN_RATE = 50_000
# What is too much for a path, as a multiple of the rate after a queue.
TOO_MUCH = 1 / 0.85
# Seconds after a queue has drained in which an estimate may still fall for it.
REPORT_TIME = 0.5
# How the rate grows in a second without a queue: by the first share, up to this part of
# what was too much; from there on by a share that itself grows.
GROWTH, NEAR = 0.08, 0.9
LEAST, GREATEST, ACCELERATION = 0.02, 0.4, 1.6
# The rate is in use if this part of it was sent in one of the last two seconds.
USE = 0.5
# The stream fits if this multiple of it caused no queue.
HEADROOM = 1.2


class Thinning:
    """Decides whether, and at which rate, a stream is sent. It does no I/O.

    Attributes:
        rate: what may be sent, in bit/s; infinite while the stream fits.
    """

    __slots__ = ("_drained_at", "_growth", "_has_queue", "_sent", "_too_much", "rate")

    def __init__(self) -> None:
        self.rate = self._too_much = math.inf
        # When the queue of the rate before has drained.
        self._drained_at = -math.inf
        self._has_queue = False
        self._growth = LEAST
        # What was sent in the last second, in bit/s.
        self._sent = 0.0

    def review(
        self,
        bitrate: float,
        available: float | None,
        estimate: ViewerEstimate,
        round_trip: RoundTrip,
        now: float,
    ) -> bool:
        """Take what is known of the path.

        Args:
            bitrate: that of the stream, in bit/s.
            available: the part of the viewer's estimate that is left for the stream, in
                bit/s; None without an estimate.

        Returns:
            Whether the rate falls, because there is a queue.
        """
        is_waiting = round_trip.waiting > QUEUE
        if self.rate == math.inf:
            if not is_waiting or available is None or available >= TOLERANCE * bitrate:
                return False
            rate = available
        else:
            drained_at = self._drained_at
            has_fallen = estimate.fell_at > drained_at + REPORT_TIME
            is_waiting &= round_trip.sent_at > drained_at
            self._has_queue = is_waiting or has_fallen or now < drained_at
            if not (is_waiting or has_fallen):
                return False
            rate = MOST_LEFT * self.rate
            if available is not None:
                rate = max(min(rate, available), LEAST_LEFT * self.rate)
        self.rate = max(rate, MIN_RATE)
        self._too_much = TOO_MUCH * self.rate
        self._drained_at = now + round_trip.waiting
        self._has_queue, self._growth = True, LEAST
        return True

    def second_passed(self, bitrate: float, sent: float) -> None:
        """Let the rate grow, unless there is a queue, or the rate is not in use.

        Args:
            bitrate: that of the stream, in bit/s.
            sent: what was sent of it in the last second, in bit/s.
        """
        if self.rate == math.inf or self._has_queue:
            self._sent = sent
            return
        most, self._sent = max(sent, self._sent), sent
        if most < USE * min(self.rate, bitrate):
            return
        if self.rate < NEAR * self._too_much:
            self.rate *= 1 + GROWTH
        else:
            self.rate *= 1 + self._growth
            self._growth = min(ACCELERATION * self._growth, GREATEST)
        if self.rate > HEADROOM * bitrate:
            self.stop()

    def stop(self) -> None:
        """Send the whole stream."""
        self.rate = self._too_much = math.inf
        self._has_queue = False
