"""Chunks that were sent, and what is known of each.

RFC 9260 sections 6.2.1 and 7.2.4, and RFC 3758 section 3.5. TSNs are numbers without a
wrap (see ``chunks.unwrap``).
"""

from collections import deque
from collections.abc import Iterable

from .chunks import MAX_PACKET_SIZE, TSN_MASK, SctpError, write_forward_tsn
from .outbound import (
    ABANDONED,
    ACKNOWLEDGED,
    IN_FLIGHT,
    LOST,
    OutboundChunk,
    OutboundMessage,
)

MISSES = 3
"""Reports of a gap after which a chunk counts as lost (RFC 9260 section 7.2.4)."""

_MAX_SKIPPED_STREAMS = (MAX_PACKET_SIZE - 24) // 4


class Scoreboard:
    """Keeps the chunks that were sent until the peer has them.

    Attributes:
        next_tsn: the TSN of the next new chunk.
        acknowledged: the peer has all TSNs up to this.
        sent: chunks that follow, in order, without a gap.
        skipped: abandoned chunks before those, of which the peer is to be told.
        stored: octets of user data in ``sent``.
        flight: octets that are on their way.
        has_lost: chunks are to be retransmitted.
        forward_is_due: a FORWARD TSN is to be sent.
    """

    __slots__ = (
        "_lost",
        "_order",
        "acknowledged",
        "flight",
        "forward_is_due",
        "has_lost",
        "next_tsn",
        "sent",
        "skipped",
        "stored",
    )

    def __init__(self, first: int) -> None:
        self.start(first)

    def start(self, first: int) -> None:
        """Begin an association.

        Args:
            first: the first TSN, 32 bits.
        """
        # Well above zero, whatever comes before it.
        self.next_tsn = first + TSN_MASK + 1
        self.acknowledged = self.next_tsn - 1
        self.sent: deque[OutboundChunk] = deque()
        self.skipped: list[OutboundChunk] = []
        self.stored = self.flight = 0
        self.has_lost = self.forward_is_due = False
        self._lost: list[OutboundChunk] = []  # the first to be retransmitted is last
        self._order = 0

    @property
    def is_idle(self) -> bool:
        """Whether the peer has all that was sent."""
        return not self.sent and not self.skipped

    # Sent

    def add(self, chunk: OutboundChunk, now: float) -> None:
        """Note that a new chunk, with the next TSN, is sent now."""
        self.next_tsn += 1
        self.sent.append(chunk)
        self.stored += chunk.size
        self.flight += chunk.size
        self._order = chunk.order = self._order + 1
        chunk.sent_at = now
        chunk.transmissions = 1

    def add_abandoned(self, chunk: OutboundChunk) -> None:
        """Give the next TSN to a chunk that will never be sent."""
        self.next_tsn += 1
        chunk.state = ABANDONED
        self.sent.append(chunk)
        self.skip()

    def take_lost(
        self, now: float, allowance: int, at_once: bool
    ) -> list[OutboundChunk]:
        """Take the lost chunks that are to be sent again now.

        Args:
            allowance: how large ``flight`` may grow.
            at_once: take one in any case (RFC 9260 section 7.2.4, step 3).
        """
        chunks: list[OutboundChunk] = []
        lost = self._lost
        while lost:
            chunk = lost[-1]
            if chunk.state == LOST and chunk.message.has_expired(now):
                self._abandon(chunk.message)
            if chunk.state != LOST:
                lost.pop()
                continue
            if self.flight >= allowance and not at_once:
                break
            at_once = False
            lost.pop()
            chunk.state = IN_FLIGHT
            self.flight += chunk.size
            self._order = chunk.order = self._order + 1
            chunk.transmissions += 1
            chunk.misses = 0
            chunks.append(chunk)
        self.has_lost = bool(lost)
        self.skip()
        return chunks

    # Acknowledged

    def check_gaps(
        self, cumulative: int, gaps: Iterable[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Return the first and the last TSN of each gap block.

        Args:
            cumulative: the cumulative TSN.
            gaps: the first and the last offset of each.

        Raises:
            SctpError: when they are not plausible: going through them takes time.
        """
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

    def acknowledge(self, cumulative: int) -> tuple[int, int, float | None]:
        """Drop the chunks up to a TSN.

        Returns:
            Octets newly acknowledged; the highest ``order`` of a chunk among them, or
            0; when the first of them that was sent once was sent.
        """
        octets = newest = 0
        sent_at: float | None = None
        if self.skipped:
            self.skipped = [c for c in self.skipped if c.tsn > cumulative]
        sent = self.sent
        while sent and sent[0].tsn <= cumulative:
            chunk = sent.popleft()
            self.stored -= chunk.size
            if chunk.state == IN_FLIGHT:
                self.flight -= chunk.size
                if sent_at is None and chunk.transmissions == 1:
                    sent_at = chunk.sent_at
            if chunk.state in (IN_FLIGHT, LOST):
                octets += chunk.size
                newest = max(newest, chunk.order)
            chunk.state = ACKNOWLEDGED
        self.acknowledged = cumulative
        return octets, newest, sent_at

    def acknowledge_gaps(
        self, blocks: list[tuple[int, int]], newest: int
    ) -> tuple[int, bool]:
        """Note the chunks that the peer has beyond a gap, and find those lost.

        Args:
            blocks: the first and the last TSN of each block, one at least.
            newest: as ``acknowledge`` has returned it.

        Returns:
            Octets newly acknowledged; whether a chunk was found lost.
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
        return octets, self._strike(missing, newest)

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

    def check_first(self) -> None:
        """Do what the state of the first chunk asks for."""
        if not self.sent:
            return
        state = self.sent[0].state
        if state == ABANDONED:
            self.skip()
        elif state == ACKNOWLEDGED and not self.skipped:
            # The peer may drop what it has reported only beyond a gap (RFC 9260
            # section 6.2.1); so it has.
            self._lose(self.sent[0])
            self._sort_lost()

    # Lost

    def lose_all(self, now: float) -> None:
        """Take all that is on its way for lost (RFC 9260 section 6.3.3, E3)."""
        for chunk in self.sent:
            if chunk.state == IN_FLIGHT:
                chunk.state = LOST
                if chunk.message.has_expired(now):
                    self._abandon(chunk.message)
                else:
                    self._lose(chunk)
        self.flight = 0
        self._sort_lost()
        self.skip()

    def _lose(self, chunk: OutboundChunk) -> None:
        chunk.state = LOST
        limit = chunk.message.max_retransmits
        if limit is not None and chunk.transmissions > limit:
            self._abandon(chunk.message)
        else:
            self._lost.append(chunk)

    def _sort_lost(self) -> None:
        lost = [chunk for chunk in self._lost if chunk.state == LOST]
        lost.sort(key=lambda chunk: chunk.tsn, reverse=True)
        self._lost = lost
        self.has_lost = bool(lost)

    # Abandoned (RFC 3758)

    def abandon(self, message: OutboundMessage) -> None:
        """Give up a message that is partly sent."""
        self._abandon(message)
        self.skip()

    def _abandon(self, message: OutboundMessage) -> None:
        """Give up a message: all its chunks (RFC 3758 section 3.5, A3)."""
        message.is_abandoned = True
        for chunk in message.chunks or ():
            if chunk.state == IN_FLIGHT and chunk.tsn > self.acknowledged:
                self.flight -= chunk.size
            chunk.state = ABANDONED
        message.chunks = None

    def skip(self) -> None:
        """Advance the Advanced.Peer.Ack.Point (RFC 3758 section 3.5, C1 and C2)."""
        sent = self.sent
        while sent and sent[0].state == ABANDONED:
            chunk = sent.popleft()
            self.stored -= chunk.size
            chunk.octets = b""
            self.skipped.append(chunk)
            self.forward_is_due = True

    def write_forward_tsn(self) -> bytes:
        """Make a FORWARD TSN chunk (RFC 3758 section 3.5, C3 and C4)."""
        self.forward_is_due = False
        cumulative = self.acknowledged
        streams: dict[int, int] = {}
        for chunk in self.skipped:
            message = chunk.message
            if message.sequence is not None:
                if len(streams) == _MAX_SKIPPED_STREAMS:
                    break
                streams[message.stream_id] = message.sequence
            cumulative = chunk.tsn
        return write_forward_tsn(cumulative & TSN_MASK, streams)

    def forget_streams(self, streams: set[int]) -> None:
        """Note that streams were reset: old sequence numbers mean nothing now."""
        for chunk in (*self.skipped, *self.sent):
            if chunk.message.stream_id in streams:
                chunk.message.sequence = None
