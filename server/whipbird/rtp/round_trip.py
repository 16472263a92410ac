"""The round-trip time to a media sender, as it is measured."""

# Seconds after which a measurement no longer counts.
MEMORY = 10.0

# NTP timestamps in the short form: 16 bits of seconds, 16 of their fraction.
_UNITS = 1 << 16
_MASK = 0xFFFFFFFF
# A round trip that is longer than this, in units, is a wrong answer.
_MAX_UNITS = 10 * _UNITS


class RoundTrip:
    """The shortest of the last measurements.

    Senders and queues make a measurement longer, never shorter.
    """

    __slots__ = ("_before", "_current", "_since")

    def __init__(self) -> None:
        # The shortest one since a moment, and in as many seconds before it.
        self._current = self._before = float("inf")
        self._since = float("-inf")

    def measured(self, seconds: float, now: float) -> None:
        """Count a measurement."""
        self._forget(now)
        self._current = min(self._current, seconds)

    def shortest(self, now: float) -> float | None:
        """The round-trip time in seconds; None when nothing was measured lately."""
        self._forget(now)
        shortest = min(self._current, self._before)
        return None if shortest == float("inf") else shortest

    def _forget(self, now: float) -> None:
        elapsed = now - self._since
        if elapsed < MEMORY:
            return
        self._before = self._current if elapsed < 2 * MEMORY else float("inf")
        self._current, self._since = float("inf"), now


def reference_time(now: float) -> int:
    """A time as an NTP timestamp of 64 bits (RFC 3611 section 4.4)."""
    return int(now * (1 << 32)) & ((1 << 64) - 1)


def round_trip_since(last_reference: int, delay: int, now: float) -> float | None:
    """The round trip that the answer to a reference time tells (RFC 3611 section 4.5).

    Args:
        last_reference: the middle 32 bits of the reference time.
        delay: between its arrival and the answer, in 1/65536 s.
        now: the arrival of the answer, in seconds of the clock of ``reference_time``.

    Returns:
        Seconds; None for an answer that cannot be right.
    """
    arrival = reference_time(now) >> 16
    units = (arrival - last_reference - delay) & _MASK
    return units / _UNITS if units <= _MAX_UNITS else None
