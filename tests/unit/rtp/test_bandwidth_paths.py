"""The estimate for REMB on paths that lose packets, and on paths that are thin."""

import heapq
import random

import pytest

from whipbird.rtp.bandwidth import FLOOR, BandwidthEstimate

OCTETS = 1200  # in a packet
FRAME = 1 / 30
UNITS = 1 << 18


class Path:
    """A sender of video that obeys REMB, and answers requests for lost packets.

    Args:
        wish: what the sender would send, in bit/s.
        capacity: of the path, in bit/s.
        loss: the share of packets that is lost at random.
        queue: seconds that packets wait before the path, at most; more are lost.
        trip: seconds to the other side.
    """

    def __init__(
        self,
        wish: float,
        capacity: float = 1e9,
        *,
        loss: float = 0.0,
        queue: float = 0.5,
        trip: float = 0.02,
    ) -> None:
        self.wish, self.capacity, self.loss = wish, capacity, loss
        self.queue, self.trip = queue, trip
        self.estimate = BandwidthEstimate(initial=int(wish))
        self.now = 0.0
        # When the path is free again.
        self.free_at = 0.0
        self.expected = self.given_up = self.octets = 0
        self.rate = wish
        self._chance = random.Random(1)
        # Events: (time, order, kind, values).
        self._events: list[tuple[float, int, str, tuple[float, int]]] = []
        self._count = 0
        self._credit = 0.0
        self._at(0.0, "frame", (0.0, 0))
        self._at(1.0, "report", (0.0, 0))

    @property
    def waiting(self) -> float:
        """Seconds that a packet would wait now."""
        return max(self.free_at - self.now, 0.0)

    def run(self, until: float) -> list[float]:
        """Run for a while; return how long packets had to wait, at each frame."""
        waits = []
        while self._events[0][0] <= until:
            self.now, _, kind, values = heapq.heappop(self._events)
            if kind == "frame":
                waits.append(self.waiting)
            getattr(self, f"_{kind}")(*values)
        return waits

    def _at(self, time: float, kind: str, values: tuple[float, int]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, kind, values))

    def _frame(self, _value: float, _number: int) -> None:
        self._credit += min(self.wish, self.rate) * FRAME / 8
        while self._credit >= OCTETS:
            self._credit -= OCTETS
            self.expected += 1
            self._send(1)
        self._at(self.now + FRAME, "frame", (0.0, 0))

    def _send(self, attempt: int) -> None:
        """Send a packet, for so many a time."""
        is_full = self.waiting > self.queue
        if is_full or self._chance.random() < self.loss:
            if attempt > 5:
                self.given_up += 1
            else:
                self._at(self.now + 2 * self.trip, "again", (0.0, attempt + 1))
            return
        self.free_at = max(self.free_at, self.now) + 8 * OCTETS / self.capacity
        self._at(self.free_at + self.trip, "arrive", (self.now, 0))

    def _again(self, _value: float, attempt: int) -> None:
        self._send(attempt)

    def _arrive(self, sent: float, _number: int) -> None:
        self.octets += OCTETS
        units = int(sent * UNITS) & 0xFFFFFF
        if self.estimate.received(units, OCTETS, self.now):
            self._tell()

    def _report(self, _value: float, _number: int) -> None:
        self.estimate.update(self.now, self.octets, self.expected, self.given_up)
        self._tell()
        self._at(self.now + 1.0, "report", (0.0, 0))

    def _tell(self) -> None:
        self._at(self.now + self.trip, "told", (float(self.estimate.bitrate), 0))

    def _told(self, bitrate: float, _number: int) -> None:
        self.rate = bitrate


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.2])
def test_a_lossy_path_keeps_its_rate(loss: float) -> None:
    path = Path(1_000_000, 20_000_000, loss=loss)
    path.run(30.0)
    assert path.given_up < path.expected / 100
    assert path.estimate.bitrate >= 1_000_000


@pytest.mark.parametrize("capacity", [300_000, 500_000, 1_000_000, 1_500_000])
@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_a_path_that_becomes_thin(capacity: int, loss: float) -> None:
    path = Path(2_000_000, 20_000_000, loss=loss)
    path.run(10.0)
    path.capacity = capacity
    path.run(12.0)
    assert path.rate < capacity
    # No queue stands: what there is goes away again.
    path.run(14.0)
    waits = sorted(path.run(40.0))
    assert waits[len(waits) // 2] < 0.05
    assert waits[-len(waits) // 20] < 0.25
    # And the path is used.
    before = path.octets
    path.run(60.0)
    assert 8 * (path.octets - before) / 20 > 0.6 * capacity


def test_a_path_that_becomes_wide_again() -> None:
    path = Path(2_000_000, 600_000)
    path.run(10.0)
    assert path.rate < 700_000
    path.capacity = 20_000_000
    path.run(40.0)
    assert path.rate > 1_900_000


def test_a_path_that_is_much_too_thin() -> None:
    path = Path(1_000_000, 50_000)
    path.run(20.0)
    assert path.estimate.bitrate == FLOOR


def test_a_path_that_drops_without_delay() -> None:
    """A policer: what retransmission does not mend is counted."""
    path = Path(2_000_000, 500_000, queue=0.005)
    path.run(30.0)
    assert path.rate < 750_000
