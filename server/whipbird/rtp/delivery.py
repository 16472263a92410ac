"""How quickly packets arrive at a receiver, by its reports.

While packets wait in front of a link, they arrive as quickly as the link carries them.
"""

from collections import deque

# Seconds that are kept, and between two reports that are.
_MEMORY, _STEP = 1.5, 0.05
# Seconds that a measurement takes at least.
_LEAST = 0.2
# More packets than a path carries in that time: the counts are no counts.
_IMPOSSIBLE = 1 << 20


class Delivery:
    """Remembers how many packets of a source have arrived."""

    __slots__ = ("_reports",)

    def __init__(self) -> None:
        # When each came, and how many packets had arrived; these wrap at 32 bits.
        self._reports: deque[tuple[float, int]] = deque()

    def reported(self, highest_sequence: int, packets_lost: int, now: float) -> None:
        """Take a report block (RFC 3550 section 6.4.1).

        Args:
            highest_sequence: the extended highest sequence number.
            packets_lost: since the beginning.
        """
        reports = self._reports
        if reports and now - reports[-1][0] < _STEP:
            return
        while reports and now - reports[0][0] > _MEMORY:
            reports.popleft()
        reports.append((now, highest_sequence - packets_lost))

    def rate(self, since: float) -> float | None:
        """Packets per second from a moment to the last report.

        Returns:
            None if there are not enough reports.
        """
        reports = self._reports
        first = next((report for report in reports if report[0] >= since), None)
        if first is None:
            return None
        (began, before), (ended, after) = first, reports[-1]
        packets = (after - before) & 0xFFFFFFFF
        if ended - began < _LEAST or packets > _IMPOSSIBLE:
            return None
        return packets / (ended - began)
