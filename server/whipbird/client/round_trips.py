"""Messages, their echoes, and what is counted of them (no I/O)."""

from collections import deque
from dataclasses import dataclass, replace

from ..stats.distribution import Distribution

# Messages whose echoes are still recognized, however late they come.
_MAX_UNANSWERED = 100_000


@dataclass(frozen=True, slots=True)
class Reply:
    """An echo has come.

    Attributes:
        sequence: the number of its message, from 1.
        size: octets of the message.
        rtt: the round-trip time in seconds.
        is_late: whether it came after the timeout.
        is_reordered: whether the echo of a later message came before.
    """

    sequence: int
    size: int
    rtt: float
    is_late: bool = False
    is_reordered: bool = False


@dataclass(frozen=True, slots=True)
class Overdue:
    """The echo of a message has not come within the timeout; it may still come."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message was due, but there was no connection to send it on: it is lost."""

    sequence: int


@dataclass(frozen=True, slots=True)
class PingStats:
    """The results so far. Times are in seconds, and None without any echo.

    Attributes:
        sent: messages sent, or due without a connection.
        received: echoes received.
        late: those that came after the timeout.
        reordered: those that came after the echo of a later message.
        waiting: messages whose echo may still come in time: not lost yet.
        sessions: sessions that were connected.
        mdev: the standard deviation, named as by ping(8).
    """

    sent: int = 0
    received: int = 0
    late: int = 0
    reordered: int = 0
    waiting: int = 0
    sessions: int = 0
    min: float | None = None
    avg: float | None = None
    max: float | None = None
    mdev: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None

    @property
    def lost(self) -> int:
        """Messages without an echo."""
        return self.sent - self.received - self.waiting

    @property
    def loss(self) -> float:
        """The fraction that was lost, 0 to 1."""
        settled = self.sent - self.waiting
        return self.lost / settled if settled else 0.0


class RoundTrips:
    """What was sent, and what has come back.

    Times are in seconds of the caller's clock.

    Args:
        size: octets of a message.
        timeout: seconds after which an echo is late.

    Attributes:
        times: the round-trip times.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self.times = Distribution()
        self._size = size
        self._timeout = timeout
        self._counts = PingStats()
        # When each message was sent, by number; in the order of their numbers.
        self._unanswered: dict[int, float] = {}
        # Those that are not late yet.
        self._in_time: deque[int] = deque()
        self._highest = 0

    @property
    def sent(self) -> int:
        """Messages sent, or due without a connection."""
        return self._counts.sent

    @property
    def is_waiting(self) -> bool:
        """Whether an echo may still come in time."""
        return bool(self._in_time)

    @property
    def is_answered(self) -> bool:
        """Whether every message that was sent has come back."""
        return not self._unanswered

    @property
    def late_at(self) -> float:
        """When the oldest echo that may still come in time is late."""
        return self._unanswered.get(self._in_time[0], 0.0) + self._timeout

    @property
    def stats(self) -> PingStats:
        """A snapshot."""
        times = self.times
        waiting = sum(number in self._unanswered for number in self._in_time)
        counts = replace(self._counts, waiting=waiting)
        if not times.count:
            return counts
        return replace(
            counts,
            min=times.min,
            avg=times.mean,
            max=times.max,
            mdev=times.deviation,
            p50=times.percentile(0.5),
            p90=times.percentile(0.9),
            p99=times.percentile(0.99),
        )

    def connected(self) -> None:
        """Count a session."""
        self._counts = replace(self._counts, sessions=self._counts.sessions + 1)

    def due(self) -> int:
        """Count a message that is due, and return its number, from 1."""
        self._counts = replace(self._counts, sent=self._counts.sent + 1)
        return self._counts.sent

    def sent_at(self, number: int, now: float) -> None:
        """Wait for the echo of a message that is sent now."""
        self._unanswered[number] = now
        self._in_time.append(number)
        if len(self._unanswered) > _MAX_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]

    def received(self, number: int, arrived: float) -> Reply | None:
        """Take an echo; None if there is no such message, or it has come before."""
        sent = self._unanswered.pop(number, None)
        if sent is None:
            return None
        rtt = arrived - sent
        is_late = rtt > self._timeout
        is_reordered = number < self._highest
        self._highest = max(self._highest, number)
        self.times.add(rtt)
        counts = self._counts
        self._counts = replace(
            counts,
            received=counts.received + 1,
            late=counts.late + is_late,
            reordered=counts.reordered + is_reordered,
        )
        return Reply(number, self._size, rtt, is_late, is_reordered)

    def overdue(self, now: float) -> list[Overdue]:
        """The messages whose echoes have become late since this was called last."""
        found: list[Overdue] = []
        while self._in_time:
            number = self._in_time[0]
            sent = self._unanswered.get(number)
            if sent is not None and now - sent < self._timeout:
                break
            self._in_time.popleft()
            if sent is not None:
                found.append(Overdue(number))
        return found

    def give_up(self) -> list[Overdue]:
        """Forget what has not come back, and return what may still have come in time.

        The session has ended.
        """
        found = [Overdue(n) for n in self._in_time if n in self._unanswered]
        self._in_time.clear()
        self._unanswered.clear()
        return found

    def stop_waiting(self) -> None:
        """Take for lost what has not come back by now."""
        self._in_time.clear()
