"""How much may be sent, how long an answer may take (RFC 9260 sections 6.3 and 7)."""

import math

from .chunks import USER_DATA_SIZE

RTO_INITIAL = 0.5
RTO_MAX = 60.0

ACKNOWLEDGEMENT_ALLOWANCE = 0.22
"""Seconds by which the retransmission timeout exceeds the round trip at least.

A peer may delay an acknowledgement for 200 ms (RFC 9260 section 6.2). This takes the
place of RTO.Min, which is 1 s there: too long for a conversation."""

MAX_BACKOFF = 3.0
"""Seconds to which timeouts double at most, rather than ``RTO_MAX``.

Consent (RFC 7675) ends a dead session, within 30 s. Until then, a path that works again
is to be used soon."""

MAX_RETRANSMISSIONS = 20
"""Timeouts in a row after which the association is over: a little under a minute."""

INITIAL_WINDOW = 10 * USER_DATA_SIZE
"""Octets of the congestion window at first, as RFC 6928 has it for TCP."""

MAX_BURST = 32 * USER_DATA_SIZE
"""Octets that are sent at a time at most, beside those just acknowledged (RFC 9260
section 6.1, rule D), and by which one acknowledgement opens the congestion window at
most (section 7.2.1)."""

_MIN_THRESHOLD = 4 * USER_DATA_SIZE


def back_off(timeout: float, failures: int) -> float:
    """Return a timeout (seconds) doubled for each failure, within bounds."""
    return max(timeout, min(timeout * 2.0 ** min(failures, 32), MAX_BACKOFF))


class RoundTrip:
    """Measures round trips (RFC 9260 section 6.3.1).

    Attributes:
        timeout: the retransmission timeout (seconds), without backoff.
        due: when the next is to be measured: once in each (section 6.3.1, C4).
    """

    __slots__ = ("_smoothed", "_variation", "due", "timeout")

    def __init__(self) -> None:
        self.timeout = RTO_INITIAL
        self.due = -math.inf
        self._smoothed: float | None = None
        self._variation = 0.0

    def seed(self, rtt: float) -> None:
        """Take a round-trip time (seconds) measured by others, until there is one."""
        if self._smoothed is None:
            self._set_timeout(rtt, 2 * rtt)

    def measure(self, rtt: float, now: float) -> None:
        """Take a round-trip time (seconds)."""
        self.due = now + rtt
        smoothed = self._smoothed
        if smoothed is None:
            self._smoothed = smoothed = rtt
            self._variation = rtt / 2
        else:
            self._variation += (abs(smoothed - rtt) - self._variation) / 4
            self._smoothed = smoothed = smoothed + (rtt - smoothed) / 8
        self._set_timeout(smoothed, 4 * self._variation)

    def _set_timeout(self, rtt: float, margin: float) -> None:
        if margin < ACKNOWLEDGEMENT_ALLOWANCE:
            margin = ACKNOWLEDGEMENT_ALLOWANCE
        timeout = rtt + margin
        self.timeout = RTO_MAX if timeout > RTO_MAX else timeout


class CongestionWindow:
    """The congestion window (RFC 9260 section 7.2).

    Args:
        peer_window: octets that the peer can take.

    Attributes:
        size: octets that may be in flight.
    """

    __slots__ = ("_acknowledged", "_threshold", "size")

    def __init__(self, peer_window: int) -> None:
        self.size = INITIAL_WINDOW
        self._threshold = max(peer_window, INITIAL_WINDOW)
        self._acknowledged = 0

    def open(self, octets: int) -> None:
        """Note octets that were acknowledged while the window was in full use.

        Slow start and congestion avoidance (sections 7.2.1 and 7.2.2).
        """
        if self.size <= self._threshold:
            self.size += min(octets, MAX_BURST)
            return
        self._acknowledged += octets
        if self._acknowledged >= self.size:
            self._acknowledged -= self.size
            self.size += USER_DATA_SIZE

    def reduce(self) -> None:
        """Note that chunks were lost (section 7.2.3)."""
        self._threshold = max(self.size // 2, _MIN_THRESHOLD)
        self.size = self._threshold
        self._acknowledged = 0

    def collapse(self) -> None:
        """Note that nothing was acknowledged for long (section 7.2.3)."""
        self.reduce()
        self.size = USER_DATA_SIZE
