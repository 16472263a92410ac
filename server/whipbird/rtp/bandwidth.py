"""How much a sender may send, for REMB: from what it sends and what of it is lost.

For senders without transport-wide feedback, which leaves the estimate to them. The
rules are those of the loss-based controller in draft-ietf-rmcat-gcc-02 section 6.
"""

# bit/s
FLOOR = 150_000
CEILING = 50_000_000
INITIAL = 2_000_000

# Fractions of the packets: below the one there is room, above the other too little.
LOW_LOSS = 0.02
HIGH_LOSS = 0.10

# Per second without loss, and bit/s beside it, so that a small one grows too.
INCREASE = 1.08
INCREASE_BY = 1_000

# An estimate this much above what comes says nothing of the path until more comes.
HEADROOM = 1.5
HEADROOM_BY = 10_000

# Loss is a fraction of so many packets at least, or of so many seconds.
MIN_PACKETS = 20
MIN_INTERVAL = 0.2
MAX_INTERVAL = 5.0


class BandwidthEstimate:
    """Estimates the bitrate that the path from a sender takes.

    Args:
        floor: the least that is asked for, in bit/s.
        ceiling: the most.
        initial: before anything is known.

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
        """Take account of what came, to be called every second or so.

        Args:
            now: the time, in seconds.
            octets: how many have come, of all the sender's sources, since the
                beginning.
            expected: how many packets it has sent since then.
            lost: how many of these have not come.

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
                # What was sent is more than the path takes.
                bitrate = min(bitrate, received / (1.0 - fraction))
            bitrate *= 1.0 - fraction / 2
        elif fraction < LOW_LOSS and bitrate < HEADROOM * received + HEADROOM_BY:
            elapsed = min(interval, 1.0)
            bitrate = bitrate * INCREASE**elapsed + INCREASE_BY * elapsed
        self.bitrate = int(min(max(bitrate, self._floor), self._ceiling))
        return self.bitrate
