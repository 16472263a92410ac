"""How long recorded files are kept."""

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.recording.publisher import VIDEO, Publisher, files_in, video_frames
from tests.waiting import until
from whipbird.recording import Recorder, Retention
from whipbird.recording import recorder as module
from whipbird.recording.files import FileIsOpen, RecordingFolder


def write(folder: Path, number: int, *, age: float = 0.0, size: int = 100) -> Path:
    """A file that has ended some seconds ago; the greater its number, the newer."""
    path = folder / f"live_20310203T0405{number:02}Z_001.mp4"
    path.write_bytes(bytes(size))
    ended = time.time() - age
    os.utime(path, (ended, ended))
    return path


def kept(folder: Path, retention: Retention) -> list[int]:
    """The numbers of the files that are kept."""
    RecordingFolder(folder, retention).make_room()
    return [int(path.name[18:20]) for path in files_in(folder)]


def test_without_limits_everything_is_kept(tmp_path: Path) -> None:
    write(tmp_path, 1, age=1e9)
    assert kept(tmp_path, Retention()) == [1]
    RecordingFolder(tmp_path / "new", Retention()).make_room()
    assert not (tmp_path / "new").exists()


def test_the_maximum_age_counts_from_the_end_of_a_file(tmp_path: Path) -> None:
    for number, age in enumerate([5000, 3700, 3000, 10, 4000]):
        write(tmp_path, number, age=age)
    assert kept(tmp_path, Retention(seconds=3600)) == [2, 3]


def test_of_too_many_octets_the_oldest_are_deleted(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path, number, size=1000)
    assert kept(tmp_path, Retention(octets=3500)) == [3, 4, 5]
    assert kept(tmp_path, Retention(octets=3000)) == [3, 4, 5]


class FileSystem:
    """A file system with some room beside the files of a folder."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder = folder
        self.room = room

    def disk_usage(self, _folder: Path) -> SimpleNamespace:
        used = sum(path.stat().st_size for path in self.folder.iterdir())
        return SimpleNamespace(free=self.room - used)


def test_so_much_of_the_file_system_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        write(tmp_path, number, size=1000)
    file_system = FileSystem(tmp_path, 7000)
    monkeypatch.setattr(shutil, "disk_usage", file_system.disk_usage)
    assert kept(tmp_path, Retention(free=1000)) == [0, 1, 2, 3, 4, 5]
    assert kept(tmp_path, Retention(free=3000)) == [2, 3, 4, 5]
    file_system.room = 0
    with pytest.raises(OSError, match="No space left") as caught:
        kept(tmp_path, Retention(free=1))
    assert caught.value.errno == errno.ENOSPC
    assert files_in(tmp_path) == []


def test_other_files_are_not_deleted(tmp_path: Path) -> None:
    other = tmp_path / "holiday.mp4"
    other.write_bytes(bytes(10_000))
    os.utime(other, (0, 0))
    write(tmp_path, 1, age=100)
    RecordingFolder(tmp_path, Retention(seconds=10, octets=1)).make_room()
    assert files_in(tmp_path) == [other]


async def test_a_file_that_is_being_written_is_not_deleted(tmp_path: Path) -> None:
    old = write(tmp_path, 1, size=1000)
    recorder = Recorder(tmp_path, all_streams=True, retention=Retention(octets=1))
    publisher = Publisher(VIDEO["libx264"])
    stream = publisher.stream()
    recorder.publisher_joined(stream)
    for frame in 3 * video_frames("libx264"):
        publisher.send_frame(frame.payloads)
    await until(lambda: (recorder.describe("live") or {})["octets"] > 1000)
    # It was deleted before the new file.
    assert not old.exists()
    (path,) = files_in(tmp_path)
    assert recorder._folder is not None
    recorder._folder.make_room()
    with pytest.raises(FileIsOpen):
        await recorder.delete(path.name)
    assert files_in(tmp_path) == [path]
    recorder.publisher_left(stream)
    await recorder.close()
    assert files_in(tmp_path) == [path]
    recorder._folder.make_room()
    assert files_in(tmp_path) == []
    await publisher.rig.stop()


async def test_it_is_checked_regularly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETENTION_INTERVAL", 0.01)
    recorder = Recorder(tmp_path, retention=Retention(seconds=60))
    first = write(tmp_path, 1, age=100)
    await recorder.open()
    await until(lambda: not first.exists())
    second, third = write(tmp_path, 2, age=100), write(tmp_path, 3)
    await until(lambda: not second.exists())
    assert third.exists()
    await recorder.close()


async def test_without_room_and_anything_to_delete_recordings_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETENTION_INTERVAL", 0.01)
    file_system = FileSystem(tmp_path, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", file_system.disk_usage)
    recorder = Recorder(tmp_path, retention=Retention(free=1000))
    await recorder.open()
    publisher = Publisher(VIDEO["libx264"])
    stream = publisher.stream()
    recorder.publisher_joined(stream)
    await recorder.start("live")
    for frame in 3 * video_frames("libx264"):
        publisher.send_frame(frame.payloads)
    await until(lambda: (recorder.describe("live") or {})["frames"]["video"] == 90)
    file_system.room = 0
    await until(lambda: (recorder.describe("live") or {})["state"] == "failed")
    assert (recorder.describe("live") or {})["problem"] == "No space left on device"
    with pytest.raises(OSError, match="No space left"):
        await recorder.start("live")
    # What was recorded is not deleted before it has ended, but then it is.
    file_system.room = 10**9
    assert await recorder.start("live")
    await asyncio.sleep(0)
    await recorder.close()
    await publisher.rig.stop()


async def test_deleting_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    recorder = Recorder(tmp_path)
    assert await recorder.delete(path.name)
    assert not await recorder.delete(path.name)
    assert not await recorder.delete("../x")
    assert not await Recorder(None).delete(path.name)
    assert files_in(tmp_path) == []
