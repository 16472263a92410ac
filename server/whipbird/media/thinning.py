"""Finds the rate of a video stream that a viewer's path carries, if it is too thin.

A queue in the network tells it: the round trip grows, and the estimate falls below the
stream. Of a viewer that sends no estimate, the queue has to be long, or lose packets.
Loss alone tells nothing. From then on the stream is sent at a rate, and the feed leaves
out what does not fit (`Pacer`, `Feed`). The rate grows until there is a queue again:
slowly close to what was too much before, and quickly far above it.

Once the rate is limited, only the round trip counts. An estimate is made of what comes,
so it falls when little is sent.
"""

import math

from ..rtp.delivery import Delivery
from ..rtp.loss import Loss
from ..rtp.round_trip import QUEUE, RoundTrip

# A stream does not fit if there is a queue and the estimate is below this share of it.
TOLERANCE = 0.9
# What an overload leaves of an estimate, as a share of what arrives. It says so some
# time later.
OVERLOAD = 0.85
# Without an estimate: seconds of a queue that show by themselves that the stream does
# not fit, and the loss that shows it with any queue.
LONG_QUEUE, MUCH_LOSS = 0.3, 0.05
# The part of what arrives that is sent at first.
START = 0.97
# What a queue leaves of the rate: that part of what arrives, within these limits. In
# bit/s, the rate at least.
LEAST_LEFT, MOST_LEFT = 0.5, 0.97
MIN_RATE = 50_000
# How the rate grows in a second without a queue: by the first share, up to this part of
# what was too much; by the least around that; from there on by a share that itself
# grows. A queue of less than so many seconds is none.
GROWTH, NEAR, BEYOND = 0.08, 0.9, 1.02
LEAST, GREATEST, ACCELERATION = 0.025, 0.4, 1.6
CLEAR, FULL = 0.025, 0.05
# The rate is in use if this part of it was sent in one of the last two seconds.
USE = 0.8
# The stream fits if this multiple of it caused no queue.
HEADROOM = 1.2


class Thinning:
    """Decides whether, and at which rate, a stream is sent. It does no I/O.

    Attributes:
        delivery: which packets have arrived, by the viewer's reports.
        rate: what may be sent, in bit/s; infinite while the stream fits.
    """

    __slots__ = (
        "_drained_at",
        "_growth",
        "_is_clear",
        "_packet",
        "_queue_since",
        "_seen",
        "_sent",
        "_too_much",
        "delivery",
        "rate",
    )

    def __init__(self) -> None:
        self.delivery = Delivery()
        self.rate = self._too_much = math.inf
        # When the queue of the rate before has drained, and since when there is one.
        self._drained_at = -math.inf
        self._queue_since = math.inf
        # When the last measurement was sent; whether it showed no queue, since the rate
        # has grown.
        self._seen = -math.inf
        self._is_clear = False
        self._growth = LEAST
        # What was sent in the last second, in bit/s; bits of a packet.
        self._sent = self._packet = 0.0

    def review(
        self,
        bitrate: float,
        available: float | None,
        loss: Loss,
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
        if self.rate < math.inf:
            return self._follow(round_trip, now)
        fitting = _fitting(bitrate, available, loss, round_trip)
        if fitting is None:
            return False
        # The queue has been there since this was sent. Retransmissions, which an
        # estimate includes, are not among what arrives of the stream.
        if (arriving := self._arriving(round_trip.sent_at)) is not None:
            fitting = min(max(arriving, available or 0.0), bitrate)
        self._too_much = fitting
        self._drain(START * fitting, round_trip.waiting, now)
        return True

    def _follow(self, round_trip: RoundTrip, now: float) -> bool:
        """Lower the rate to what arrives, if there is a queue."""
        sent_at, waiting = round_trip.sent_at, round_trip.waiting
        if sent_at <= max(self._seen, self._drained_at):
            return False
        self._seen = sent_at
        self._is_clear = waiting <= CLEAR
        self._queue_since = (
            math.inf if self._is_clear else min(self._queue_since, sent_at)
        )
        if waiting <= FULL:
            return False
        arriving = self._arriving(self._queue_since)
        if arriving is None:
            return False
        least, most = LEAST_LEFT * self.rate, MOST_LEFT * self.rate
        self._too_much = self.rate
        self._drain(min(max(START * arriving, least), most), waiting, now)
        return True

    def _drain(self, rate: float, waiting: float, now: float) -> None:
        """Go on at a rate when the queue has drained."""
        self.rate = max(rate, MIN_RATE)
        self._drained_at = now + waiting
        self._queue_since = math.inf
        self._is_clear, self._growth = False, LEAST

    def _arriving(self, since: float) -> float | None:
        """What has arrived of the stream since a moment, in bit/s; None if unknown."""
        packets = self.delivery.rate(since)
        return None if packets is None else packets * self._packet

    def second_passed(self, bitrate: float, sent: float, packets: int) -> None:
        """Let the rate grow, if it is in use and there is no queue.

        Args:
            bitrate: that of the stream, in bit/s.
            sent, packets: what was sent of it in the last second, in bit/s and packets.
        """
        if packets:
            self._packet = sent / packets
        most, self._sent = max(sent, self._sent), sent
        if self.rate == math.inf or not self._is_clear:
            return
        if most < USE * min(self.rate, bitrate):
            return
        self._is_clear = False
        if self.rate < NEAR * self._too_much:
            self.rate *= 1 + GROWTH
        elif self.rate < BEYOND * self._too_much:
            self.rate *= 1 + LEAST
        else:
            self.rate *= 1 + self._growth
            self._growth = min(ACCELERATION * self._growth, GREATEST)
        if self.rate > HEADROOM * bitrate:
            self.stop()

    def stop(self) -> None:
        """Send the whole stream."""
        self.rate = self._too_much = math.inf
        self._is_clear = False


def _fitting(
    bitrate: float, available: float | None, loss: Loss, round_trip: RoundTrip
) -> float | None:
    """About what fits of a stream, in bit/s; None if all of it does."""
    waiting = round_trip.waiting
    if waiting <= QUEUE:
        return None
    if available is not None:
        fits = available >= TOLERANCE * bitrate
        return (
            None if fits else min(available / OVERLOAD, (1 - loss.fraction) * bitrate)
        )
    is_long = waiting > LONG_QUEUE or loss.fraction > MUCH_LOSS
    fits = not (round_trip.has_queue and is_long)
    return None if fits else (1 - loss.fraction) * bitrate
