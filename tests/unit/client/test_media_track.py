"""Tracks of encoded frames: each when its time has come."""

import asyncio
from fractions import Fraction

import pytest
from aiortc.mediastreams import MediaStreamError

from whipbird.client.media import EncodedFrame
from whipbird.client.media_track import MAX_LAG, MAX_LATE, MediaClock, MediaTrack


class Now:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def frame(number: int) -> EncodedFrame:
    return EncodedFrame("video", b"%d" % number, number * 3000, 3000, 90000)


async def test_the_clock_begins_with_the_first_frame() -> None:
    now = Now()
    clock = MediaClock(now)
    track = MediaTrack("video", clock)
    receiving = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    now.seconds += 5
    assert clock.elapsed == 0
    track.put(frame(0))
    packet = await receiving
    assert (bytes(packet), packet.pts, packet.time_base) == (
        b"0",
        0,
        Fraction(1, 90000),
    )
    now.seconds += 2
    assert clock.elapsed == 2
    assert track.frames == 1
    assert track.filled_to == pytest.approx(1 / 30)


async def test_a_frame_waits_for_its_time() -> None:
    clock = MediaClock()
    track = MediaTrack("video", clock)
    track.put(frame(0))
    track.put(frame(3))
    await track.recv()
    assert clock.elapsed < 0.1
    await track.recv()
    assert clock.elapsed >= 0.1


async def test_what_is_long_past_is_not_sent_all_at_once() -> None:
    """As after a machine has slept: the clock is put back."""
    now = Now()
    clock = MediaClock(now)
    track = MediaTrack("video", clock)
    for number in range(3):
        track.put(frame(number))
    await track.recv()
    now.seconds += 60
    await track.recv()
    assert clock.elapsed == pytest.approx(1 / 30)
    assert track.late == 0
    now.seconds += MAX_LAG
    await track.recv()
    assert clock.elapsed == pytest.approx(1 / 30 + MAX_LAG)
    # It is told, since a sender report goes by when the picture was due.
    assert track.late == pytest.approx(MAX_LAG - 1 / 30)


def test_late_is_what_can_no_longer_be_in_time() -> None:
    now = Now()
    clock = MediaClock(now)
    assert not clock.is_late(Fraction(0))
    clock.start()
    now.seconds += 10 + MAX_LATE
    assert not clock.is_late(Fraction(10))
    assert clock.is_late(Fraction(99, 10))


async def test_the_end_of_a_track() -> None:
    track = MediaTrack("audio", MediaClock())
    track.put(frame(0))
    track.finish()
    await track.recv()
    with pytest.raises(MediaStreamError):
        await track.recv()
    await asyncio.wait_for(track.ended(), 20)
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_seconds_before_the_first_need_no_waiting() -> None:
    await asyncio.wait_for(MediaClock().wait_until(-0.25), 20)
