"""The rate of a stream for a path that does not carry the whole of it."""

import math
from itertools import pairwise

import pytest

from whipbird.media.thinning import (
    HEADROOM,
    LEAST_LEFT,
    MIN_RATE,
    MOST_LEFT,
    REPORT_TIME,
    TOLERANCE,
    Thinning,
)
from whipbird.rtp.round_trip import QUEUE, RoundTrip
from whipbird.rtp.viewer_estimate import ViewerEstimate

BITRATE = 2_000_000.0


class Path:
    """What is known of a path, and the rate for it, second by second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.estimate = ViewerEstimate()
        self.round_trip = RoundTrip()
        self.thinning = Thinning()
        self.second(0.02, 2 * BITRATE)

    def second(
        self, rtt: float, estimate: float | None = None, sent: float = math.inf
    ) -> bool:
        """A second with a report; return whether the rate has fallen."""
        self.now += 1
        self.round_trip.measured(rtt, self.now, self.now - rtt)
        if estimate is not None:
            self.estimate.received(int(estimate), self.now)
        found = self.estimate.bitrate
        thinning = self.thinning
        has_fallen = thinning.review(
            BITRATE, found, self.estimate, self.round_trip, self.now
        )
        thinning.second_passed(BITRATE, min(sent, thinning.rate))
        return has_fallen

    @property
    def rate(self) -> float:
        return self.thinning.rate


def thin(rate: float = 1_000_000) -> Path:
    """A path that has just been found to carry a rate."""
    path = Path()
    assert path.second(0.3, rate)
    assert path.rate == rate
    return path


def test_a_path_that_carries_the_stream() -> None:
    path = Path()
    # A queue, but the estimate is that of the whole stream; the latter, but no queue.
    assert not path.second(0.1 + QUEUE, TOLERANCE * BITRATE)
    for _ in range(5):
        assert not path.second(0.01 + QUEUE, 0.5 * BITRATE)
    assert path.rate == math.inf


def test_without_an_estimate_nothing_is_known() -> None:
    thinning, trip = Thinning(), RoundTrip()
    for second, rtt in enumerate((0.02, 0.5, 0.5)):
        trip.measured(rtt, second)
        assert not thinning.review(BITRATE, None, ViewerEstimate(), trip, second)
    assert thinning.rate == math.inf


def test_a_queue_makes_it_the_estimate() -> None:
    assert thin(700_000).rate == 700_000
    path = Path()
    path.second(0.3, 1000)
    assert path.rate == MIN_RATE


def test_a_queue_counts_once() -> None:
    """What is reported while it drains was sent before."""
    path = thin()
    trip = path.round_trip
    drained = path.now + trip.waiting
    trip.measured(0.3, drained + 0.1, drained - 0.2)
    path.estimate.received(900_000, drained + REPORT_TIME / 2)
    for at in (drained - 0.1, drained + 0.2):
        assert not path.thinning.review(BITRATE, 9e5, path.estimate, trip, at)
    # This one came later.
    assert path.second(0.3)


@pytest.mark.parametrize(
    ("estimate", "left"), [(1, LEAST_LEFT), (800_000, 0.8), (990_000, MOST_LEFT)]
)
def test_a_queue_lowers_it(estimate: float, left: float) -> None:
    path = thin()
    path.second(0.02)
    rate = path.rate
    path.now += 1
    path.estimate.bitrate = int(estimate * rate / 1_000_000) if estimate > 1 else 1
    assert path.second(0.3)
    assert path.rate == pytest.approx(left * rate, rel=0.001)


def test_an_estimate_that_falls_shows_a_queue() -> None:
    path = thin()
    path.second(0.02)
    assert path.second(0.02, 800_000)


def test_it_grows_slowly_at_first_and_quickly_then() -> None:
    path, rates = thin(400_000), []
    while path.rate < math.inf:
        path.second(0.02)
        rates.append(path.rate)
    steps = [b / a for a, b in pairwise(rates[:-1])]
    assert all(1 < step < 1.05 for step in steps[:2])
    assert steps == sorted(steps)
    assert steps[-1] > 1.25
    assert rates[-2] <= HEADROOM * BITRATE
    assert 8 <= len(rates) <= 12


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
        path.second(0.3)
        assert path.rate <= before


def test_stop() -> None:
    path = thin()
    path.thinning.stop()
    assert path.rate == math.inf
    path.second(0.02)
    assert path.rate == math.inf
