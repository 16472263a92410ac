"""Ended files: the index of MP4 is in front, and the last picture lasts as it stood."""

import asyncio
import errno
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    boxes,
    files_in,
    opus_packets,
    read,
    video_frames,
)
from tests.waiting import until
from whipbird.recording import finishing, mp4
from whipbird.recording.files import RecordingFolder
from whipbird.recording.finishing import Finisher
from whipbird.recording.mp4_boxes import DamagedFileError
from whipbird.recording.recording import Recording, RecordingState
from whipbird.recording.retention import Retention
from whipbird.recording.segments import SegmentLimits


class Pipe:
    """A file that can only be read from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size: int) -> bytes:
        return self._file.read(size)


def read_from_a_pipe(path: Path) -> dict[str, list[tuple[Any, Any, int]]]:
    packets: dict[str, list[tuple[Any, Any, int]]] = {}
    with av.open(Pipe(path), "r", format="mp4") as container:
        for packet in container.demux():
            if packet.size:
                entry = packet.pts, packet.dts, hash(bytes(packet))
                packets.setdefault(packet.stream.type, []).append(entry)
    return packets


def read_from_a_file(path: Path) -> dict[str, list[tuple[Any, Any, int]]]:
    packets: dict[str, list[tuple[Any, Any, int]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                entry = packet.pts, packet.dts, hash(bytes(packet))
                packets.setdefault(packet.stream.type, []).append(entry)
    return packets


def begin(folder: Path, publisher: Publisher, **limits: Any) -> Recording:
    return Recording(
        publisher.stream(), RecordingFolder(folder), SegmentLimits(**limits)
    )


def send(publisher: Publisher, encoder: str, seconds: int = 1) -> None:
    for frame in seconds * video_frames(encoder):
        publisher.send_frame(frame.payloads)
        for _ in range(2):
            publisher.send_sound(opus_packets()[0], 800)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
async def test_the_index_is_in_front(tmp_path: Path, encoder: str) -> None:
    publisher = Publisher(VIDEO[encoder], AUDIO["opus"])
    recording = begin(tmp_path, publisher)
    send(publisher, encoder, 3)
    await recording.close()
    (path,) = files_in(tmp_path)
    assert boxes(path) == ["ftyp", "moov", "mdat"]
    assert recording.writer.octets == path.stat().st_size
    found = read_from_a_pipe(path)
    assert found == read_from_a_file(path)
    assert (len(found["video"]), len(found["audio"])) == (90, 180)
    assert read(path).decoded == 90
    await publisher.rig.stop()


async def test_every_file_of_a_recording_is_finished(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher, seconds=1)
    send(publisher, "libx264", 3)
    await recording.close()
    found = files_in(tmp_path)
    assert [boxes(path) for path in found] == [["ftyp", "moov", "mdat"]] * 3
    assert sum(read(path).decoded for path in found) == 90
    await publisher.rig.stop()


def large_index(offsets: list[int]) -> bytes:
    table = b"\0\0\0\0" + len(offsets).to_bytes(4)
    table += b"".join(offset.to_bytes(4) for offset in offsets)
    content = (len(table) + 8).to_bytes(4) + b"stco" + table
    for kind in (b"stbl", b"minf", b"mdia", b"trak"):
        content = (len(content) + 8).to_bytes(4) + kind + content
    return content


def test_offsets_that_need_more_than_32_bits() -> None:
    content = large_index([36, 2**32 - 50])
    moved = mp4._moved(content)
    shift = len(moved)
    table = moved[moved.index(b"co64") + 4 :]
    assert int.from_bytes(table[4:8]) == 2
    assert [int.from_bytes(table[n : n + 8]) for n in (8, 16)] == [
        36 + shift,
        2**32 - 50 + shift,
    ]
    content = large_index([36, 2**32 - 500])
    assert b"co64" not in mp4._moved(content)


@pytest.mark.parametrize("encoder", ["libx264", "libvpx", "libx265"])
async def test_the_last_picture_lasts_as_long_as_it_stood(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen on which nothing changes is sent once."""
    publisher = Publisher(VIDEO[encoder])
    recording = begin(tmp_path, publisher)
    for frame in video_frames(encoder)[:3]:
        publisher.send_frame(frame.payloads)
    await until(lambda: recording.writer.frames["video"] == 3)
    last = recording.writer._last["video"].frame.arrival
    monkeypatch.setattr(recording._loop, "time", lambda: last + 12.5)
    recording._stop()
    monkeypatch.undo()
    await recording.close()
    (path,) = files_in(tmp_path)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(12.5e6, abs=100_000)
        if path.suffix == ".mp4":
            stream = container.streams.video[0]
            assert stream.duration is not None
            assert float(stream.duration * (stream.time_base or 0)) == pytest.approx(
                12.5, abs=0.1
            )
            *_, packet = (p for p in container.demux(video=0) if p.size)
            assert float((packet.duration or 0) * packet.time_base) == pytest.approx(
                12.5 - 2 / 30, abs=0.1
            )
    assert read(path).decoded == 3
    await publisher.rig.stop()


async def test_the_last_picture_of_a_file_that_begins_with_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit list has a pause before the first picture; it is not counted twice."""
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher)
    for _ in range(100):
        publisher.send_sound(opus_packets()[0], 960)
    publisher.report("audio", 10.0, publisher.audio.timestamp)
    publisher.send_sound(opus_packets()[0], 960)
    publisher.send_frame(video_frames("libx264")[1].payloads)
    publisher.report("video", 10.0, publisher.video.timestamp)
    for frame in video_frames("libx264"):
        publisher.send_frame(frame.payloads)
    await until(lambda: recording.writer.frames["video"] == 30)
    last = recording.writer._last["video"]
    pictures = (last, *recording.writer._due)
    due = last.seconds - min(p.seconds - p.frame.arrival for p in pictures)
    monkeypatch.setattr(recording._loop, "time", lambda: due + 5)
    recording._stop()
    monkeypatch.undo()
    await recording.close()
    (path,) = files_in(tmp_path)
    file = read(path)
    assert file.times("video")[0] == pytest.approx(2.0, abs=0.05)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(
            1e6 * (file.times("video")[-1] + 5), abs=2000
        )
    await publisher.rig.stop()


async def test_pictures_that_come_early_do_not_stand_longer(tmp_path: Path) -> None:
    """A second of pictures in one moment, as after a stall: it still is a second."""
    publisher = Publisher(VIDEO["libx264"])
    recording = begin(tmp_path, publisher)
    for frame in video_frames("libx264"):
        publisher.send_frame(frame.payloads)
    first = recording._loop.time()
    await until(lambda: recording._loop.time() > first + 0.2)
    await recording.close()
    (path,) = files_in(tmp_path)
    with av.open(str(path)) as container:
        assert container.duration is not None
        passed = recording.writer.stopped
        assert passed is not None
        longest = max(1.0, passed - first + 0.2)
        assert 1.0 <= round(container.duration / 1e6, 2) <= longest
    await publisher.rig.stop()


async def test_the_last_picture_of_a_publisher_that_vanished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how long it stood: not until the server gives the session up."""
    publisher = Publisher(VIDEO["libx264"])
    stream = publisher.stream()
    recording = Recording(stream, RecordingFolder(tmp_path), SegmentLimits())
    for frame in video_frames("libx264"):
        publisher.send_frame(frame.payloads)
    await until(lambda: recording.writer.frames["video"] == 30)
    stream.source.connectionState = "failed"  # type: ignore[misc]
    last = recording.writer._last["video"].frame.arrival
    monkeypatch.setattr(recording._loop, "time", lambda: last + 28)
    recording._stop()
    monkeypatch.undo()
    await recording.close()
    (path,) = files_in(tmp_path)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(1e6, abs=20_000)
    await publisher.rig.stop()


@pytest.mark.virtual_time
async def test_a_picture_before_a_pause_lasts_through_it(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libx264"])
    recording = begin(tmp_path, publisher)
    frames = video_frames("libx264")
    for number, frame in enumerate(frames):
        publisher.send_frame(frame.payloads, ticks=360_000 if number == 4 else 3000)
        await asyncio.sleep(4.0 if number == 4 else 1 / 30)
    await recording.close()
    (path,) = files_in(tmp_path)
    with av.open(str(path)) as container:
        durations = [
            float(packet.duration * packet.time_base)
            for packet in container.demux(video=0)
            if packet.size and packet.duration is not None
        ]
    assert durations == pytest.approx([4.0 if n == 4 else 1 / 30 for n in range(30)])
    await publisher.rig.stop()


async def test_without_room_for_a_copy_the_file_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher)
    send(publisher, "libx264", 3)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        await recording.close()
    (path,) = files_in(tmp_path)
    assert boxes(path) == ["ftyp", "mdat", "moov"]
    assert read(path).decoded == 90
    assert recording.state is RecordingState.ENDED
    await publisher.rig.stop()


async def test_a_copy_keeps_the_floor_of_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    folder = RecordingFolder(tmp_path, Retention(free=1000))
    free = SimpleNamespace(free=2000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    send(publisher, "libx264", 3)
    await recording.close()
    (path,) = files_in(tmp_path)
    assert boxes(path) == ["ftyp", "mdat", "moov"]
    free.free = 1000 + path.stat().st_size
    folder.finish(path.name, 0.0)
    await folder.finisher.wait([path.name])
    assert boxes(path) == ["ftyp", "moov", "mdat"]
    await publisher.rig.stop()


async def test_a_process_that_dies_in_the_middle_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is always a playable file; the copy is removed at the next start."""
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher)
    copied, go_on = threading.Event(), threading.Event()
    replace = os.replace

    def replace_late(old: Path, new: Path) -> None:
        copied.set()
        assert go_on.wait(30)
        replace(old, new)

    monkeypatch.setattr(os, "replace", replace_late)
    send(publisher, "libx264", 3)
    closing = asyncio.create_task(recording.close())
    await until(copied.is_set)
    path, copy = files_in(tmp_path)
    assert copy.name == f"{path.name}{finishing.COPY}"
    assert read(path).decoded == 90
    # A process that dies keeps nothing locked.
    recording.folder._locks.release(path.name)
    # A server that begins now has another view of the folder.
    later = RecordingFolder(tmp_path)
    assert [file.path for file in later] == [path]
    later.prepare()
    assert files_in(tmp_path) == [path]
    go_on.set()
    await closing
    assert read(path).decoded == 90
    await publisher.rig.stop()


async def test_the_event_loop_goes_on_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher, seconds=1)
    fsync, answers = os.fsync, threading.Event()

    def fsync_late(descriptor: int) -> None:
        assert answers.wait(30)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_late)
    # Neither do the next files wait.
    send(publisher, "libx264", 3)
    await until(lambda: recording.writer.frames["video"] == 90)
    assert recording.writer.files == 3
    closing = asyncio.create_task(recording.close())
    done, _ = await asyncio.wait({closing}, timeout=0.05)
    assert not done
    answers.set()
    await closing
    assert [boxes(path)[1] for path in files_in(tmp_path)] == ["moov"] * 3
    await publisher.rig.stop()


async def test_what_is_abandoned_keeps_its_index_at_the_end(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    folder = RecordingFolder(tmp_path)
    recording = Recording(publisher.stream(), folder, SegmentLimits())
    folder.finisher.abandon()
    send(publisher, "libx264", 3)
    await recording.close()
    (path,) = files_in(tmp_path)
    assert boxes(path) == ["ftyp", "mdat", "moov"]
    with pytest.raises(mp4.Abandoned):
        mp4.move_index(path, tmp_path / "copy", 0.0, lambda: True)
    assert files_in(tmp_path) == [path]
    await publisher.rig.stop()


@pytest.mark.parametrize("size", [0, 7, 8, 12, 28, 40, 1000, 50_000])
def test_files_without_an_index_at_their_end_stay_what_they_are(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes((b"\0\0\0\x10ftypisom" + b"\xff" * 50_000)[:size])
    before = path.read_bytes()
    with pytest.raises(DamagedFileError):
        mp4.move_index(path, tmp_path / "copy", 5.0, lambda: False)
    assert path.read_bytes() == before
    assert files_in(tmp_path) == [path]


async def test_a_system_without_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    finisher = Finisher()
    finisher.submit(tmp_path / "file.mp4", 0.0)
    await finisher.wait(["file.mp4"])
    assert "file.mp4" not in finisher


async def test_a_file_is_reported_before_it_counts_as_done(tmp_path: Path) -> None:
    """Whoever waits for it may end the server."""
    finisher = Finisher()
    path = tmp_path / "live_1.mkv"
    path.write_bytes(b"")
    told: list[bool] = []
    release = threading.Event()

    def finished(_path: Path) -> None:
        release.wait(20)
        told.append(True)

    finisher.on_finished = finished
    finisher.submit(path, 1.0)
    waiting = asyncio.create_task(finisher.wait([path.name]))
    await asyncio.sleep(0)
    release.set()
    await waiting
    assert told == [True]
