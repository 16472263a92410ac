"""Transport-wide congestion control feedback: which packets arrived, and when.

draft-holmer-rmcat-transport-wide-cc-extensions-01. All packets of a transport have a
common sequence number, in a header extension; their arrival times are reported in an
RTCP message (section 3.1), from which the sender estimates the bandwidth.
"""

from collections import deque
from struct import Struct

from .rtcp import RTPFB, write_feedback

_FORMAT = 15

# Arrivals kept until they are reported.
MAX_ARRIVALS = 4096
# A packet that was reported lost and arrives after all is reported if it is at most
# this many sequence numbers late.
MAX_LATE = 1024
# After a larger gap, the numbers start anew and the gap is not reported.
MAX_GAP = 8192
# Limits of one message: sequence numbers (at most 65535); and arrivals and gaps, so
# that it fits into a datagram: an arrival takes up to two octets, a gap up to six.
MAX_STATUSES = 1 << 15
MAX_REPORTED = 250
MAX_GAPS = 80

# Packets that may be reported as lost although more are lost than the limit.
MAX_ALLOWANCE = 10.0

# Deltas are in ticks of 250 microseconds, the reference time in 64 ms.
_TICKS_PER_SECOND = 4000
_TICKS_PER_REFERENCE = 256

# Packet status symbols (section 3.1.1)
_NOT_RECEIVED = 0
_SMALL_DELTA = 1
_LARGE_DELTA = 2

# Symbols in one chunk (sections 3.1.3 and 3.1.4)
_MAX_RUN = 0x1FFF
_ONE_BIT_SYMBOLS = 14
_TWO_BIT_SYMBOLS = 7

_BASE = Struct("!HHI")
_CHUNK = Struct("!H")
_DELTA = Struct("!h")


class TransportFeedback:
    """Collects the arrivals on one transport and writes the feedback messages.

    Attributes:
        loss_limit: at most so many packets are reported as lost for each one that has
            come; 1 for any number. Of others nothing is said: messages end before them,
            and go on behind them.
    """

    __slots__ = (
        "_allowance",
        "_arrivals",
        "_count",
        "_expected",
        "_missing",
        "_next",
        "_pending",
        "loss_limit",
    )

    def __init__(self) -> None:
        self.loss_limit = 1.0
        # Packets that may be reported as lost.
        self._allowance = 0.0
        # In the order of arrival, so that a packet costs little; write() sorts them.
        # The sequence number after the newest one; -1 before the first.
        self._expected = -1
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=MAX_ARRIVALS)
        # Sorted arrivals to report: extended sequence numbers and ticks.
        self._pending: list[tuple[int, int]] = []
        # The extended sequence number after the last one reported.
        self._next: int | None = None
        # Sequence numbers before it that have not come.
        self._missing: set[int] = set()
        self._count = 0

    def received(self, sequence: int, now: float) -> int:
        """Note the arrival of a packet.

        Args:
            sequence: its transport-wide sequence number, 16 bits.
            now: its time of arrival, in seconds.

        Returns:
            How many packets are missing directly before it; -1 if it is one of those
            that were missing.
        """
        self._arrivals.append((sequence, now))
        if sequence == self._expected:
            # The usual case.
            self._expected = (sequence + 1) & 0xFFFF
            return 0
        step = (sequence - self._expected) & 0xFFFF if self._expected >= 0 else 0
        if step > 0x10000 - MAX_LATE:
            return -1
        self._expected = (sequence + 1) & 0xFFFF
        return step

    def write(self, sender_ssrc: int, media_ssrc: int) -> bytes | None:
        """Write the next message; call it until it returns None.

        The message may have padding, so it must come last in a compound packet.

        Args:
            sender_ssrc: our own SSRC.
            media_ssrc: any source on this transport.

        Returns:
            One RTCP packet, or None if there is nothing to report.
        """
        if not self._pending:
            self._sort_arrivals()
            if not self._pending:
                return None
        pending, reported = self._pending, self._next
        base, ticks = pending[0]
        is_late = reported is not None and base < reported
        if reported is not None and 0 < base - reported <= MAX_GAP:
            if self._is_told(base - reported):
                base = reported
            else:
                self._note_missing(reported, base)
        reference = ticks // _TICKS_PER_REFERENCE
        last_ticks = reference * _TICKS_PER_REFERENCE
        symbols, deltas = bytearray(), bytearray()
        expected, written, gaps = base, 0, 0
        for sequence, ticks in pending[:MAX_REPORTED]:
            delta = ticks - last_ticks
            is_large = delta >> 8
            if is_large and not -0x8000 <= delta <= 0x7FFF:
                break
            if sequence != expected:
                gap = sequence - expected
                gaps += 1
                if (
                    is_late  # the packets between were reported before
                    or gap > MAX_GAP
                    or sequence - base >= MAX_STATUSES
                    or gaps > MAX_GAPS
                    or (written and not self._is_told(gap))
                ):
                    break
                symbols += bytes(gap)
                self._note_missing(expected, sequence)
            if is_large:
                symbols.append(_LARGE_DELTA)
                deltas += _DELTA.pack(delta)
            else:
                symbols.append(_SMALL_DELTA)
                deltas.append(delta)
            last_ticks = ticks
            expected = sequence + 1
            written += 1
        if is_late:
            self._missing.difference_update(range(base, expected))
        if reported is None or reported < expected:
            self._next = expected
        earned = self._allowance + written * self.loss_limit
        self._allowance = min(earned, MAX_ALLOWANCE)
        self._forget_missing()
        del pending[:written]
        information = _BASE.pack(
            base & 0xFFFF,
            len(symbols),
            (reference & 0xFFFFFF) << 8 | self._count,
        )
        self._count = (self._count + 1) & 0xFF
        return write_feedback(
            RTPFB,
            _FORMAT,
            sender_ssrc,
            media_ssrc,
            information + _write_chunks(symbols) + deltas,
        )

    def _sort_arrivals(self) -> None:
        """Extend and sort the sequence numbers of the new arrivals."""
        if not self._arrivals:
            return
        reported = self._next
        newest = (self._arrivals[0][0] if reported is None else reported) - 1
        arrivals: dict[int, int] = {}
        for sequence, now in self._arrivals:
            step = (sequence - newest) & 0xFFFF
            if step == 1:
                newest += 1
                arrivals[newest] = int(now * _TICKS_PER_SECOND)
                continue
            if 0 < step <= 0x10000 - MAX_LATE:
                newest = extended = newest + step
            else:
                extended = newest + (step - 0x10000 if step else 0)
                if reported is not None and (
                    extended < reported and extended not in self._missing
                ):
                    continue
            if extended not in arrivals:
                arrivals[extended] = int(now * _TICKS_PER_SECOND)
        self._arrivals.clear()
        self._pending = sorted(arrivals.items())

    def _is_told(self, gap: int) -> bool:
        """Whether so many packets are reported as lost."""
        if self.loss_limit >= 1:
            return True
        if self._allowance < gap:
            return False
        self._allowance -= gap
        return True

    def _note_missing(self, first: int, end: int) -> None:
        self._missing.update(range(max(first, end - MAX_LATE), end))

    def _forget_missing(self) -> None:
        """Forget missing packets that would be too late to report."""
        if len(self._missing) > MAX_LATE:
            assert self._next is not None
            oldest = self._next - MAX_LATE
            self._missing = {number for number in self._missing if number >= oldest}


def _write_chunks(symbols: bytearray) -> bytearray:
    """Write status chunks, each as long as possible (sections 3.1.2 to 3.1.4)."""
    chunks = bytearray()
    position, end = 0, len(symbols)
    while position < end:
        rest = symbols[position : position + _MAX_RUN]
        run = len(rest) - len(rest.lstrip(rest[:1]))
        vector = rest[:_ONE_BIT_SYMBOLS]
        is_one_bit = _LARGE_DELTA not in vector
        if (
            run >= _ONE_BIT_SYMBOLS
            or run == end - position
            or (run >= _TWO_BIT_SYMBOLS and not is_one_bit)
        ):
            chunk = rest[0] << 13 | run
            position += run
        elif is_one_bit:
            chunk = 0b10
            for symbol in vector.ljust(_ONE_BIT_SYMBOLS, b"\0"):
                chunk = chunk << 1 | symbol
            position += _ONE_BIT_SYMBOLS
        else:
            chunk = 0b11
            for symbol in vector[:_TWO_BIT_SYMBOLS].ljust(_TWO_BIT_SYMBOLS, b"\0"):
                chunk = chunk << 2 | symbol
            position += _TWO_BIT_SYMBOLS
        chunks += _CHUNK.pack(chunk)
    return chunks
