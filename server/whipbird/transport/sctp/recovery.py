"""The fate of what was sent: acknowledged, lost and retransmitted, or abandoned.

RFC 9260 sections 6.2.1, 6.3 and 7, and RFC 3758 section 3.5. TSNs are numbers without
a wrap (see ``chunks.unwrap``).
"""

import math
from collections import deque
from collections.abc import Iterable

from .chunks import MAX_PACKET_SIZE, TSN_MASK, SctpError, unwrap, write_forward_tsn
from .congestion import MAX_BURST, CongestionWindow, RoundTrip, back_off
from .outbound import (
    ABANDONED,
    ACKNOWLEDGED,
    IN_FLIGHT,
    LOST,
    OutboundChunk,
    OutboundMessage,
)

MAX_SENT_CHUNKS = 2048
"""Chunks sent and not acknowledged. The congestion window counts octets, of which tiny
messages have few; an acknowledgement with gaps goes through all chunks."""

MISSES = 3
"""Reports of a gap after which a chunk counts as lost (RFC 9260 section 7.2.4)."""

_MAX_SKIPPED_STREAMS = (MAX_PACKET_SIZE - 24) // 4


class Recovery:
    """Keeps the chunks that were sent until the peer has them.

    Args:
        first: the first TSN, 32 bits.

    Attributes:
        next_tsn: the TSN of the next new chunk.
        acknowledged: the peer has all TSNs up to this.
        sent: chunks that follow, in order, without a gap.
        stored: octets of user data in them.
        flight: octets that are on their way.
        peer_window: octets that the peer can take.
        round_trip: tells the retransmission timeout.
        congestion: the congestion window.
        has_lost: chunks are to be retransmitted.
        forward_is_due: a FORWARD TSN is to be sent.
        failures: timeouts since the peer was heard.
        retransmitted: chunks that were retransmitted.
        deadline: when T3 expires.
    """

    def __init__(self, first: int) -> None:
        self.retransmitted = 0
        self.round_trip = RoundTrip()
        self.start(first, 1 << 17)

    def start(self, first: int, peer_window: int) -> None:
        """Begin an association.

        Args:
            first: the first TSN, 32 bits.
            peer_window: octets that the peer can take.
        """
        self.next_tsn = first + TSN_MASK + 1
        self.acknowledged = self.next_tsn - 1
        self.sent: deque[OutboundChunk] = deque()
        self.stored = self.flight = 0
        self.congestion = CongestionWindow(peer_window)
        self.peer_window = peer_window
        self.failures = 0
        self.deadline = math.inf
        self.has_lost = self.forward_is_due = False
        self._order = 0
        self._lost: deque[OutboundChunk] = deque()
        # Abandoned chunks at the front, of which the peer is to be told.
        self._skipped: deque[OutboundChunk] = deque()
        self._recovery_exit: int | None = None
        self._retransmit_at_once = False

    @property
    def is_idle(self) -> bool:
        """Whether the peer has all that was sent."""
        return not self.sent and not self._skipped

    @property
    def chunks(self) -> int:
        """How many chunks are kept."""
        return len(self.sent) + len(self._skipped)

    # Sending

    def allowance(self) -> int:
        """Return how large ``flight`` may grow now.

        A closed window is probed with one chunk (RFC 9260 section 6.1, rule A).
        """
        return min(
            self.flight + MAX_BURST, self.congestion.size, max(self.peer_window, 1)
        )

    def add(self, chunk: OutboundChunk, now: float) -> None:
        """Note that a new chunk, with the next TSN, is sent now."""
        self.next_tsn += 1
        self.sent.append(chunk)
        self.stored += chunk.size
        self.flight += chunk.size
        self._order = chunk.order = self._order + 1
        chunk.sent_at = now
        chunk.transmissions = 1
        if self.deadline == math.inf:
            self.deadline = now + self.round_trip.timeout

    def add_abandoned(self, chunk: OutboundChunk) -> None:
        """Give the next TSN to a chunk that will never be sent."""
        self.next_tsn += 1
        chunk.state = ABANDONED
        self.sent.append(chunk)
        self._skip()

    def retransmit(self, now: float, allowance: int) -> list[OutboundChunk]:
        """Take lost chunks that are to be sent now."""
        chunks: list[OutboundChunk] = []
        lost = self._lost
        while lost:
            chunk = lost[0]
            if chunk.state != LOST:
                lost.popleft()
                continue
            if chunk.message.has_expired(now):
                self._abandon(chunk.message)
                continue
            if self._retransmit_at_once:
                # RFC 9260 section 7.2.4, step 3: one packet, whatever the window.
                self._retransmit_at_once = False
            elif self.flight >= allowance:
                break
            lost.popleft()
            chunk.state = IN_FLIGHT
            self.flight += chunk.size
            self._order = chunk.order = self._order + 1
            chunk.transmissions += 1
            chunk.misses = 0
            chunks.append(chunk)
        self.has_lost = bool(lost)
        self._skip()
        self.retransmitted += len(chunks)
        if chunks and chunks[0] is self.sent[0]:
            self._restart_timer(now)
        return chunks

    def write_forward_tsn(self, now: float) -> bytes:
        """Make a FORWARD TSN chunk (RFC 3758 section 3.5, C3)."""
        self.forward_is_due = False
        cumulative = self.acknowledged
        streams: dict[int, int] = {}
        for chunk in self._skipped:
            message = chunk.message
            if message.sequence is not None:
                if len(streams) == _MAX_SKIPPED_STREAMS:
                    break
                streams[message.stream_id] = message.sequence
            cumulative = chunk.tsn
        if self.deadline == math.inf:
            self.deadline = now + self.round_trip.timeout
        return write_forward_tsn(cumulative & TSN_MASK, streams)

    def forget_streams(self, streams: set[int]) -> None:
        """Note that streams were reset: old sequence numbers mean nothing now."""
        for chunk in (*self._skipped, *self.sent):
            if chunk.message.stream_id in streams:
                chunk.message.sequence = None

    # Acknowledgements

    def receive_sack(self, number: int, window: int, now: float) -> None:
        """Take an acknowledgement without gaps (RFC 9260 section 6.2.1).

        Args:
            number: the cumulative TSN, 32 bits.
            window: octets that the peer can take.

        Raises:
            SctpError: when it acknowledges what was never sent.
        """
        cumulative = unwrap(number, self.acknowledged)
        count = cumulative - self.acknowledged
        sent = self.sent
        if (
            count > len(sent)
            or self.has_lost
            or self._skipped
            or self._recovery_exit is not None
        ):
            self.receive_gaps(number, window, (), now)
            return
        if count < 0:
            return  # older than what is known
        self.peer_window = window
        self.failures = 0
        if count == 0:
            return
        self.acknowledged = cumulative
        was_full = self.flight >= self.congestion.size
        first = sent[0]
        if first.transmissions == 1 and first.state == IN_FLIGHT:
            self.round_trip.measure(now - first.sent_at)
        octets = 0
        stored = 0
        for _ in range(count):
            chunk = sent.popleft()
            stored += chunk.size
            if chunk.state == IN_FLIGHT:
                octets += chunk.size
        self.stored -= stored
        self.flight -= octets
        if was_full:
            self.congestion.open(octets)
        self.deadline = now + self.round_trip.timeout if sent else math.inf

    def receive_gaps(
        self,
        number: int,
        window: int,
        gaps: Iterable[tuple[int, int]],
        now: float,
    ) -> None:
        """Take an acknowledgement with gaps, or one while something is missing.

        Args:
            number: the cumulative TSN, 32 bits.
            window: octets that the peer can take.
            gaps: the first and the last offset of each block.

        Raises:
            SctpError: when it is not plausible: going through gaps takes time, and
                what was never sent cannot be acknowledged.
        """
        cumulative = unwrap(number, self.acknowledged)
        if cumulative >= self.next_tsn:
            raise SctpError("an acknowledgement of what was never sent")
        if cumulative < self.acknowledged:
            return
        blocks = self._check_gaps(cumulative, gaps)
        self.peer_window = window
        self.failures = 0
        was_full = self.flight >= self.congestion.size
        advanced = cumulative > self.acknowledged
        octets, newest = self._acknowledge_all(cumulative, now)
        if blocks:
            more, newest, missing = self._acknowledge_gaps(blocks, newest)
            octets += more
            if self._strike(missing, newest) and self._recovery_exit is None:
                # Fast recovery (RFC 9260 section 7.2.4).
                self.congestion.reduce()
                self._recovery_exit = self.next_tsn - 1
                self._retransmit_at_once = True
        self._unacknowledge_first()
        if self._recovery_exit is not None:
            if cumulative >= self._recovery_exit:
                self._recovery_exit = None
        elif advanced and was_full:
            self.congestion.open(octets)
        self._skip()
        # Told again until the peer confirms it (RFC 3758 section 3.5, C3).
        self.forward_is_due = bool(self._skipped)
        if self.is_idle:
            self.deadline = math.inf
        elif advanced:
            self._restart_timer(now)

    def _check_gaps(
        self, cumulative: int, gaps: Iterable[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Return the first and the last TSN of each block."""
        blocks: list[tuple[int, int]] = []
        outstanding = self.next_tsn - 1 - cumulative
        reported = 1
        for first, last in gaps:
            # The next TSN is missing; blocks ascend and do not touch.
            if not reported < first <= last <= outstanding:
                raise SctpError("an acknowledgement with impossible gaps")
            blocks.append((cumulative + first, cumulative + last))
            reported = last + 1
        return blocks

    def _acknowledge_all(self, cumulative: int, now: float) -> tuple[int, int]:
        """Drop the chunks up to a TSN.

        Returns:
            Octets newly acknowledged; the highest ``order`` of a chunk among them, or
            0.
        """
        octets = newest = 0
        skipped = self._skipped
        while skipped and skipped[0].tsn <= cumulative:
            skipped.popleft()
        sent = self.sent
        measured = False
        while sent and sent[0].tsn <= cumulative:
            chunk = sent.popleft()
            self.stored -= chunk.size
            if chunk.state == IN_FLIGHT:
                self.flight -= chunk.size
                if not measured and chunk.transmissions == 1:
                    measured = True
                    self.round_trip.measure(now - chunk.sent_at)
            if chunk.state in (IN_FLIGHT, LOST):
                octets += chunk.size
                newest = max(newest, chunk.order)
            chunk.state = ACKNOWLEDGED
        self.acknowledged = cumulative
        return octets, newest

    def _acknowledge_gaps(
        self, blocks: list[tuple[int, int]], newest: int
    ) -> tuple[int, int, list[OutboundChunk]]:
        """Note the chunks that the peer has beyond a gap.

        Returns:
            Octets newly acknowledged; the highest ``order`` newly acknowledged; the
            chunks that are missing before the last block.
        """
        octets = 0
        missing: list[OutboundChunk] = []
        remaining = iter(blocks)
        first, last = next(remaining)
        for chunk in self.sent:
            if chunk.tsn > last:
                block = next(remaining, None)
                if block is None:
                    break
                first, last = block
            if chunk.tsn < first:
                missing.append(chunk)
            elif chunk.state in (IN_FLIGHT, LOST):
                if chunk.state == IN_FLIGHT:
                    self.flight -= chunk.size
                chunk.state = ACKNOWLEDGED
                octets += chunk.size
                newest = max(newest, chunk.order)
        return octets, newest, missing

    def _strike(self, missing: list[OutboundChunk], newest: int) -> bool:
        """Count reports of missing chunks (RFC 9260 section 7.2.4).

        A report counts when a chunk that was sent later has newly arrived. For chunks
        sent once that is the rule of the RFC; it also tells when a retransmission is
        lost, which in the RFC only a timeout does.

        Returns:
            Whether a chunk was found lost.
        """
        found = False
        for chunk in missing:
            if chunk.state != IN_FLIGHT or chunk.order >= newest:
                continue
            chunk.misses += 1
            if chunk.misses >= MISSES:
                self.flight -= chunk.size
                self._lose(chunk)
                found = True
        if found:
            self._sort_lost()
        return found

    def _unacknowledge_first(self) -> None:
        """Mark the first chunk lost that the peer had, and has no more.

        It may drop what it has reported only beyond a gap (RFC 9260 section 6.2.1).
        """
        if self._skipped or not self.sent:
            return
        if self.sent[0].state == ACKNOWLEDGED:
            self._lose(self.sent[0])
            self._sort_lost()

    def _lose(self, chunk: OutboundChunk) -> None:
        chunk.state = LOST
        message = chunk.message
        if (
            message.max_retransmits is not None
            and chunk.transmissions > message.max_retransmits
        ):
            self._abandon(message)
        else:
            self._lost.append(chunk)

    def _sort_lost(self) -> None:
        lost = sorted(
            (chunk for chunk in self._lost if chunk.state == LOST),
            key=lambda chunk: chunk.tsn,
        )
        self._lost = deque(lost)
        self.has_lost = bool(lost)

    # Partial reliability (RFC 3758)

    def _abandon(self, message: OutboundMessage) -> None:
        """Give up a message: all its chunks (RFC 3758 section 3.5, A3)."""
        message.is_abandoned = True
        for chunk in message.chunks or ():
            if chunk.state == IN_FLIGHT and chunk.tsn > self.acknowledged:
                self.flight -= chunk.size
            chunk.state = ABANDONED
        message.chunks = None

    def abandon(self, message: OutboundMessage) -> None:
        """Give up a message that is partly sent."""
        self._abandon(message)
        self._skip()

    def _skip(self) -> None:
        """Advance the Advanced.Peer.Ack.Point (RFC 3758 section 3.5, C1 and C2)."""
        sent = self.sent
        while sent and sent[0].state == ABANDONED:
            chunk = sent.popleft()
            self.stored -= chunk.size
            chunk.octets = b""
            self._skipped.append(chunk)
            self.forward_is_due = True

    # Timer and windows

    def handle_timeout(self, now: float) -> None:
        """Handle an expiry of T3 (RFC 9260 section 6.3.3)."""
        if now < self.deadline:
            return
        self.deadline = math.inf
        self.failures += 1
        if self.sent:
            for chunk in list(self.sent):
                if chunk.state == IN_FLIGHT:
                    chunk.state = LOST
                    if chunk.message.has_expired(now):
                        self._abandon(chunk.message)
                    else:
                        self._lose(chunk)
            self.flight = 0
            self._sort_lost()
            self._skip()
            self._recovery_exit = None
            # What is lost of a probe says nothing of congestion.
            if self.peer_window:
                self.congestion.collapse()
        self.forward_is_due = bool(self._skipped)
        if not self.is_idle:
            self._restart_timer(now)

    def _restart_timer(self, now: float) -> None:
        timeout = self.round_trip.timeout
        if self.failures:
            timeout = back_off(timeout, self.failures)
        self.deadline = now + timeout
