"""The rate of a stream for a path that does not carry the whole of it."""

import math
from itertools import pairwise

import pytest

from whipbird.media.thinning import (
    CLEAR,
    FULL,
    HEADROOM,
    LEAST_LEFT,
    LONG_QUEUE,
    MIN_RATE,
    MOST_LEFT,
    MUCH_LOSS,
    OVERLOAD,
    START,
    TOLERANCE,
    Thinning,
)
from whipbird.rtp.loss import Loss
from whipbird.rtp.round_trip import QUEUE, RoundTrip

BITRATE = 2_000_000.0
#: Bits of a packet.
PACKET = 10_000


class Path:
    """What is known of a path, and the rate for it, second by second.

    Args:
        has_estimate: whether the viewer sends estimates.
    """

    def __init__(self, *, has_estimate: bool = True) -> None:
        self.now = 0.0
        self.estimate = 2 * BITRATE if has_estimate else None
        self.loss = Loss()
        self.round_trip = RoundTrip()
        self.thinning = Thinning()
        self.arrived = 0
        self.second(0.02)

    def second(
        self,
        rtt: float,
        estimate: float | None = None,
        sent: float = math.inf,
        arriving: float = 0.0,
    ) -> bool:
        """A second with a report; return whether the rate has fallen."""
        self.now += 1
        self.arrived += round(arriving / PACKET)
        self.thinning.delivery.reported(self.arrived, 0, self.now)
        self.round_trip.measured(rtt, self.now, self.now - rtt)
        if estimate is not None:
            self.estimate = estimate
        thinning = self.thinning
        has_fallen = thinning.review(
            BITRATE, self.estimate, self.loss, self.round_trip, self.now
        )
        sent = min(sent, thinning.rate, BITRATE)
        thinning.second_passed(BITRATE, sent, round(sent / PACKET))
        return has_fallen

    @property
    def rate(self) -> float:
        return self.thinning.rate


def thin(rate: float = 1_000_000) -> Path:
    """A path that has just been found to carry a rate."""
    path = Path()
    assert path.second(0.3, OVERLOAD * rate / START)
    assert path.rate == pytest.approx(rate)
    return path


def test_a_path_that_carries_the_stream() -> None:
    path = Path()
    # A queue, but the estimate is that of the whole stream; the latter, but no queue.
    assert not path.second(0.1 + QUEUE, TOLERANCE * BITRATE)
    for _ in range(5):
        assert not path.second(0.01 + QUEUE, 0.5 * BITRATE)
    assert path.rate == math.inf


@pytest.mark.parametrize(
    ("rtts", "loss", "rate"),
    [
        ((0.3, 0.3), 0.0, math.inf),
        ((LONG_QUEUE + 0.1,), 0.0, math.inf),
        ((LONG_QUEUE + 0.1, LONG_QUEUE + 0.1), 0.0, BITRATE),
        ((0.02, 0.02), 0.4, math.inf),
        ((0.02, 0.3), 0.4, math.inf),
        ((0.3, 0.3), 0.4, 0.6 * BITRATE),
        ((0.3, 0.3), MUCH_LOSS / 2, math.inf),
    ],
)
def test_without_an_estimate(rtts: tuple[float, ...], loss: float, rate: float) -> None:
    """A queue has to last, and to be long or to lose packets."""
    path = Path(has_estimate=False)
    path.loss.reported(loss, 10_000)
    for rtt in rtts:
        path.second(rtt)
    assert path.rate == pytest.approx(START * rate)


def test_a_queue_makes_it_what_arrives() -> None:
    path = Path()
    path.second(0.02, arriving=BITRATE)
    # This was sent 0.9 s ago, and 0.7 Mb have arrived since.
    path.now += 0.1
    path.thinning.delivery.reported(path.arrived, 0, path.now)
    path.now += 0.9
    path.arrived += 70
    path.thinning.delivery.reported(path.arrived, 0, path.now)
    path.round_trip.measured(0.3, path.now, path.now - 0.9)
    assert path.thinning.review(BITRATE, 1e5, path.loss, path.round_trip, path.now)
    assert path.rate == pytest.approx(START * 700_000 / 0.9)


def test_it_has_a_least() -> None:
    path = Path()
    path.second(0.3, 1000)
    assert path.rate == MIN_RATE


def test_a_queue_counts_once() -> None:
    """What is reported while it drains was sent before."""
    path = thin()
    trip = path.round_trip
    drained = path.now + trip.waiting
    trip.measured(0.3, drained + 0.1, drained - 0.2)
    for at in (drained - 0.1, drained + 0.2):
        assert not path.thinning.review(BITRATE, 9e5, path.loss, trip, at)


@pytest.mark.parametrize(
    ("arriving", "left"),
    [(0.1, LEAST_LEFT), (0.8, START * 0.8), (1.0, MOST_LEFT), (2.0, MOST_LEFT)],
)
def test_a_queue_lowers_it_to_what_arrives(arriving: float, left: float) -> None:
    path = thin()
    rate = path.rate
    # It is not known yet how much arrives.
    assert not path.second(0.02 + 2 * FULL, arriving=rate)
    assert path.second(0.02 + 2 * FULL, arriving=arriving * rate)
    assert path.rate == pytest.approx(left * rate, rel=0.01)


def test_it_grows_slowly_at_first_and_quickly_then() -> None:
    path, rates = thin(400_000), []
    while path.rate < math.inf:
        path.second(0.02)
        rates.append(path.rate)
    steps = [b / a for a, b in pairwise(rates[:-1])]
    assert all(1 < step < 1.05 for step in steps[:2])
    assert steps == pytest.approx(sorted(steps))
    assert steps[-1] > 1.25
    assert rates[-2] <= HEADROOM * BITRATE
    assert 8 <= len(rates) <= 14


def test_it_does_not_grow_while_little_is_sent() -> None:
    path = thin()
    path.second(0.02)
    # The second before counts, too: between two GOPs nothing may be sent.
    path.second(0.02, sent=0.0)
    rate = path.rate
    for _ in range(10):
        path.second(0.02, sent=0.1 * rate)
    assert path.rate == rate
    path.second(0.02)
    assert path.rate > rate


def test_it_does_not_grow_while_there_is_a_queue() -> None:
    path = thin()
    for _ in range(10):
        before = path.rate
        path.second(0.02 + (CLEAR + FULL) / 2)
        assert path.rate == before


def test_stop() -> None:
    path = thin()
    path.thinning.stop()
    assert path.rate == math.inf
    path.second(0.02)
    assert path.rate == math.inf
