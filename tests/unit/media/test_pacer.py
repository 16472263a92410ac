"""Large frames to viewers behind a thin path."""

import math

import pytest

from whipbird.media.pacer import (
    FEW_WAIT,
    MAX_WAIT,
    MIN_BURST,
    NEARBY,
    STEP,
    THIN,
    Pacer,
)
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


# Octets of a packet of `frame`, and a rate of 100 of these in a second.
SIZE = 1212
RATE = 100 * 8 * SIZE


def limited() -> Pacer:
    pacer = Pacer()
    pacer.limit(RATE)
    assert pacer.is_needed
    return pacer


def test_a_limited_rate() -> None:
    """Small frames too; and none is sent faster after a pause of the encoder."""
    pacer, sent, first = limited(), 0, 0
    for start in (0.0, 5.0):
        packets = frame(50, first // 50, first)
        assert pacer.add(packets, start) == 0
        parts = drain(pacer)
        assert [p for _, part in parts for p in part] == packets
        assert parts[-1][0] - start == pytest.approx(0.5, abs=0.02)
        for at, part in parts:
            sent += len(part)
            assert sent - first <= 100 * (at - start) + 1
        first += 50
    assert not pacer.is_full


def test_frames_are_left_out_when_too_much_waits() -> None:
    pacer = limited()
    most = round(100 * MAX_WAIT)
    pacer.add(frame(most), 0.0)
    assert not pacer.is_full
    pacer.add(frame(10, 1, most), 0.0)
    assert pacer.is_full
    pacer.due(MAX_WAIT - FEW_WAIT)
    assert pacer.is_full
    pacer.due(MAX_WAIT - FEW_WAIT + 0.2)
    assert not pacer.is_full


def test_a_pause() -> None:
    pacer, packets = limited(), frame(5)
    pacer.pause(1.0)
    assert pacer.deadline == 1.0
    assert pacer.add(packets, 0.1) == 0
    assert pacer.due(0.9) == []
    assert pacer.due(1.1) == packets
    assert pacer.deadline == math.inf
    # With nothing to send, too.
    pacer.pause(2.0)
    assert pacer.due(2.0) == []
    assert pacer.deadline == math.inf
    assert not pacer.is_paused


def test_a_key_frame_replaces_frames_that_wait() -> None:
    """But the one that was begun is sent to its end."""
    pacer = limited()
    pacer.add(frame(8), 0.0)
    pacer.add(frame(20, 1, 8), 0.0)
    assert pacer.due(0.03)[-1].timestamp == 0
    assert pacer.is_behind
    assert {p.timestamp for p in pacer.flush()} == {0}
    assert pacer.deadline == math.inf
    assert not pacer.is_behind
    # Frames that take little time are sent as well.
    packets = frame(5, 2, 28)
    pacer.add(packets, 0.1)
    assert not pacer.is_behind
    assert pacer.flush() == packets


def test_large_frames_come_to_their_end() -> None:
    """Of key frames alone, each of which takes longer than the next is away."""
    pacer, whole, first, now = limited(), set[int](), 0, 0.0
    left: dict[int, int] = {}
    for number in range(100):
        if pacer.is_behind:
            for packet in pacer.flush():
                left[packet.timestamp] -= 1
        if not pacer.is_full:
            left[3000 * number] = 12
            pacer.add(frame(12, number, first), now)
        first += 12
        now += FRAME_TIME
        for packet in pacer.due(now):
            left[packet.timestamp] -= 1
        whole |= {timestamp for timestamp, count in left.items() if not count}
    # 8 in a second.
    assert len(whole) >= 0.8 * 100 * now / 12


def test_a_rate_that_is_no_longer_limited() -> None:
    pacer, packets = limited(), frame(50)
    pacer.add(packets, 0.0)
    pacer.pause(0.02)
    pacer.limit(math.inf)
    assert not pacer.is_full
    assert not pacer.is_paused
    parts = drain(pacer)
    assert [p for _, part in parts for p in part] == packets
    assert parts[-1][0] < 0.1
    assert not pacer.is_needed
    assert pacer.add(frame(5, 1), 1.0) == 5
