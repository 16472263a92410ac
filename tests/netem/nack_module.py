"""A model of what libwebrtc's video receivers ask for (its ``NackRequester``)."""

from dataclasses import dataclass

#: Seconds between the looks at what is to be asked for again.
INTERVAL = 0.02
#: Seconds that a receiver takes for its round trip until it knows better.
DEFAULT_ROUND_TRIP = 0.1

_MAX_REQUESTS = 10
_MAX_MISSING = 1000


@dataclass(slots=True)
class _Missing:
    """A packet that is missing: how often it was asked for, and when last."""

    requests: int = 0
    requested_at: float = float("-inf")


class NackModule:
    """Decides which packets to ask for, and when.

    A gap is asked for as soon as it is seen, each packet of it again when a round trip
    has passed, ten times at most. Sequence numbers do not wrap here.

    Args:
        round_trip: seconds between two requests for one packet.

    Attributes:
        overflows: how often too much was missing: then it asks for a key frame.
        given_up: packets that were asked for as often as may be.
    """

    def __init__(self, round_trip: float = DEFAULT_ROUND_TRIP) -> None:
        self.round_trip = round_trip
        self.overflows = 0
        self.given_up = 0
        self._newest: int | None = None
        self._missing: dict[int, _Missing] = {}
        # Packets that came by retransmission before any later one.
        self._recovered: set[int] = set()

    def receive(self, sequence: int, *, is_recovered: bool) -> None:
        """Note a packet.

        Args:
            is_recovered: whether it came as a retransmission: then the ones before it
                are not taken for missing.
        """
        if self._newest is None:
            self._newest = sequence
        if sequence <= self._newest:
            self._missing.pop(sequence, None)
            return
        if is_recovered:
            self._recovered.add(sequence)
            return
        gap = range(self._newest + 1, sequence)
        self._newest = sequence
        if len(self._missing) + len(gap) > _MAX_MISSING:
            self._missing.clear()
            self.overflows += 1
            return
        found = (number for number in gap if number not in self._recovered)
        self._missing |= {number: _Missing() for number in found}
        self._recovered = {number for number in self._recovered if number > sequence}

    def new_requests(self, now: float) -> list[int]:
        """What is to be asked for when a packet has come: what never was."""
        return self._request(now, float("inf"))

    def due_requests(self, now: float) -> list[int]:
        """What is to be asked for in each interval: all that is due."""
        return self._request(now, self.round_trip)

    def forget(self, before: int) -> None:
        """Ask no more for packets before one: a decoder needs them no longer."""
        self._missing = {n: m for n, m in self._missing.items() if n >= before}

    def _request(self, now: float, wait: float) -> list[int]:
        batch: list[int] = []
        for sequence, missing in self._missing.items():
            if now - missing.requested_at >= wait:
                missing.requests += 1
                missing.requested_at = now
                batch.append(sequence)
        for sequence in batch:
            if self._missing[sequence].requests >= _MAX_REQUESTS:
                del self._missing[sequence]
                self.given_up += 1
        return batch
