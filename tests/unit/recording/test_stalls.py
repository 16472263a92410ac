"""A source that stalls, through the recorder to the file."""

import asyncio
from pathlib import Path

import pytest

from tests.netem.world import World
from tests.unit.recording.publisher import (
    AUDIO,
    FRAME_TICKS,
    VIDEO,
    Publisher,
    files_in,
    increasing,
    opus_packets,
    read,
    video_frames,
)
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits

pytestmark = pytest.mark.virtual_time

STEP = 1 / 150
SYNC = 0.04


@pytest.mark.parametrize("has_reports", [True, False])
@pytest.mark.parametrize("stalled", ["audio", "video"])
@pytest.mark.parametrize("seconds", [0.6, 3.0, 4.0, 30.0])
async def test_a_pause_is_a_pause_in_the_file(
    tmp_path: Path, world: World, stalled: str, seconds: float, has_reports: bool
) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    frames, sounds = video_frames("libx264"), opus_packets()
    begin, end, length = 3.0, 3.0 + seconds, 6.0 + seconds
    # When each was taken.
    taken: dict[str, list[float]] = {"audio": [], "video": []}
    began = world.now
    for step in range(round(length / STEP)):
        time = step * STEP
        stands = begin <= time < end
        if step % 5 == 0 and not (stalled == "video" and stands):
            publisher.send_frame(frames[len(taken["video"]) % 30].payloads)
            taken["video"].append(time)
        if step % 3 == 0 and not (stalled == "audio" and stands):
            publisher.send_sound(sounds[len(taken["audio"]) % 25], 960)
            taken["audio"].append(time)
        if step % 150 == 80 and has_reports:
            # At the last frames, which were just sent.
            for kind, ticks in (("audio", 960), ("video", FRAME_TICKS)):
                source = publisher.audio if kind == "audio" else publisher.video
                last = taken[kind][-1]
                if not (kind == stalled and stands):
                    publisher.report(kind, last, source.timestamp - ticks)
        await asyncio.sleep(began + time + STEP - world.now)
    await recording.close()
    assert recording.left_out == 0
    [file] = map(read, files_in(tmp_path))
    shifts: dict[str, list[float]] = {}
    for kind, moments in taken.items():
        times = file.times(kind)
        assert len(times) == len(moments)
        assert increasing(times)
        shifts[kind] = [t - moment for t, moment in zip(times, moments, strict=True)]
    # Whenever it was taken, it is as far from the beginning of the file.
    every = shifts["audio"] + shifts["video"]
    assert max(every) - min(every) < SYNC
    after = next(n for n, time in enumerate(taken[stalled]) if time >= end)
    times = file.times(stalled)
    assert times[after] - times[after - 1] == pytest.approx(seconds, abs=SYNC)
    await publisher.rig.stop()
