"""What was received, and when the peer is told so (RFC 9260 section 6.2)."""

import math
from bisect import bisect_right
from operator import itemgetter

from .chunks import TSN_MASK, write_sack

SACK_DELAY = 0.04
"""Seconds for which an acknowledgement may wait for data to ride with."""

PACKETS_PER_SACK = 2
"""Packets that one acknowledgement may wait for."""

MAX_GAP = 0xFFFF
"""How far ahead a TSN may be: a SACK cannot report more (RFC 9260 section 3.3.4)."""

MAX_MISORDERED = 2048
"""Chunks that may be kept beyond a gap."""

MAX_SACK_BLOCKS = 128
"""Gaps, and duplicates, that one SACK reports; both fit a packet."""

_FIRST = itemgetter(0)


class Acknowledger:
    """Notes the TSNs that were received, and makes acknowledgements of them.

    TSNs are numbers without a wrap (see ``unwrap``).

    Attributes:
        cumulative: all TSNs up to this were received.
        misordered: how many were received beyond it.
        needed: something is to be acknowledged.
        at_once: it is to be acknowledged without delay.
        announced: octets of window in the last SACK.
        deadline: when the delay ends.
    """

    __slots__ = (
        "_duplicates",
        "_packets",
        "_runs",
        "announced",
        "at_once",
        "cumulative",
        "deadline",
        "misordered",
        "needed",
    )

    def __init__(self, window: int) -> None:
        self.announced = window
        self.start(0)

    def start(self, first: int) -> None:
        """Expect the peer to begin with that TSN."""
        # Well above zero, whatever comes before it.
        self.cumulative = first + TSN_MASK
        self.misordered = 0
        self.needed = False
        self.at_once = False
        self.deadline = math.inf
        self._packets = 0
        # Runs beyond the cumulative TSN: first and last.
        self._runs: list[list[int]] = []
        self._duplicates: list[int] = []

    @property
    def is_due(self) -> bool:
        """Whether the acknowledgement cannot wait any more."""
        return self.at_once or self._packets >= PACKETS_PER_SACK

    def packet_received(self, now: float) -> None:
        """Count a packet with something to acknowledge."""
        self._packets += 1
        if self.deadline == math.inf:
            self.deadline = now + SACK_DELAY

    def add(self, tsn: int) -> bool:
        """Note a TSN that is not the next, or comes while something is missing.

        Returns:
            Whether it is new.
        """
        self.at_once = True
        if tsn <= self.cumulative or not self._add_to_runs(tsn):
            if len(self._duplicates) < MAX_SACK_BLOCKS:
                self._duplicates.append(tsn & TSN_MASK)
            return False
        self.misordered += 1
        self._close_gap()
        return True

    def skip_to(self, cumulative: int) -> None:
        """Take all TSNs up to this as received (RFC 3758 section 3.6)."""
        runs = self._runs
        while runs and runs[0][0] <= cumulative:
            first, last = runs[0]
            if last > cumulative:
                self.misordered -= cumulative + 1 - first
                runs[0][0] = cumulative + 1
                break
            self.misordered -= last + 1 - first
            del runs[0]
        self.cumulative = cumulative
        self._close_gap()

    def write(self, window: int) -> bytes:
        """Make a SACK chunk; ``sent`` tells that it was sent.

        Args:
            window: octets that the peer may send.
        """
        base = self.cumulative
        gaps: list[tuple[int, int]] = []
        if self._runs:
            gaps = [
                (first - base, min(last - base, MAX_GAP))
                for first, last in self._runs[:MAX_SACK_BLOCKS]
            ]
        return write_sack(base & TSN_MASK, window, gaps, self._duplicates)

    def sent(self, window: int) -> None:
        """Note that what was received is acknowledged now.

        Args:
            window: octets of the window that the SACK announced.
        """
        self.announced = window
        self.needed = self.at_once = False
        self._packets = 0
        self.deadline = math.inf
        if self._duplicates:
            self._duplicates.clear()

    def _add_to_runs(self, tsn: int) -> bool:
        runs = self._runs
        index = len(runs)
        if runs and tsn <= runs[-1][1]:
            index = bisect_right(runs, tsn, key=_FIRST)
        before = runs[index - 1] if index else None
        if before is not None and tsn <= before[1]:
            return False
        after = runs[index] if index < len(runs) else None
        joins_before = before is not None and before[1] == tsn - 1
        if after is not None and after[0] == tsn + 1:
            after[0] = tsn
            if before is not None and joins_before:
                after[0] = before[0]
                del runs[index - 1]
        elif before is not None and joins_before:
            before[1] = tsn
        else:
            runs.insert(index, [tsn, tsn])
        return True

    def _close_gap(self) -> None:
        """Move the cumulative TSN on over what was received beyond it."""
        runs = self._runs
        while runs and runs[0][0] == self.cumulative + 1:
            first, self.cumulative = runs.pop(0)
            self.misordered -= self.cumulative + 1 - first
