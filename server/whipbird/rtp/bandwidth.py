"""A bandwidth estimate for REMB, computed from the bitrate and loss of received media.

It serves senders without transport-wide congestion control feedback, with which they
estimate themselves. The rules are those of the loss-based controller in
draft-ietf-rmcat-gcc-02 section 6.
"""

# bit/s
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

    __slots__ = ("_ceiling", "_floor", "_totals", "_updated", "bitrate")

    def __init__(
        self, floor: int = FLOOR, ceiling: int = CEILING, initial: int = INITIAL
    ) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self.bitrate = min(max(initial, floor), ceiling)
        self._updated: float | None = None
        self._totals = (0, 0, 0)

    def update(self, now: float, octets: int, expected: int, lost: int) -> int:
        """Update the estimate; called about every second.

        Args:
            now: the time, in seconds.
            octets: octets received so far, from all of the sender's sources.
            expected: packets that it has sent so far.
            lost: how many of these were lost.

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
        elif fraction < LOW_LOSS and bitrate < HEADROOM * received + HEADROOM_BY:
            elapsed = min(interval, 1.0)
            bitrate = bitrate * INCREASE**elapsed + INCREASE_BY * elapsed
        self.bitrate = int(min(max(bitrate, self._floor), self._ceiling))
        return self.bitrate
