"""The missing packets of one source, and when each of them is requested (RFC 4585)."""

from dataclasses import dataclass

from .request_budget import RequestBudget

# With more missing packets, a key frame is cheaper than their retransmission.
MAX_MISSING = 1000

# Packets that may be found missing in a second: four times as many as may be requested.
MAX_FOUND_PER_SECOND = 4096
# Packets per NACK: it fits into one datagram even if no two of them are close.
MAX_REQUESTED = 256
# Seconds until more packets may have come.
BUDGET_INTERVAL = 0.05

# Seconds that a packet which is never requested is waited for: it may be reordered.
REORDERING_TIME = 0.01
# Requests wait as long as reordered packets were late: so much longer, and at most so
# many seconds; and as long as the last one was not longer ago.
REORDERING_MARGIN = 1.5
MAX_REORDERING_DELAY = 0.03
REORDERING_MEMORY = 10.0

# An answer takes at least this share of the round trip as it is known.
MIN_ANSWER = 0.25
# Seconds that a sender takes to respond. libwebrtc retransmits a packet again only 5 ms
# after a round trip as it knows it.
SENDER_DELAY = 0.01
# After so many requests each pause is longer than the one before, by this factor: a
# path that is interrupted for a while is not flooded.
STEADY_REQUESTS = 4
BACKOFF = 1.5

# A sender that has not negotiated NACK, and has left so many requested packets in a row
# unanswered, is requested none for some seconds; twice as many after each attempt.
MAX_UNANSWERED = 5
MIN_PAUSE = 1.0
MAX_PAUSE = 64.0


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """How the missing packets of a source are requested.

    Attributes:
        max_requests: how often one packet is requested; 0 for never.
        max_delay: seconds after which a packet is too late for viewers; 0 where packets
            come in order, so that what is missing never comes.
        is_negotiated: whether the sender has said that it answers.
    """

    max_requests: int
    max_delay: float
    is_negotiated: bool = True


# Pictures wait for each other, so a picture is worth a wait as long as that for a key
# frame. Sound does not: what is held back behind a missing packet of it must not become
# too late in players, which keep 0.1 s or so.
PICTURES = RequestPolicy(max_requests=16, max_delay=1.0)
SOUND = RequestPolicy(max_requests=8, max_delay=0.12)
SOUND_PERHAPS = RequestPolicy(max_requests=8, max_delay=0.12, is_negotiated=False)
NO_REQUESTS = RequestPolicy(max_requests=0, max_delay=REORDERING_TIME)
IN_ORDER = RequestPolicy(max_requests=0, max_delay=0.0)


class _Missing:
    """A missing packet.

    Attributes:
        found: when its absence was noticed.
        due: when to request it, or to give it up.
        deadline: when to give it up.
        requests: how often it was requested.
        first_requested: when it was requested first.
    """

    __slots__ = ("deadline", "due", "first_requested", "found", "requests")

    def __init__(self, now: float, due: float, deadline: float) -> None:
        self.found = now
        self.due = due
        self.deadline = deadline
        self.requests = 0
        self.first_requested = 0.0


class MissingPackets:
    """The missing packets of one source, by extended sequence number.

    All times are seconds of one clock, which the caller chooses.

    Args:
        policy: how they are requested.

    Attributes:
        next_due: when ``to_request`` is to be called next; infinite for never.
        found: packets that were missing so far.
        given_up: packets that were given up so far.
        budget: how many packets may be requested.
        response_time: the shortest time that the retransmission of a packet which was
            requested once has taken; None for none. The caller takes it away.
    """

    __slots__ = (
        "_ahead",
        "_ahead_at",
        "_ahead_due",
        "_counted",
        "_counted_until",
        "_missing",
        "_pause",
        "_paused_until",
        "_policy",
        "_reordering",
        "_reordering_until",
        "_unanswered",
        "budget",
        "found",
        "given_up",
        "next_due",
        "response_time",
    )

    def __init__(self, policy: RequestPolicy) -> None:
        self.next_due = float("inf")
        self.found = 0
        self.given_up = 0
        self.budget = RequestBudget()
        self.response_time: float | None = None
        self._policy = policy
        # Ascending, since gaps are found in order.
        self._missing: dict[int, _Missing] = {}
        # Those found in the current second, and its end.
        self._counted = 0
        self._counted_until = float("-inf")
        # The packet behind those that were requested before a later one had come; when
        # that was, and when they are due again.
        self._ahead = 0
        self._ahead_at = self._ahead_due = 0.0
        # Seconds that requests wait for reordered packets, and until when.
        self._reordering = 0.0
        self._reordering_until = 0.0
        # Requested packets in a row that have not come; until when none is requested.
        self._unanswered = 0
        self._pause = MIN_PAUSE
        self._paused_until = 0.0

    def __len__(self) -> int:
        """The number of missing packets that are not given up."""
        return len(self._missing)

    def first(self, default: int) -> int:
        """The lowest of them, or the default."""
        return next(iter(self._missing), default)

    def clear(self) -> None:
        """Forget all of them: the source has restarted its numbers."""
        self._missing.clear()
        self.next_due = float("inf")

    def add(self, first: int, end: int, now: float) -> bool:
        """Add the packets of a gap.

        Args:
            first: the first missing packet.
            end: the packet behind the last one.

        Returns:
            Whether they can be waited for; else all missing packets are given up.
        """
        count = end - first
        self.found += count
        if now >= self._counted_until:
            self._counted, self._counted_until = 0, now + 1.0
        self._counted += count
        if (
            len(self._missing) + count > MAX_MISSING
            or self._counted > MAX_FOUND_PER_SECOND
            or not self._policy.max_delay
        ):
            self.given_up += len(self._missing) + count
            self.clear()
            return False
        due = now + (self._reordering if now < self._reordering_until else 0.0)
        deadline = now + self._policy.max_delay
        if not self._policy.max_requests or now < self._paused_until:
            due = deadline = now + REORDERING_TIME
        for sequence in range(first, end):
            self._missing[sequence] = missing = _Missing(now, due, deadline)
            if sequence < self._ahead:
                missing.requests, missing.first_requested = 1, self._ahead_at
                missing.due = min(max(due, self._ahead_due), deadline)
        if first < end:
            self.next_due = min(self.next_due, due)
        return True

    def arrived(
        self, sequence: int, now: float, rtt: float, *, is_repair: bool
    ) -> bool | None:
        """Take away a packet that has arrived.

        Args:
            sequence: its extended sequence number.
            rtt: the round-trip time in seconds, as far as it is known.
            is_repair: whether it can only be a retransmission.

        Returns:
            Whether it was requested, or can only be a retransmission; None if it was
            not missing.
        """
        missing = self._missing.pop(sequence, None)
        if missing is None:
            return None
        if not self._missing:
            self.next_due = float("inf")
        elapsed = now - missing.first_requested
        # A packet of the source itself has only been late if a request for it cannot
        # have been answered yet.
        if not missing.requests or (not is_repair and elapsed < MIN_ANSWER * rtt):
            if not is_repair:
                self._note_reordering(now - missing.found, now)
            return is_repair or missing.requests > 0
        self._unanswered, self._pause = 0, MIN_PAUSE
        # Karn's algorithm: it is not known which request a retransmission answers.
        if missing.requests == 1:
            before = self.response_time
            self.response_time = elapsed if before is None else min(before, elapsed)
        return True

    def to_request(self, now: float, rtt: float) -> list[int]:
        """The packets to request now; those that are too late are given up.

        Args:
            now: the time.
            rtt: the round-trip time, in seconds.

        Returns:
            At most 256 sequence numbers (16 bits), in the order of sending.
        """
        sequences: list[int] = []
        given_up: list[int] = []
        next_due = float("inf")
        allowed = min(MAX_REQUESTED, self.budget.left(now))
        for sequence, missing in self._missing.items():
            if missing.due <= now:
                if self._is_given_up(missing, now, rtt):
                    given_up.append(sequence)
                    continue
                if len(sequences) < allowed:
                    sequences.append(sequence & 0xFFFF)
                    self._note_request(missing, now, rtt)
                elif allowed < MAX_REQUESTED:
                    missing.due = min(now + BUDGET_INTERVAL, missing.deadline)
            next_due = min(next_due, missing.due)
        self.budget.spend(len(sequences))
        for sequence in given_up:
            self._give_up(self._missing.pop(sequence), now)
        self.next_due = next_due
        return sequences

    def request_ahead(
        self, newest: int, count: int, now: float, rtt: float
    ) -> list[int]:
        """The numbers behind the newest packet, if they were not requested before.

        Such a packet is perhaps lost, or perhaps not sent yet: senders ignore requests
        for numbers that they have not used.

        Args:
            newest: the highest extended sequence number that has come.
            count: how many numbers, at most.
            now: the time.
            rtt: the round-trip time, in seconds.

        Returns:
            Sequence numbers (16 bits), in order.
        """
        if not self._policy.max_requests or not self._policy.is_negotiated:
            return []
        first = max(newest + 1, self._ahead)
        end = min(newest + 1 + count, first + self.budget.left(now))
        if first >= end:
            return []
        self.budget.spend(end - first)
        self._ahead, self._ahead_at = end, now
        self._ahead_due = now + rtt + SENDER_DELAY
        return [sequence & 0xFFFF for sequence in range(first, end)]

    def _is_given_up(self, missing: _Missing, now: float, rtt: float) -> bool:
        if now >= missing.deadline or not self._policy.max_requests:
            return True
        # A retransmission would come too late.
        return not missing.requests and now + rtt >= missing.deadline

    def _note_request(self, missing: _Missing, now: float, rtt: float) -> None:
        if not missing.requests:
            missing.first_requested = now
        missing.requests += 1
        if missing.requests >= self._policy.max_requests:
            missing.due = missing.deadline
            return
        slowed = max(missing.requests - STEADY_REQUESTS, 0)
        pause = (rtt + SENDER_DELAY) * BACKOFF**slowed
        missing.due = min(now + pause, missing.deadline)

    def _give_up(self, missing: _Missing, now: float) -> None:
        self.given_up += 1
        if self._policy.is_negotiated or not missing.requests:
            return
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            self._paused_until = now + self._pause
            self._pause = min(2 * self._pause, MAX_PAUSE)
            # One more attempt tells enough.
            self._unanswered = MAX_UNANSWERED - 1

    def _note_reordering(self, seconds: float, now: float) -> None:
        if now >= self._reordering_until:
            self._reordering = 0.0
        delay = min(REORDERING_MARGIN * seconds, MAX_REORDERING_DELAY)
        self._reordering = max(self._reordering, delay)
        self._reordering_until = now + REORDERING_MEMORY
