"""A queue that grows, told from packets that only jitter."""

import random

import pytest

from whipbird.rtp.delay_trend import DelayTrend

UNITS = 1 << 18


def signals(
    delays: list[float], interval: float = 1 / 30, start: float = 60.0
) -> list[tuple[bool, bool]]:
    """What is detected at each packet, of which each is a group of its own."""
    trend, found = DelayTrend(), []
    for n, delay in enumerate(delays):
        sent = start + n * interval
        trend.received(int(sent * UNITS) & 0xFFFFFF, sent + 0.02 + delay)
        found.append((trend.is_growing, trend.is_shrinking))
    return found


def test_a_steady_path() -> None:
    # Abs-send-time wraps in it, after 64 seconds.
    assert set(signals([0.0] * 1000)) == {(False, False)}


def test_jitter() -> None:
    rng = random.Random(1)
    found = signals([rng.random() * 0.01 for _ in range(3000)])
    assert sum(growing for growing, _ in found) < 30


@pytest.mark.parametrize("overload", [0.1, 0.5, 1.0])
def test_a_growing_queue(overload: float) -> None:
    steady = [0.0] * 60
    delays = [n * overload / 30 for n in range(60)]
    found = signals(steady + delays)
    first = next(n for n, (growing, _) in enumerate(found) if growing)
    # Within half a second.
    assert 60 <= first <= 60 + 30 // 2


def test_a_queue_that_shrinks() -> None:
    growing = [n * 0.5 / 30 for n in range(60)]
    shrinking = [1.0 - n * 0.5 / 30 for n in range(60)]
    found = signals(growing + shrinking)
    assert any(shrinks for _, shrinks in found[60:])
    assert not any(grows for grows, _ in found[90:])


def test_packets_of_a_group_are_one_sample() -> None:
    """A frame that is sent at once arrives over some time, without a queue before."""
    trend = DelayTrend()
    for frame in range(300):
        sent = frame / 30
        for n in range(20):
            trend.received(int(sent * UNITS) & 0xFFFFFF, sent + n * 0.001)
        assert not trend.is_growing


def test_a_pause_begins_anew() -> None:
    trend = DelayTrend()
    for n in range(60):
        trend.received(int(n / 30 * UNITS), n / 30 + n / 60)
    assert trend.is_growing
    for n in range(60):
        sent = 20 + n / 30
        trend.received(int(sent * UNITS) & 0xFFFFFF, sent)
    assert not trend.is_growing


def test_an_overtaken_packet_is_left_out() -> None:
    trend = DelayTrend()
    for n in range(100):
        sent = n / 30
        trend.received(int(sent * UNITS) & 0xFFFFFF, sent + 0.02)
        if n % 3 == 0 and n:
            late = sent - 0.03
            trend.received(int(late * UNITS) & 0xFFFFFF, sent + 0.02)
        assert not trend.is_growing
