"""Large frames to viewers behind a thin path."""

import math

import pytest

from whipbird.media.pacer import MIN_BURST, NEARBY, STEP, THIN, Pacer
from whipbird.rtp.forward_template import ForwardedPacket
from whipbird.rtp.round_trip import RoundTrip

BITRATE = 2_500_000
FRAME_TIME = 1 / 30


def frame(count: int, number: int = 0, first: int = 0) -> list[ForwardedPacket]:
    return [
        ForwardedPacket(0x80, 0, first + n, 3000 * number, bytes(1200))
        for n in range(count)
    ]


def round_trip(seconds: float) -> RoundTrip:
    found = RoundTrip()
    found.measured(seconds, 0.0)
    return found


def thin() -> Pacer:
    pacer = Pacer()
    pacer.review(BITRATE, 30, 1.5 * BITRATE, round_trip(0.05))
    assert pacer.is_needed
    return pacer


def drain(pacer: Pacer) -> list[tuple[float, list[ForwardedPacket]]]:
    parts = []
    while pacer.deadline < math.inf:
        now = pacer.deadline
        parts.append((now, pacer.due(now)))
    return parts


@pytest.mark.parametrize(
    ("available", "rtt"),
    [(None, 0.05), (1.01 * THIN * BITRATE, 0.05), (BITRATE, NEARBY / 2)],
)
def test_a_path_that_is_not_thin(available: float | None, rtt: float) -> None:
    """The network is not known, carries several such streams, or is a LAN."""
    pacer = Pacer()
    assert not pacer.is_needed
    pacer.review(BITRATE, 30, available, round_trip(rtt))
    assert not pacer.is_needed
    pacer.review(BITRATE, 30, BITRATE, RoundTrip())
    assert not pacer.is_needed


def test_usual_frames_are_sent_at_once() -> None:
    pacer = thin()
    for number in range(10):
        assert pacer.add(frame(9, number), FRAME_TIME * number) == 9
    assert pacer.deadline == math.inf


def test_a_key_frame_is_spread() -> None:
    """200 kB in the time of a frame, in equal parts, in order."""
    pacer, packets = thin(), frame(170)
    count = pacer.add(packets[:32], 0.0)
    assert MIN_BURST <= count < 32
    for start in range(32, 170, 32):
        assert pacer.add(packets[start : start + 32], 0.0) == 0
    parts = drain(pacer)
    assert packets[:count] + [p for _, part in parts for p in part] == packets
    assert parts[0][0] == pytest.approx(STEP)
    assert parts[-1][0] <= FRAME_TIME + 1e-9
    assert len(parts) > 4
    assert max(len(part) for _, part in parts) <= 30


def test_frames_behind_it_wait_no_longer_than_the_time_of_a_frame() -> None:
    pacer = thin()
    waiting: dict[int, float] = {}
    now, longest, first = 0.0, 0.0, 0
    for number in range(20):
        packets = frame(100 if number % 5 == 0 else 8, number, first)
        first += len(packets)
        while pacer.deadline <= now:
            at = pacer.deadline
            for packet in pacer.due(at):
                longest = max(longest, at - waiting.pop(packet.sequence))
        for packet in packets[pacer.add(packets, now) :]:
            waiting[packet.sequence] = now
        now += FRAME_TIME
    for at, part in drain(pacer):
        for packet in part:
            longest = max(longest, at - waiting.pop(packet.sequence))
    assert not waiting
    assert 0 < longest <= FRAME_TIME + 1e-9


def test_a_late_timer_makes_up_for_it() -> None:
    pacer = thin()
    pacer.add(frame(100), 0.0)
    assert pacer.due(0.003) == []
    assert len(pacer.due(FRAME_TIME)) > 70
    assert pacer.deadline == math.inf


def test_a_path_that_is_no_longer_thin() -> None:
    """What is held back is sent first: the order stays."""
    pacer = thin()
    pacer.add(frame(100), 0.0)
    pacer.review(BITRATE, 30, None, round_trip(0.05))
    assert pacer.is_needed
    assert pacer.add(frame(5, 1), 0.001) == 0
    drain(pacer)
    assert not pacer.is_needed


def test_flush() -> None:
    pacer, packets = thin(), frame(100)
    count = pacer.add(packets, 0.0)
    assert pacer.flush() == packets[count:]
    assert pacer.deadline == math.inf
    assert pacer.due(1.0) == []


def test_frames_of_a_stream_of_many_packets() -> None:
    pacer = Pacer()
    pacer.review(20_000_000, 30, 20_000_000, round_trip(0.05))
    assert pacer.add(frame(70), 0.0) == 70
