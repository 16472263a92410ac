"""A bandwidth estimate for REMB, computed from what arrives of a sender's media.

It serves senders without transport-wide congestion control feedback, with which they
estimate themselves. It falls when packets are delayed more and more, as far as they say
when they were sent, and when more is lost than retransmission mends. The rules are
those of draft-ietf-rmcat-gcc-02 sections 5.5 and 6.
"""

from collections import deque

from .delay_trend import DelayTrend

# bit/s. A lower estimate would help nobody: a picture of 320x180 with sound needs about
# as much, and what cannot carry that cannot carry the stream.
FLOOR = 150_000
CEILING = 50_000_000
INITIAL = 2_000_000

# Loss fractions: below the first, the estimate grows; above the second, it falls.
LOW_LOSS = 0.02
HIGH_LOSS = 0.10

# Growth per second without loss: a factor, and bit/s for small estimates.
INCREASE = 1.08
INCREASE_BY = 1_000

# The estimate grows to at most this factor of the received bitrate, plus bit/s: beyond
# it, absence of loss says nothing about the path.
HEADROOM = 1.5
HEADROOM_BY = 10_000

# A growing queue takes the estimate to this share of the received bitrate, measured
# over some slots of time; then not again within some seconds, in which the sender
# follows and the queue drains.
BACKOFF = 0.85
SLOT = 0.05
SLOTS = 10
BACKOFF_INTERVAL = 0.4
# Seconds without growth after that.
HOLD = 1.0

# Loss is measured over at least so many packets, or so many seconds.
MIN_PACKETS = 20
MIN_INTERVAL = 0.2
MAX_INTERVAL = 5.0


class BandwidthEstimate:
    """Estimates the available bandwidth of the path from a sender.

    Args:
        floor: the smallest estimate, in bit/s.
        ceiling: the largest estimate, in bit/s.
        initial: the first estimate, in bit/s.

    Attributes:
        bitrate: the estimate, in bit/s.
    """

    __slots__ = (
        "_backed_off",
        "_ceiling",
        "_floor",
        "_slots",
        "_totals",
        "_trend",
        "_updated",
        "bitrate",
    )

    def __init__(
        self, floor: int = FLOOR, ceiling: int = CEILING, initial: int = INITIAL
    ) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self.bitrate = min(max(initial, floor), ceiling)
        self._updated: float | None = None
        self._totals = (0, 0, 0)
        self._trend = DelayTrend()
        # Octets received, by slot of time.
        self._slots: deque[list[int]] = deque(maxlen=SLOTS + 1)
        # When a growing queue has last made it fall.
        self._backed_off = float("-inf")

    def received(self, sent: int, octets: int, now: float) -> bool:
        """Count a packet that says when it was sent.

        Args:
            sent: its abs-send-time, 24 bits.
            octets: its size.
            now: its arrival, in seconds.

        Returns:
            Whether the estimate has fallen, so that the sender is to be told at once.
        """
        slot = int(now / SLOT)
        if not self._slots or self._slots[-1][0] != slot:
            self._slots.append([slot, 0])
        self._slots[-1][1] += octets
        self._trend.received(sent, now)
        if not self._trend.is_growing or now - self._backed_off < BACKOFF_INTERVAL:
            return False
        self._backed_off = now
        lowered = max(int(BACKOFF * self._received_bitrate(slot)), self._floor)
        if lowered >= self.bitrate:
            return False
        self.bitrate = lowered
        return True

    def _received_bitrate(self, slot: int) -> float:
        """The received bitrate over the slots before the current one."""
        octets = sum(n for at, n in self._slots if slot - SLOTS <= at < slot)
        return 8 * octets / (SLOTS * SLOT)

    def update(self, now: float, octets: int, expected: int, lost: int) -> int:
        """Update the estimate; called about every second.

        Args:
            now: the time, in seconds.
            octets: octets received so far, from all of the sender's sources.
            expected: packets that it has sent so far.
            lost: how many of these were lost for good.

        Returns:
            The estimate, in bit/s.
        """
        totals = (octets, expected, lost)
        if self._updated is None:
            self._updated, self._totals = now, totals
            return self.bitrate
        interval = now - self._updated
        octets, expected, lost = (
            max(total - before, 0)
            for total, before in zip(totals, self._totals, strict=True)
        )
        if interval < MIN_INTERVAL:
            return self.bitrate
        if expected < MIN_PACKETS and interval < MAX_INTERVAL:
            return self.bitrate
        self._updated, self._totals = now, totals
        if expected == 0:
            return self.bitrate
        fraction = min(lost / expected, 1.0)
        received = 8 * octets / interval
        bitrate = float(self.bitrate)
        if fraction > HIGH_LOSS:
            if fraction < 1.0:
                # The sender sends more than the path can carry.
                bitrate = min(bitrate, received / (1.0 - fraction))
            bitrate *= 1.0 - fraction / 2
        elif (
            fraction < LOW_LOSS
            and bitrate < HEADROOM * received + HEADROOM_BY
            and now - self._backed_off >= HOLD
            and not self._trend.is_growing
            and not self._trend.is_shrinking
        ):
            elapsed = min(interval, 1.0)
            bitrate = bitrate * INCREASE**elapsed + INCREASE_BY * elapsed
        self.bitrate = int(min(max(bitrate, self._floor), self._ceiling))
        return self.bitrate
