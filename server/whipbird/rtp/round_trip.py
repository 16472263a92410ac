"""The round trip of a path, measured by what a peer returns of our time.

A receiver report returns the time of a sender report, and how long it was kept (LSR and
DLSR, RFC 3550 section 6.4.1); so does the answer to a reference time (RFC 3611 section
4.5). Our time is kept here and only looked up, so neither a step of the wall clock nor
an invented time makes a measurement.
"""

import math

from .ntp import short_ntp

# Times that are kept: more than are on their way, also with a few sources.
MAX_SENT = 32
# Seconds of a measurement at most: nobody can use a path that takes longer.
MAX_ROUND_TRIP = 5.0

# RFC 6298 section 2: the weights of a new measurement.
_ALPHA, _BETA = 1 / 8, 1 / 4

# Seconds after which the shortest round trip is forgotten, at the latest after twice as
# many: a path may change.
_WINDOW = 30.0
# Seconds beyond the shortest round trip that show a queue. Links that retransmit on
# their own, as Wi-Fi does, vary by less.
QUEUE = 0.08


class RoundTrip:
    """Measures and smooths the round trip of one path.

    Attributes:
        smoothed: seconds (RFC 6298 section 2); None before the first measurement.
        variation: how much it varies, in seconds.
        last: the last measurement, in seconds.
        sent_at: when the packet was sent that it measures.
    """

    __slots__ = (
        "_before",
        "_sent",
        "_shortest",
        "_shortest_before",
        "_since",
        "last",
        "sent_at",
        "smoothed",
        "variation",
    )

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self.variation = 0.0
        # The shortest ones of this window and of the one before; when this one began.
        self._shortest = self._shortest_before = math.inf
        self._since = -math.inf
        # The last two measurements.
        self.last = self._before = 0.0
        self.sent_at = -math.inf
        self._sent: dict[int, float] = {}

    def sent(self, ntp_timestamp: int, now: float) -> None:
        """Note that an NTP timestamp (64 bits) was sent."""
        if len(self._sent) >= MAX_SENT:
            del self._sent[next(iter(self._sent))]
        self._sent[short_ntp(ntp_timestamp)] = now

    def returned(self, timestamp: int, delay: int, now: float) -> None:
        """Measure by a time that the peer has returned.

        Args:
            timestamp: the middle 32 bits of the NTP timestamp; one that was not sent,
                or long ago, is ignored.
            delay: how long the peer has kept it, in 1/65536 s.
        """
        sent = self._sent.get(timestamp)
        if sent is not None:
            self.measured(now - sent - delay / 65536, now, sent)

    def measured(self, seconds: float, now: float, sent_at: float = -math.inf) -> None:
        """Take a measurement; an impossible one is ignored.

        One that is a little below 0 is a peer's rounding.
        """
        if not -0.01 <= seconds <= MAX_ROUND_TRIP:
            return
        seconds = max(seconds, 0.0)
        if self.smoothed is None:
            self.smoothed, self.variation = seconds, seconds / 2
            self.last = seconds
        else:
            error = abs(self.smoothed - seconds)
            self.variation += _BETA * (error - self.variation)
            self.smoothed += _ALPHA * (seconds - self.smoothed)
        self._before, self.last, self.sent_at = self.last, seconds, sent_at
        if now - self._since >= _WINDOW:
            self._since = now
            self._shortest_before, self._shortest = self._shortest, seconds
        self._shortest = min(self._shortest, seconds)

    @property
    def shortest(self) -> float | None:
        """The shortest measurement lately, in seconds; None before the first one."""
        shortest = min(self._shortest, self._shortest_before)
        return None if shortest == math.inf else shortest

    @property
    def has_queue(self) -> bool:
        """Whether the last two measurements show a queue in the network."""
        shortest = min(self._shortest, self._shortest_before)
        return min(self.last, self._before) > shortest + QUEUE

    @property
    def waiting(self) -> float:
        """Seconds by which the last measurement is longer than the shortest."""
        shortest = self.shortest
        return 0.0 if shortest is None else self.last - shortest
