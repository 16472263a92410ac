"""The estimate for REMB, on paths of which the capacity is known."""

import pytest

from whipbird.rtp.bandwidth import BandwidthEstimate

OCTETS = 1000  # in a packet


class Path:
    """A sender that sends what it may, over a path that takes no more than it can.

    Args:
        estimate: what tells the sender how much it may.
        capacity: of the path, in bit/s.
        wish: what the sender would send, in bit/s.
    """

    def __init__(
        self, estimate: BandwidthEstimate, capacity: float, wish: float = 1e9
    ) -> None:
        self.estimate = estimate
        self.capacity = capacity
        self.wish = wish
        self.now = 0.0
        self.octets = self.sent = self.lost = 0

    def run(self, seconds: int) -> list[int]:
        """The estimates, one a second."""
        estimates = []
        for _ in range(seconds):
            rate = min(self.wish, self.estimate.bitrate)
            sent = round(rate / 8 / OCTETS)
            came = min(sent, round(self.capacity / 8 / OCTETS))
            self.now += 1.0
            self.sent += sent
            self.octets += came * OCTETS
            self.lost += sent - came
            estimates.append(
                self.estimate.update(self.now, self.octets, self.sent, self.lost)
            )
        return estimates


def test_grows_to_the_ceiling_without_loss() -> None:
    path = Path(BandwidthEstimate(initial=500_000, ceiling=5_000_000), 1e9)
    estimates = path.run(60)
    assert estimates[1] == pytest.approx(500_000 * 1.08 + 1000)
    assert estimates == sorted(estimates)
    assert estimates[-1] == 5_000_000


@pytest.mark.parametrize("initial", [200_000, 1_000_000, 10_000_000])
def test_settles_at_what_the_path_takes(initial: int) -> None:
    path = Path(BandwidthEstimate(initial=initial), 1_000_000)
    estimates = path.run(60)[-20:]
    assert min(estimates) > 800_000
    assert max(estimates) < 1_300_000


def test_follows_a_path_that_changes() -> None:
    path = Path(BandwidthEstimate(), 3_000_000)
    path.run(30)
    path.capacity = 600_000
    assert path.run(20)[-1] < 800_000
    path.capacity = 3_000_000
    assert path.run(40)[-1] > 2_500_000


def test_does_not_grow_far_beyond_what_is_sent() -> None:
    path = Path(BandwidthEstimate(initial=550_000), 1e9, wish=400_000)
    # One and a half times as much, and 10 kb/s, and the last step.
    assert 610_000 < path.run(100)[-1] < 610_000 * 1.08 + 1000


def test_backs_off_from_what_is_sent_and_not_from_the_estimate() -> None:
    path = Path(BandwidthEstimate(initial=20_000_000), 800_000, wish=1_000_000)
    path.run(1)
    assert path.run(1) == [pytest.approx(1_000_000 * 0.9, rel=0.01)]


def test_between_the_thresholds_it_stays() -> None:
    estimate = BandwidthEstimate(initial=1_000_000)
    estimate.update(0.0, 0, 0, 0)
    assert estimate.update(1.0, 125_000, 100, 5) == 1_000_000


def test_never_below_the_floor() -> None:
    path = Path(BandwidthEstimate(floor=300_000), 50_000)
    assert path.run(30)[-1] == 300_000


def test_everything_lost() -> None:
    estimate = BandwidthEstimate(initial=1_000_000)
    estimate.update(0.0, 0, 0, 0)
    assert estimate.update(1.0, 0, 100, 100) == 500_000


def test_initial_is_within_the_bounds() -> None:
    assert BandwidthEstimate(floor=100, ceiling=200, initial=300).bitrate == 200
    assert BandwidthEstimate(floor=100, ceiling=200, initial=50).bitrate == 100


def test_few_packets_are_gathered() -> None:
    estimate = BandwidthEstimate(initial=1_000_000)
    estimate.update(0.0, 0, 0, 0)
    # Half of ten packets say little, half of twenty much.
    assert estimate.update(1.0, 5_000, 10, 5) == 1_000_000
    assert estimate.update(2.0, 10_000, 20, 10) < 1_000_000


def test_too_early() -> None:
    estimate = BandwidthEstimate(initial=1_000_000)
    estimate.update(0.0, 0, 0, 0)
    assert estimate.update(0.1, 0, 100, 50) == 1_000_000
    assert estimate.update(1.0, 0, 100, 50) < 1_000_000


def test_silence_and_a_source_that_is_gone() -> None:
    estimate = BandwidthEstimate(initial=1_000_000)
    estimate.update(0.0, 500_000, 500, 10)
    assert estimate.update(10.0, 500_000, 500, 10) == 1_000_000
    assert estimate.update(20.0, 100_000, 100, 0) == 1_000_000
    assert estimate.update(21.0, 250_000, 220, 0) > 1_000_000
