"""Acknowledgements, timeouts, and how much may be sent.

RFC 9260 sections 6.1, 6.2.1, 6.3 and 7.
"""

import math
from collections.abc import Iterable

from .chunks import SctpError, unwrap
from .congestion import MAX_BURST, CongestionWindow, RoundTrip, back_off
from .outbound import IN_FLIGHT, OutboundChunk
from .scoreboard import Scoreboard

MAX_SENT_CHUNKS = 2048
"""Chunks sent and not acknowledged. The congestion window counts octets, of which tiny
messages have few; an acknowledgement with gaps goes through all chunks."""


class Recovery:
    """Retransmits what the peer does not acknowledge.

    Args:
        first: the first TSN, 32 bits.

    Attributes:
        board: the chunks that were sent.
        peer_window: octets that the peer can take.
        round_trip: tells the retransmission timeout.
        congestion: the congestion window.
        failures: timeouts since the peer was heard.
        retransmitted: chunks that were retransmitted.
        deadline: when T3 expires.
    """

    __slots__ = (
        "_credit",
        "_recovery_exit",
        "_retransmit_at_once",
        "board",
        "congestion",
        "deadline",
        "failures",
        "peer_window",
        "retransmitted",
        "round_trip",
    )

    def __init__(self, first: int) -> None:
        self.retransmitted = 0
        self.board = Scoreboard(first)
        self.round_trip = RoundTrip()
        self.start(first, 1 << 17)

    def start(self, first: int, peer_window: int) -> None:
        """Begin an association.

        Args:
            first: the first TSN, 32 bits.
            peer_window: octets that the peer can take.
        """
        self.board.start(first)
        self.congestion = CongestionWindow(peer_window)
        self.peer_window = peer_window
        self.failures = 0
        self.deadline = math.inf
        self._credit = 0  # octets acknowledged since data was sent
        self._recovery_exit: int | None = None
        self._retransmit_at_once = False

    # Sending

    def allowance(self) -> int:
        """Return how large the flight may grow now.

        A burst is limited, but to no less than what has just been acknowledged. A
        closed window is probed with one chunk (RFC 9260 section 6.1, rules A and D).
        """
        burst = self.board.flight + self._credit + MAX_BURST
        self._credit = 0
        return min(burst, self.congestion.size, max(self.peer_window, 1))

    def retransmit(self, now: float, allowance: int) -> list[OutboundChunk]:
        """Take lost chunks that are to be sent now."""
        board = self.board
        chunks = board.take_lost(now, allowance, self._retransmit_at_once)
        if chunks:
            self._retransmit_at_once = False
            self.retransmitted += len(chunks)
            if chunks[0] is board.sent[0]:
                self._restart_timer(now)
        return chunks

    def write_forward_tsn(self, now: float) -> bytes:
        """Make a FORWARD TSN chunk, which is retransmitted too."""
        self.start_timer(now)
        return self.board.write_forward_tsn()

    # Acknowledgements

    def receive_sack(self, number: int, window: int, now: float) -> None:
        """Take an acknowledgement without gaps (RFC 9260 section 6.2.1).

        Args:
            number: the cumulative TSN, 32 bits.
            window: octets that the peer can take.

        Raises:
            SctpError: when it acknowledges what was never sent.
        """
        board = self.board
        cumulative = unwrap(number, board.acknowledged)
        count = cumulative - board.acknowledged
        sent = board.sent
        if (
            count > len(sent)
            or board.has_lost
            or board.skipped
            or self._recovery_exit is not None
        ):
            self.receive_gaps(number, window, (), now)
            return
        if count < 0:
            return  # older than what is known
        self.peer_window = window
        self.failures = 0
        if count:
            self._acknowledge(count, now)
        if sent and sent[0].state != IN_FLIGHT:
            board.check_first()

    def _acknowledge(self, count: int, now: float) -> None:
        """Drop the first chunks, while nothing is lost: the usual case."""
        board = self.board
        sent = board.sent
        board.acknowledged += count
        was_full = board.flight >= self.congestion.size
        first = sent[0]
        if (
            now >= self.round_trip.due
            and first.transmissions == 1
            and first.state == IN_FLIGHT
        ):
            self.round_trip.measure(now - first.sent_at, now)
        octets = stored = 0
        for _ in range(count):
            chunk = sent.popleft()
            stored += chunk.size
            if chunk.state == IN_FLIGHT:
                octets += chunk.size
        board.stored -= stored
        board.flight -= octets
        self._credit += octets
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
            SctpError: when it is not plausible, or acknowledges what was never sent.
        """
        board = self.board
        cumulative = unwrap(number, board.acknowledged)
        if cumulative >= board.next_tsn:
            raise SctpError("an acknowledgement of what was never sent")
        if cumulative < board.acknowledged:
            return
        blocks = board.check_gaps(cumulative, gaps)
        self.peer_window = window
        self.failures = 0
        was_full = board.flight >= self.congestion.size
        advanced = cumulative > board.acknowledged
        octets, newest, sent_at = board.acknowledge(cumulative)
        if sent_at is not None and now >= self.round_trip.due:
            self.round_trip.measure(now - sent_at, now)
        found_lost = False
        if blocks:
            more, found_lost = board.acknowledge_gaps(blocks, newest)
            octets += more
        board.check_first()
        self._credit += octets
        self._adjust(cumulative, octets if advanced and was_full else 0, found_lost)
        # Told again until the peer confirms it (RFC 3758 section 3.5, C3).
        board.forward_is_due = bool(board.skipped)
        if board.is_idle:
            self.deadline = math.inf
        elif advanced:
            self._restart_timer(now)

    def _adjust(self, cumulative: int, octets: int, found_lost: bool) -> None:
        """Adjust the congestion window (RFC 9260 sections 7.2.1 and 7.2.4).

        Args:
            octets: those acknowledged while the window was in full use.
        """
        if self._recovery_exit is not None:
            if cumulative >= self._recovery_exit:
                self._recovery_exit = None
        elif found_lost:
            self.congestion.reduce()
            self._recovery_exit = self.board.next_tsn - 1
            self._retransmit_at_once = True
        elif octets:
            self.congestion.open(octets)

    # The timer

    def start_timer(self, now: float) -> None:
        """Start T3, unless it runs (RFC 9260 section 6.3.2, R1)."""
        if self.deadline == math.inf:
            self.deadline = now + self.round_trip.timeout

    def path_changed(self, now: float) -> None:
        """Retransmit soon what timed out: it went over a path that is used no more."""
        if self.failures and self.deadline < math.inf:
            self.failures = 0
            self.deadline = now

    def handle_timeout(self, now: float) -> None:
        """Handle an expiry of T3 (RFC 9260 section 6.3.3)."""
        if now < self.deadline:
            return
        board = self.board
        self.deadline = math.inf
        self.failures += 1
        if board.sent:
            board.lose_all(now)
            self._recovery_exit = None
            # What is lost of a probe says nothing of congestion.
            if self.peer_window:
                self.congestion.collapse()
        board.forward_is_due = bool(board.skipped)
        if not board.is_idle:
            self._restart_timer(now)

    def _restart_timer(self, now: float) -> None:
        timeout = self.round_trip.timeout
        if self.failures:
            timeout = back_off(timeout, self.failures)
        self.deadline = now + timeout
