"""The round-trip time to a media sender."""

import pytest

from whipbird.rtp.round_trip import (
    MEMORY,
    RoundTrip,
    reference_time,
    round_trip_since,
)


def test_the_shortest_counts() -> None:
    round_trip = RoundTrip()
    assert round_trip.shortest(0.0) is None
    for seconds in (0.08, 0.05, 0.3):
        round_trip.measured(seconds, 0.0)
    assert round_trip.shortest(1.0) == 0.05


def test_a_path_that_has_become_longer() -> None:
    round_trip = RoundTrip()
    for n in range(100):
        round_trip.measured(0.02 if n < 50 else 0.08, float(n))
    assert round_trip.shortest(100.0) == 0.08


def test_old_measurements_are_forgotten() -> None:
    round_trip = RoundTrip()
    round_trip.measured(0.05, 0.0)
    assert round_trip.shortest(MEMORY - 0.1) == 0.05
    assert round_trip.shortest(MEMORY + 0.1) == 0.05
    assert round_trip.shortest(2 * MEMORY + 0.2) is None


@pytest.mark.parametrize("now", [12.5, 65535.999, 1_000_000.25])
def test_the_answer_to_a_reference_time(now: float) -> None:
    """RFC 3611 section 4.5; sent at ``now``, answered 0.5 s after it has come."""
    sent = reference_time(now) >> 16 & 0xFFFFFFFF
    measured = round_trip_since(sent, 0x8000, now + 0.54)
    assert measured == pytest.approx(0.04, abs=0.001)


def test_a_wrong_answer() -> None:
    sent = reference_time(100.0) >> 16 & 0xFFFFFFFF
    assert round_trip_since(sent, 0x8000, 100.1) is None
    assert round_trip_since(0, 0, 100.0) is None
