"""Sequence numbers that do not wrap, and what receiver reports say of them."""

from whipbird.rtp.rtcp import ReportBlock


class Unwrapper:
    """Numbers of some bits as ones that do not wrap."""

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        """The number nearest to the last one."""
        if self._last is None:
            self._last = value
        half = self._size // 2
        self._last += (value - self._last + half) % self._size - half
        return self._last


class Reports:
    """What receiver reports say of a source (RFC 3550 section 6.4.1, appendix A.3)."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._highest = self._received = 0
        self._before = (0, 0)

    def receive(self, sequence: int) -> None:
        """Note a packet of the source itself, not of its RTX stream."""
        if self._first is None:
            self._first = self._highest = sequence
        self._highest = max(self._highest, sequence)
        self._received += 1

    def block(self, ssrc: int) -> ReportBlock | None:
        """The report since the last one; None before any packet."""
        if self._first is None:
            return None
        expected = self._highest - self._first + 1
        since = expected - self._before[0], self._received - self._before[1]
        self._before = expected, self._received
        lost = max(since[0] - since[1], 0)
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=min(256 * lost // since[0], 255) if since[0] else 0,
            packets_lost=expected - self._received,
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=0,
            last_report=0,
            delay=0,
        )
