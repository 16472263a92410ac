"""What may be sent to a viewer beside a stream: retransmissions and their copies."""

import math

from ..rtp.loss import Loss

# Octets beside the stream, as shares of the stream's: what a loss of a quarter takes,
# and what is left of it on a congested path.
MAX_SHARE = 1.25
CONGESTED_SHARE = 0.25
# How the share grows each second after a congestion.
RECOVERY = 1.5

# What was not sent is saved up for so many seconds, and a few packets are in any case.
BURST_TIME = 0.5
MIN_BURST = 24_000
# Seconds that what is requested may be sent ahead of its time: a viewer that starts
# gets a whole GOP at once, and loses of all of it.
ADVANCE_TIME = 0.5

# An estimate within these shares of what arrives of the stream shows an overload, which
# makes it fall to 0.85 of that. One below is disproved: more than that arrives.
OVERLOAD = (0.8, 0.95)


class Allowance:
    """Bounds octets by the stream's bitrate and by the viewer's estimate.

    Attributes:
        is_congested: whether the path is: there are to be no copies.
    """

    __slots__ = (
        "_filled_at",
        "_octets",
        "_rate",
        "_share",
        "is_congested",
    )

    def __init__(self) -> None:
        self.is_congested = False
        self._share = MAX_SHARE
        # Octets that are left, and what comes in a second.
        self._octets = math.inf
        self._rate = 0.0
        self._filled_at = 0.0

    def review(
        self, bitrate: float, available: float | None, loss: Loss, *, has_queue: bool
    ) -> None:
        """Decide how much is allowed.

        Args:
            bitrate: that of the stream, in bit/s.
            available: the part of the viewer's estimate that is left for the stream, in
                bit/s; None without an estimate.
            has_queue: whether there is a queue in the network.
        """
        self.is_congested, most = has_queue, MAX_SHARE * bitrate
        if available is not None:
            arriving = (1 - loss.fraction) * bitrate
            least, limit = (share * arriving for share in OVERLOAD)
            self.is_congested |= least <= available < limit
            most = min(most, available)
        if self.is_congested:
            self._share = CONGESTED_SHARE
        most = min(most, self._share * bitrate)
        self._rate = max(most, CONGESTED_SHARE * bitrate) / 8

    def second_passed(self, loss: Loss) -> None:
        """Let the share grow to what it was before a congestion, by a second."""
        if not self.is_congested:
            share = max(self._share, CONGESTED_SHARE + loss.fraction)
            self._share = min(RECOVERY * share, MAX_SHARE)

    def allows(self, now: float, *, is_requested: bool) -> bool:
        """Whether another packet may be sent.

        Args:
            is_requested: whether the viewer has requested it; it may then be ahead of
                its time, unless the path is congested.
        """
        saved = self._octets + (now - self._filled_at) * self._rate
        self._octets = min(saved, max(BURST_TIME * self._rate, MIN_BURST))
        self._filled_at = now
        is_ahead = is_requested and not self.is_congested
        return self._octets > (-ADVANCE_TIME * self._rate if is_ahead else 0.0)

    def spend(self, octets: int) -> None:
        """Note that a packet was sent."""
        self._octets -= octets
