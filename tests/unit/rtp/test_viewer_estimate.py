"""What a viewer's estimates say of its path."""

from whipbird.rtp.viewer_estimate import FALL_TIME, SETTLING_TIME, ViewerEstimate


def test_it_begins_with_a_guess() -> None:
    estimate = ViewerEstimate()
    assert estimate.bitrate is None
    assert not estimate.is_settled(100.0)
    for second in range(3):
        estimate.received(1_000_000 + 80_000 * second, float(second))
        assert not estimate.is_settled(float(second))
    assert estimate.bitrate == 1_160_000
    assert not estimate.is_settled(SETTLING_TIME)
    estimate.received(1_160_000, SETTLING_TIME)
    assert estimate.is_settled(SETTLING_TIME)
    assert not estimate.has_fallen(SETTLING_TIME)


def test_a_fall() -> None:
    """It says something at once, for a while."""
    estimate = ViewerEstimate()
    estimate.received(1_000_000, 0.0)
    estimate.received(990_000, 0.1)
    assert not estimate.has_fallen(0.1)
    estimate.received(850_000, 0.2)
    assert estimate.is_settled(0.2)
    assert estimate.has_fallen(0.2)
    assert not estimate.has_fallen(0.2 + FALL_TIME)
