"""Retransmissions and their copies: which, how often and when."""

from dataclasses import dataclass, field

import pytest

from tests.unit.media.watching import RTX, VIEWER_VP8
from whipbird.media import retransmitter as module
from whipbird.media.allowance import (
    BURST_TIME,
    CONGESTED_SHARE,
    MAX_SHARE,
)
from whipbird.media.retransmitter import (
    COPY_DELAYS,
    MAX_RETRANSMISSIONS,
    MEMORY,
    UNKNOWN_REPEAT_TIME,
    Retransmitter,
)
from whipbird.media.viewer_codecs import ViewerCodecs
from whipbird.rtp.round_trip import RoundTrip

SIZE = 1200
BITRATE = 2_500_000


@dataclass
class Scene:
    """A retransmitter whose packets are named by their numbers, and its time.

    Attributes:
        sent: time and sequence number of what was sent.
        kept: the numbers of the packets that are kept.
    """

    loss: float = 0.0
    available: float | None = None
    has_rtx: bool = True
    now: float = 0.0
    sent: list[tuple[float, int]] = field(default_factory=list)
    kept: range = range(0x10000)
    is_connected: bool = True
    size: int = SIZE
    has_queue: bool = False

    def __post_init__(self) -> None:
        codecs = (VIEWER_VP8, RTX) if self.has_rtx else (VIEWER_VP8,)
        self.round_trip = RoundTrip()
        self.scheduled: float | None = None
        self.written = 0
        self.retransmitter = Retransmitter(
            ViewerCodecs(codecs),
            write=self._write,
            send=self._send,
            schedule=self._schedule,
        )
        for _ in range(40):
            self.retransmitter.loss.reported(self.loss, 100)
        self.review()

    def review(self) -> None:
        retransmitter = self.retransmitter
        retransmitter.adapt(self.round_trip)
        retransmitter.allowance.review(
            BITRATE, self.available, retransmitter.loss, has_queue=self.has_queue
        )

    def request(self, *sequences: int) -> None:
        self.retransmitter.request(sequences, self.now)

    def pass_time(self, seconds: float) -> None:
        """Let time go by, as the timer of an egress does."""
        end = self.now + seconds
        while self.scheduled is not None and self.scheduled <= end:
            self.now, self.scheduled = self.scheduled, None
            self.retransmitter.handle_timeout(self.now)
        self.now = end

    @property
    def times(self) -> list[float]:
        return [round(time, 4) for time, _ in self.sent]

    def _write(self, sequence: int, now: float) -> bytes | None:
        assert now == self.now
        if sequence not in self.kept:
            return None
        self.written += 1
        return sequence.to_bytes(2) + bytes(self.size - 2)

    def _send(self, data: bytes) -> None:
        if not self.is_connected:
            raise ConnectionError
        self.sent.append((self.now, int.from_bytes(data[:2])))

    def _schedule(self, when: float) -> None:
        self.scheduled = when if self.scheduled is None else min(self.scheduled, when)


def test_no_copies_without_loss() -> None:
    scene = Scene()
    scene.request(5, 6)
    assert scene.sent == [(0.0, 5), (0.0, 6)]
    assert scene.scheduled is None
    assert scene.retransmitter.retransmitted == 2
    assert scene.retransmitter.copies == 0


def test_copies_are_spread() -> None:
    scene = Scene(loss=0.2)
    scene.request(5)
    scene.pass_time(1)
    assert scene.times == [0.0, *COPY_DELAYS[:3]]
    assert {sequence for _, sequence in scene.sent} == {5}
    assert (scene.retransmitter.retransmitted, scene.retransmitter.copies) == (1, 3)
    assert scene.retransmitter.deadline == float("inf")


def test_one_that_is_requested_again_gets_a_copy() -> None:
    scene = Scene()
    scene.request(5)
    scene.pass_time(0.1)
    scene.request(5)
    scene.pass_time(MEMORY + 0.1)
    # This is not the same packet, or not the same loss.
    scene.request(5)
    scene.pass_time(0.1)
    times = [0.0, 0.1, 0.1 + COPY_DELAYS[0], 0.2 + MEMORY]
    assert scene.times == pytest.approx(times)


def test_a_request_while_copies_are_on_their_way() -> None:
    """It was sent before the last of them could arrive."""
    scene = Scene(loss=0.1)
    scene.request(5)
    for _ in range(3):
        scene.pass_time(0.012)
        scene.request(5)
    assert scene.times == [0.0, *COPY_DELAYS[:2]]
    scene.pass_time(0.02)
    scene.request(5)
    assert len(scene.sent) == 4


def test_a_request_that_comes_too_soon() -> None:
    """It was sent before the retransmission could arrive."""
    scene = Scene()
    scene.request(5)
    scene.request(5)
    scene.pass_time(UNKNOWN_REPEAT_TIME - 0.001)
    scene.request(5)
    assert len(scene.sent) == 1
    scene.pass_time(0.001)
    scene.request(5)
    assert len(scene.sent) == 2


@pytest.mark.parametrize(("rtt", "repeat"), [(0.001, 0.01), (0.1, 0.09), (3.0, 0.5)])
def test_the_repeat_time_is_the_round_trip(rtt: float, repeat: float) -> None:
    scene = Scene()
    for second in range(100):
        scene.round_trip.measured(rtt, float(second))
    scene.review()
    scene.request(5)
    scene.pass_time(repeat * 0.95)
    scene.request(5)
    assert len(scene.sent) == 1
    scene.pass_time(repeat * 0.1)
    scene.request(5)
    assert len(scene.sent) == 2


def test_packets_that_are_not_kept() -> None:
    scene = Scene(loss=0.2)
    scene.kept = range(6)
    scene.request(5, 6)
    scene.kept = range(0)
    scene.pass_time(1)
    assert scene.sent == [(0.0, 5)]


def test_copies_of_another_source_are_dropped() -> None:
    scene = Scene(loss=0.2)
    scene.request(5)
    scene.retransmitter.clear()
    scene.pass_time(1)
    assert len(scene.sent) == 1
    # A number that comes again is that of another packet.
    scene.request(5)
    assert len(scene.sent) == 2


def test_a_closed_connection() -> None:
    scene = Scene(loss=0.2)
    scene.request(5)
    scene.is_connected = False
    scene.request(6, 7)
    scene.pass_time(1)
    assert len(scene.sent) == 1
    assert scene.retransmitter.deadline == float("inf")


def test_a_limit_per_second() -> None:
    """A viewer that requests everything repeatedly does not get it."""
    scene = Scene(size=100)
    for _ in range(20):
        scene.request(*range(100))
        scene.pass_time(0.03)
    assert scene.retransmitter.retransmitted == MAX_RETRANSMISSIONS
    scene.retransmitter.second_passed(0)
    scene.request(*range(100))
    assert scene.retransmitter.retransmitted == MAX_RETRANSMISSIONS + 100


def test_copies_are_bounded_by_the_stream() -> None:
    scene = Scene(loss=0.25)
    for start in range(0, 1000, 10):
        scene.request(*range(start, start + 10))
        scene.pass_time(0.1)
        scene.retransmitter.second_passed(0)
    most = MAX_SHARE * BITRATE / 8 * (scene.now + BURST_TIME)
    assert 0.9 * most < len(scene.sent) * SIZE <= most


def test_copies_are_bounded_by_the_estimate() -> None:
    scene = Scene(loss=0.25, available=0.4 * BITRATE)
    for start in range(0, 500, 5):
        scene.request(*range(start, start + 5))
        scene.pass_time(0.1)
        scene.retransmitter.second_passed(0)
    assert len(scene.sent) * SIZE <= 0.4 * BITRATE / 8 * (scene.now + BURST_TIME)
    assert scene.retransmitter.copies > 100


def test_none_on_a_path_that_is_congested() -> None:
    """The estimate is below what arrives; retransmissions are few then, too."""
    scene = Scene(loss=0.2, available=0.85 * 0.8 * BITRATE)
    for start in range(0, 1000, 10):
        scene.request(*range(start, start + 10))
        scene.pass_time(0.1)
        scene.retransmitter.second_passed(0)
    assert scene.retransmitter.copies == 0
    octets = scene.retransmitter.retransmitted * SIZE
    rate = CONGESTED_SHARE * BITRATE / 8
    assert 0.8 * rate * scene.now < octets <= rate * (scene.now + 1)


def test_none_behind_a_queue() -> None:
    scene = Scene(loss=0.2)
    scene.request(1)
    scene.has_queue = True
    scene.review()
    scene.pass_time(1)
    scene.request(2)
    scene.pass_time(1)
    assert [sequence for _, sequence in scene.sent] == [1, 2]


def test_loss_without_rtx_is_known_by_requests() -> None:
    """Reports count what was retransmitted in the stream itself as received."""
    scene = Scene(has_rtx=False)
    for second in range(10):
        scene.request(*range(200 * second, 200 * second + 20))
        scene.pass_time(1)
        scene.retransmitter.second_passed(200)
    assert scene.retransmitter.loss.fraction == pytest.approx(0.1, rel=0.1)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RETRANSMISSIONS", 50)
    scene = Scene(size=10)
    for start in range(0, 1000, 50):
        scene.retransmitter.second_passed(0)
        scene.request(*range(start, start + 50))
        assert len(scene.retransmitter._answers) <= 50


def test_rtx_numbers_have_no_gaps() -> None:
    """What is not sent is not written: each RTX packet that is written has a number."""
    scene = Scene(loss=0.3)
    for start in range(0, 2000, 200):
        scene.request(*range(start, start + 200))
        scene.pass_time(0.2)
    assert scene.written == len(scene.sent)
