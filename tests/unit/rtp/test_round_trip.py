"""The round trip as a peer's reports tell it."""

import pytest

from whipbird.rtp.ntp import short_ntp
from whipbird.rtp.round_trip import MAX_SENT, QUEUE, RoundTrip

NTP = 0x1122_3344_5566_7788


def test_the_middle_of_a_timestamp() -> None:
    assert short_ntp(NTP) == 0x3344_5566


def test_a_report() -> None:
    """RFC 3550 section 6.4.1: the time since it was sent, less that it was kept."""
    trip = RoundTrip()
    assert trip.smoothed is None
    trip.sent(NTP, now=10.0)
    trip.returned(short_ntp(NTP), round(0.25 * 65536), now=10.3)
    assert trip.smoothed == pytest.approx(0.05, abs=1e-4)
    assert trip.variation == pytest.approx(0.025, abs=1e-4)


def test_it_is_smoothed() -> None:
    """RFC 6298 section 2."""
    trip = RoundTrip()
    trip.measured(0.1, 0.0)
    trip.measured(0.2, 1.0)
    assert trip.smoothed == pytest.approx(0.1125)
    assert trip.variation == pytest.approx(0.05 + (0.1 - 0.05) / 4)


def test_invented_times_are_ignored() -> None:
    trip = RoundTrip()
    trip.sent(NTP, now=10.0)
    trip.returned(0, 0, now=10.1)
    trip.returned(short_ntp(NTP) + 1, 0, now=10.1)
    # Kept for longer than it is away; or never returned in time.
    trip.returned(short_ntp(NTP), 65536, now=10.1)
    trip.returned(short_ntp(NTP), 0, now=100.0)
    assert trip.smoothed is None
    # By a rounding.
    trip.returned(short_ntp(NTP), 66, now=10.0)
    assert trip.smoothed == 0.0


def test_only_the_last_times_are_kept() -> None:
    trip = RoundTrip()
    for second in range(MAX_SENT + 1):
        trip.sent(second << 32, now=float(second))
    trip.returned(short_ntp(0), 0, now=MAX_SENT + 0.0)
    assert trip.smoothed is None
    trip.returned(short_ntp(MAX_SENT << 32), 0, now=MAX_SENT + 0.1)
    assert trip.smoothed == pytest.approx(0.1)


def test_a_queue() -> None:
    trip = RoundTrip()
    assert not trip.has_queue
    trip.measured(0.05, 0.0)
    assert not trip.has_queue
    # One alone may be an accident.
    trip.measured(0.06 + QUEUE, 1.0)
    assert not trip.has_queue
    trip.measured(0.06 + QUEUE, 2.0)
    assert trip.has_queue
    trip.measured(0.05, 3.0)
    assert not trip.has_queue


def test_a_path_that_has_changed() -> None:
    """A longer way is no queue for ever."""
    trip = RoundTrip()
    trip.measured(0.01, 0.0)
    for second in range(1, 70):
        trip.measured(0.3, float(second))
    assert not trip.has_queue


def test_the_shortest() -> None:
    round_trip = RoundTrip()
    assert round_trip.shortest is None
    for n in range(10):
        round_trip.measured(0.05 + n / 100, float(n))
    assert round_trip.shortest == 0.05
    # A path that has become longer.
    for n in range(100):
        round_trip.measured(0.1, 10.0 + n)
    assert round_trip.shortest == 0.1


def test_what_the_last_one_is_longer() -> None:
    trip = RoundTrip()
    assert trip.waiting == 0
    trip.sent(1 << 32, now=1.0)
    trip.measured(0.05, 0.9)
    trip.returned(short_ntp(1 << 32), 65536 // 2, now=1.75)
    assert trip.waiting == pytest.approx(0.2)
    assert trip.sent_at == 1.0
