"""Recordings that have ended stay counted, once."""

from pathlib import Path

import pytest

from tests.unit.recording.publisher import VIDEO, Publisher, files_in, play
from tests.waiting import until
from whipbird.recording import Recorder, RecordingCounts
from whipbird.recording.container import MediaFile


async def test_nothing_is_lost_when_recordings_end(
    tmp_path: Path, publisher: Publisher
) -> None:
    recorder = Recorder(tmp_path, all_streams=True)
    assert recorder.stats.counts == RecordingCounts()
    stream = publisher.stream()
    recorder.publisher_joined(stream)
    play(publisher)
    await until(lambda: recorder.stats.counts.frames == 30)
    assert recorder.stats.active == 1
    recorder.publisher_left(stream)
    # While its file is being finished, and afterwards.
    assert recorder.stats.counts.frames == 30
    assert recorder.stats.active == 0
    other = Publisher(VIDEO["libvpx"])
    recorder.publisher_joined(other.stream())
    play(other)
    await until(lambda: recorder.stats.counts.frames == 60)
    await recorder.close()
    await other.rig.stop()
    counts = recorder.stats.counts
    assert (counts.files, counts.frames, counts.failed) == (2, 60, 0)
    assert 0 < counts.octets <= sum(path.stat().st_size for path in files_in(tmp_path))


async def test_one_that_fails_and_is_started_again(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path)
    stream = publisher.stream()
    recorder.publisher_joined(stream)

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MediaFile, "__init__", fail)
        await recorder.start("live")
        play(publisher)
        await until(lambda: recorder.stats.counts.failed)
    assert recorder.stats.active == 0
    assert recorder.stats.counts.failed == 1
    assert await recorder.start("live")
    assert recorder.stats.active == 1
    play(publisher)
    await until(lambda: recorder.stats.counts.frames)
    recorder.publisher_left(stream)
    await recorder.close()
    counts = recorder.stats.counts
    # The one that could not be made was started too.
    assert (counts.failed, counts.files) == (1, 2)
