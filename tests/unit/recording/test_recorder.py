"""The streams that a server records, and the status of their recordings."""

import asyncio
import shutil
import threading
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.unit.recording.publisher import (
    Publisher,
    files_in,
    play,
)
from tests.waiting import until
from whipbird.recording import (
    NoFolder,
    NotPublished,
    Recorder,
    Retention,
    SegmentLimits,
)
from whipbird.recording import recorder as module
from whipbird.recording.container import MediaFile
from whipbird.recording.recorder import RecorderObserver


async def test_every_stream_is_recorded(tmp_path: Path, publisher: Publisher) -> None:
    recorder = Recorder(tmp_path, all_streams=True)
    stream = publisher.stream()
    assert recorder.describe("live") is None
    recorder.publisher_joined(stream)
    assert (recorder.describe("live") or {})["state"] == "waiting"
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["state"] == "recording")
    recorder.publisher_left(stream)
    assert recorder.describe("live") is None
    await recorder.close()
    (listed,) = await recorder.files()
    assert (listed.file.stream, listed.is_open) == ("live", False)
    assert listed.seconds == pytest.approx(1, abs=0.01)


async def test_a_stream_is_recorded_when_that_is_asked_for(
    tmp_path: Path, publisher: Publisher
) -> None:
    recorder = Recorder(tmp_path)
    with pytest.raises(NotPublished):
        await recorder.start("live")
    recorder.publisher_joined(publisher.stream())
    play(publisher)
    assert recorder.describe("live") is None
    assert await recorder.start("live")
    assert not await recorder.start("live")
    play(publisher)

    def is_written() -> bool:
        described = recorder.describe("live")
        assert described is not None
        return bool(described["frames"]["video"] == 30)

    await until(is_written)
    described = recorder.describe("live")
    assert described is not None
    (path,) = files_in(tmp_path)
    assert described.pop("started")
    assert described.pop("octets") >= 0
    assert described == {
        "state": "recording",
        "problem": None,
        "file": path.name,
        "files": 1,
        "frames": {"audio": 0, "video": 30},
        "left_out": 0,
    }
    (listed,) = await recorder.files()
    assert (listed.is_open, listed.seconds) == (True, None)
    assert await recorder.stop("live")
    assert not await recorder.stop("live")
    # It is complete by now.
    (listed,) = await recorder.files()
    assert listed.seconds == pytest.approx(1, abs=0.01)
    found = await recorder.file(path.name)
    assert found is not None
    assert found.path == path
    assert await recorder.file("other") is None
    await recorder.close()


async def test_a_publisher_that_comes_back_is_recorded_again(
    tmp_path: Path, publisher: Publisher
) -> None:
    recorder = Recorder(tmp_path)
    first, second = publisher.stream(), publisher.stream()
    recorder.publisher_joined(first)
    await recorder.start("live")
    play(publisher)
    recorder.publisher_left(first)
    assert recorder.describe("live") == {"state": "waiting"}
    recorder.publisher_joined(second)
    # A late end of the old stream does not affect the new one.
    recorder.publisher_left(first)
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["state"] == "recording")
    await recorder.stop("live")
    recorder.publisher_left(second)
    recorder.publisher_joined(second)
    assert recorder.describe("live") is None
    await recorder.close()
    assert len(files_in(tmp_path)) == 2


async def test_another_publisher_takes_over(
    tmp_path: Path, publisher: Publisher
) -> None:
    recorder = Recorder(tmp_path, all_streams=True)
    recorder.publisher_joined(publisher.stream())
    play(publisher)
    recorder.publisher_joined(publisher.stream())
    await recorder.close()
    assert len(files_in(tmp_path)) == 1
    assert len(publisher.rig.receivers[0].media.on_encodings_changed) == 0


async def test_a_file_that_is_being_ended(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its publisher has gone, and the disk takes its time."""
    recorder = Recorder(tmp_path, all_streams=True)
    stream = publisher.stream()
    recorder.publisher_joined(stream)
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["state"] == "recording")
    answers = threading.Event()
    close = MediaFile.close

    def close_late(media: MediaFile) -> None:
        assert answers.wait(30)
        close(media)

    monkeypatch.setattr(MediaFile, "close", close_late)
    recorder.publisher_left(stream)
    (listed,) = await recorder.files()
    assert (listed.is_open, listed.seconds) == (True, None)
    stopping = asyncio.create_task(recorder.stop("live"))
    done, _ = await asyncio.wait({stopping}, timeout=0.05)
    assert not done
    answers.set()
    async with asyncio.timeout(10):
        assert not await stopping
    (listed,) = await recorder.files()
    assert not listed.is_open
    assert listed.seconds == pytest.approx(1, abs=0.01)
    await recorder.close()


async def test_a_failed_recording_can_be_begun_again(
    tmp_path: Path, publisher: Publisher
) -> None:
    folder = tmp_path / "folder"
    folder.touch()
    recorder = Recorder(folder)
    recorder.publisher_joined(publisher.stream())
    with pytest.raises(FileExistsError):
        await recorder.start("live")
    assert recorder.describe("live") is None
    folder.unlink()
    await recorder.start("live")
    folder.rmdir()
    folder.touch()
    play(publisher)
    await until(lambda: (recorder.describe("live") or {})["state"] == "failed")
    assert (recorder.describe("live") or {})["problem"] == "File exists"
    folder.unlink()
    assert await recorder.start("live")
    play(publisher)
    await recorder.close()
    assert len(files_in(folder)) == 1


@pytest.mark.parametrize("what", ["folder", "file"])
async def test_what_was_removed_is_not_recorded_into(
    tmp_path: Path, publisher: Publisher, what: str
) -> None:
    """Nobody would find it: the recording has failed, and can be begun again."""
    folder = tmp_path / "folder"
    recorder = Recorder(folder)
    recorder.publisher_joined(publisher.stream())
    await recorder.start("live")
    play(publisher)
    await until(lambda: any(file.stat().st_size for file in files_in(folder)))
    if what == "folder":
        shutil.rmtree(folder)
    else:
        files_in(folder)[0].unlink()

    def has_failed() -> bool:
        play(publisher)
        return bool((recorder.describe("live") or {})["state"] == "failed")

    await until(has_failed)
    described = recorder.describe("live") or {}
    assert described["problem"] == "No such file or directory"
    assert await recorder.start("live")
    play(publisher)
    await recorder.close()
    assert len(files_in(folder)) == 1


async def test_without_a_folder(publisher: Publisher) -> None:
    recorder = Recorder(None, all_streams=True)
    stream = publisher.stream()
    recorder.publisher_joined(stream)
    with pytest.raises(NoFolder):
        await recorder.start("live")
    assert await recorder.files() == []
    assert await recorder.file("live_20310203T040506Z_001.mp4") is None
    recorder.publisher_left(stream)
    await recorder.close()


async def test_a_disk_that_does_not_answer_does_not_keep_the_server_from_ending(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLOSE_TIMEOUT", 0.1)
    answers = threading.Event()
    recorder = Recorder(tmp_path, all_streams=True)
    recorder.publisher_joined(publisher.stream())
    recording = recorder._recordings["live"]
    monkeypatch.setattr(recording.writer, "write", lambda _: answers.wait(30))
    play(publisher)
    async with asyncio.timeout(10):
        await recorder.close()
    assert recording.problem == "The disk is too slow to finish the file"
    answers.set()
    await recording.close()


async def test_another_folder(tmp_path: Path, publisher: Publisher) -> None:
    """What is being recorded goes on; the next publisher is recorded there."""
    first, second = tmp_path / "first", tmp_path / "second"
    recorder = Recorder(first, all_streams=True)
    configure = partial(
        recorder.configure, limits=SegmentLimits(), retention=Retention()
    )
    told = Mock(spec=RecorderObserver)
    recorder.observers.append(told)
    await recorder.open()
    before = len(asyncio.all_tasks())
    for folder in (first, second):
        stream = publisher.stream()
        recorder.publisher_joined(stream)
        play(publisher)
        await until(lambda: (recorder.describe("live") or {})["state"] == "recording")
        configure(folder=second, all_streams=True)
        play(publisher)
        recorder.publisher_left(stream)
        await until(lambda: told.file_finished.called)
        (file,) = told.file_finished.call_args.args
        assert file.path.parent == folder
        told.reset_mock()
        assert len(files_in(folder)) == 1
    await until(lambda: len(asyncio.all_tasks()) == before)
    (listed,) = await recorder.files()
    assert listed.file.path.parent == second
    configure(folder=None, all_streams=False)
    assert not recorder.is_enabled
    with pytest.raises(NoFolder):
        await recorder.start("live")
    assert await recorder.files() == []
    await until(lambda: len(asyncio.all_tasks()) == before - 1)
    await recorder.close()
    assert len(files_in(first)) == len(files_in(second)) == 1
