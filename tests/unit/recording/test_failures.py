"""Disks that are full, slow or not there end a recording, and nothing else."""

import asyncio
import errno
import os
import signal
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    files_in,
    opus_packets,
    read,
    video_frames,
)
from tests.waiting import until
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording, RecordingState
from whipbird.recording.segments import SegmentLimits
from whipbird.sdp.codecs import Codec

ROOT = Path(__file__).parents[3]

# Records three seconds, says so, and goes on until it is killed.
RECORD = """
import asyncio, sys
from pathlib import Path
from tests.unit.recording.publisher import *
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits

async def main():
    encoder = sys.argv[1]
    publisher = Publisher(VIDEO[encoder], AUDIO["opus"])
    folder = RecordingFolder(Path(sys.argv[2]))
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    frames, sounds = video_frames(encoder), opus_packets()
    for number in range(90):
        publisher.send_frame(frames[number % 30].payloads)
        for half in range(2):
            publisher.send_sound(sounds[(2 * number + half) % 25], 800)
    while recording.writer.frames["video"] < 90:
        await asyncio.sleep(0.01)
    print("recorded", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("encoder", ["libx264", "libvpx"])
async def test_a_recording_can_be_played_after_kill_9(
    tmp_path: Path, encoder: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RECORD, encoder, str(tmp_path)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"recorded\n"
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    (path,) = files_in(tmp_path)
    file = read(path)
    # Less than two seconds are lost.
    assert len(file.times("video")) == file.decoded >= 30
    assert [data for _, data, _ in file.packets["audio"]][:40] == [
        opus_packets()[n % 25] for n in range(40)
    ]
    assert file.times("video") == pytest.approx(
        [n / 30 for n in range(file.decoded)], abs=0.001
    )


class Disk:
    """Takes so many octets, and then says that it is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.pwrite

    def pwrite(self, descriptor: int, data: memoryview, position: int) -> int:
        if self.room < len(data):
            # Some of it may still find room.
            self._write(descriptor, data[: self.room], position)
            self.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return self._write(descriptor, data, position)


def long_sent(publisher: Publisher) -> None:
    """Three seconds of pictures."""
    for frame in 3 * video_frames("libx264"):
        publisher.send_frame(frame.payloads)


async def test_a_full_disk_ends_it_and_leaves_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(VIDEO["libx264"])
    second = sum(len(frame.data) for frame in video_frames("libx264"))
    monkeypatch.setattr(os, "pwrite", Disk(round(1.5 * second)).pwrite)
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    long_sent(publisher)
    await until(lambda: recording.state is RecordingState.FAILED)
    assert recording.problem == "No space left on device"
    # The stream continues, without subscribers.
    long_sent(publisher)
    assert publisher.encoding("video").frames == 180
    await recording.close()
    assert recording.state is RecordingState.FAILED
    (path,) = files_in(tmp_path)
    assert read(path).decoded == 30
    assert recording.writer.octets == path.stat().st_size
    await publisher.rig.stop()


async def test_a_disk_that_is_full_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(VIDEO["libx264"])
    monkeypatch.setattr(os, "pwrite", Disk(10).pwrite)
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    long_sent(publisher)
    await until(lambda: recording.state is RecordingState.FAILED)
    assert recording.problem == "No space left on device"
    assert files_in(tmp_path) == []
    await recording.close()
    await publisher.rig.stop()


async def test_a_disk_that_is_full_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last fragment and the index are written when it is ended."""
    publisher = Publisher(VIDEO["libx264"])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    long_sent(publisher)
    await until(lambda: recording.writer.frames["video"] == 90)
    monkeypatch.setattr(os, "pwrite", Disk(10).pwrite)
    await recording.close()
    assert recording.problem == "No space left on device"
    (path,) = files_in(tmp_path)
    assert read(path).decoded >= 30
    await publisher.rig.stop()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    publisher = Publisher(VIDEO["libx264"])
    folder = RecordingFolder(tmp_path / "file" / "recordings")
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    long_sent(publisher)
    await until(lambda: recording.state is RecordingState.FAILED)
    assert recording.problem == "Not a directory"
    await recording.close()
    await publisher.rig.stop()


async def test_a_slow_disk_loses_whole_groups_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is bounded; recording continues at a key frame."""
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    frames = video_frames("libvpx")
    is_quick = threading.Event()
    write = recording.writer.write

    def write_slowly(placed: object) -> None:
        assert is_quick.wait(30)
        write(placed)  # type: ignore[arg-type]

    monkeypatch.setattr(recording.writer, "write", write_slowly)
    monkeypatch.setattr(recording.worker, "_max_waiting", 100_000)
    sent = 0
    while recording.worker.dropped < 15:
        publisher.send_frame(frames[sent % 30].payloads)
        publisher.send_sound(opus_packets()[0], 1600)
        sent += 1
    encoding = publisher.encoding("video")
    encoding.wants_key_frame = False
    is_quick.set()
    await until(lambda: not recording.worker._waiting)
    while sent % 10:
        publisher.send_frame(frames[sent % 30].payloads)
        sent += 1
        # There is room again.
        assert encoding.wants_key_frame
    for number in range(sent, sent + 10):
        publisher.send_frame(frames[number % 30].payloads)
    await recording.close()
    (path,) = files_in(tmp_path)
    file = read(path)
    assert file.decoded == len(file.times("video"))
    every = [frames[number % 30].data for number in range(sent + 10)]
    numbers = [-1]
    for _, data, _ in file.packets["video"]:
        numbers.append(every.index(data, numbers[-1] + 1))
    # Wherever something is left out, it goes on with a key frame.
    jumps = [after for before, after in pairwise(numbers) if after != before + 1]
    assert jumps
    assert all(number % 10 == 0 for number in jumps)
    assert numbers[-1] == sent + 9
    assert sent + 10 - file.decoded <= recording.left_out
    assert recording.problem is None
    await publisher.rig.stop()


@pytest.mark.parametrize("sound", ["opus", "pcmu"])
@pytest.mark.parametrize("number", [5, 29])
async def test_a_frame_that_ffmpeg_rejects_is_left_out(
    tmp_path: Path, sound: str, number: int
) -> None:
    """An AV1 OBU with the forbidden bit (AV1 section 5.3.2) does not end anything."""
    publisher = Publisher(VIDEO["libsvtav1"], AUDIO[sound])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    sound_of = opus_packets()[0] if sound == "opus" else bytes(266)
    for index, frame in enumerate(video_frames("libsvtav1")):
        publisher.send_sound(sound_of, 1600 if sound == "opus" else 266)
        publisher.send_frame((b"\x10\xb2abc",) if index == number else frame.payloads)
    await recording.close()
    assert (recording.state, recording.problem) == (RecordingState.ENDED, None)
    (path,) = files_in(tmp_path)
    # At the end of a file, FFmpeg drops what waits behind it for the other track.
    assert read(path).decoded >= 5
    await publisher.rig.stop()


async def test_sound_of_which_no_track_can_be_made(tmp_path: Path) -> None:
    """The pictures are in one file without it."""
    surround = Codec(111, "multiopus/48000/6")  # no channel mapping
    publisher = Publisher(VIDEO["libx264"], surround)
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    for frame in video_frames("libx264"):
        publisher.send_frame(frame.payloads)
        publisher.send_sound(opus_packets()[0], 1600)
    await recording.close()
    (path,) = files_in(tmp_path)
    assert read(path).decoded == 30
    assert recording.writer.frames == {"audio": 0, "video": 30}
    await publisher.rig.stop()


async def test_a_system_without_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers have few of them. Nobody's publishing may fail because of that."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    publisher = Publisher(VIDEO["libvpx"])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        recording = Recording(
            publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
        )
    await until(lambda: recording.state is RecordingState.FAILED)
    assert recording.problem == "No thread can be started"
    publisher.send_frame(video_frames("libvpx")[0].payloads)
    await recording.close()
    assert files_in(tmp_path) == []
    await publisher.rig.stop()


@pytest.mark.expects_fault
async def test_what_is_wrong_in_the_program_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    recording = Recording(
        publisher.stream(), RecordingFolder(tmp_path), SegmentLimits()
    )
    monkeypatch.setattr(recording.writer, "_write", None)
    publisher.send_frame(video_frames("libvpx")[0].payloads)
    await until(lambda: recording.state is RecordingState.FAILED)
    assert recording.problem == "internal error"
    await recording.close()
    await publisher.rig.stop()
