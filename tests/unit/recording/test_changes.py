"""What changes within a recording, and stays one file; and what begins another one."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
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
from whipbird.recording.recording import Recording
from whipbird.recording.segments import SegmentLimits
from whipbird.rtp.extensions import VIDEO_ORIENTATION

SIZES = [(96, 64), (192, 108), (384, 216), (256, 144), (192, 108)]


def begin(folder: Path, publisher: Publisher) -> Recording:
    return Recording(publisher.stream(), RecordingFolder(folder), SegmentLimits())


def sizes_in(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        return [(f.width, f.height) for f in container.decode(video=0)]


def sample_entry(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(container.streams.video[0].codec_context.codec_tag)


@pytest.mark.parametrize("sound", ["opus", "pcmu", None])
@pytest.mark.parametrize("encoder", [e for e in VIDEO if e != "libsvtav1"])
async def test_pictures_of_all_sizes_are_in_one_file(
    tmp_path: Path, encoder: str, sound: str | None
) -> None:
    """A browser begins with small pictures, and sends larger ones soon."""
    publisher = Publisher(VIDEO[encoder], AUDIO.get(sound or ""))
    recording = begin(tmp_path, publisher)
    for width, height in SIZES:
        for frame in video_frames(encoder, width=width, height=height):
            publisher.send_frame(frame.payloads)
            if sound == "opus":
                publisher.send_sound(opus_packets()[0], 1600)
            elif sound is not None:
                publisher.send_sound(bytes(266), 266)
    await recording.close()
    assert (recording.problem, recording.left_out) == (None, 0)
    (path,) = files_in(tmp_path)
    assert sizes_in(path) == [size for size in SIZES for _ in range(30)]
    assert len(read(path).times("video")) == 150
    await publisher.rig.stop()


@pytest.mark.parametrize(
    ("encoder", "fixed", "changing"),
    [("libx264", "avc1", "avc3"), ("libx265", "hvc1", "hev1")],
)
async def test_the_sample_entry_says_whether_parameter_sets_change(
    tmp_path: Path, encoder: str, fixed: str, changing: str
) -> None:
    """ISO/IEC 14496-15 section 5.3.3.1: in avc1, they are in the sample entry."""
    for name, sizes in ((fixed, SIZES[:1]), (changing, SIZES)):
        publisher = Publisher(VIDEO[encoder])
        folder = tmp_path / name
        recording = begin(folder, publisher)
        for width, height in sizes:
            for frame in video_frames(encoder, width=width, height=height):
                publisher.send_frame(frame.payloads)
        await recording.close()
        (path,) = files_in(folder)
        assert sample_entry(path) == name
        await publisher.rig.stop()


@pytest.mark.parametrize(
    ("encoder", "entry"), [("libx264", "avc3"), ("libx265", "hev1")]
)
async def test_the_sample_entry_is_right_in_a_file_that_is_being_written(
    tmp_path: Path, encoder: str, entry: str
) -> None:
    publisher = Publisher(VIDEO[encoder])
    recording = begin(tmp_path, publisher)
    found: list[str] = []
    for width, height in ((192, 108), (256, 144)):
        frames = video_frames(encoder, width=width, height=height)
        for frame in 3 * frames:
            publisher.send_frame(frame.payloads)
        await written(recording, 90 * (1 + len(found)))
        (path,) = files_in(tmp_path)
        found.append(sample_entry(path))
    assert found == [entry.replace("avc3", "avc1").replace("hev1", "hvc1"), entry]
    await recording.close()
    await publisher.rig.stop()


async def written(recording: Recording, pictures: int) -> None:
    await until(lambda: recording.writer.frames["video"] == pictures)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx", "libvpx-vp9"])
async def test_a_change_in_each_picture_does_not_make_a_file_each(
    tmp_path: Path, encoder: str
) -> None:
    publisher = Publisher(VIDEO[encoder])
    recording = begin(tmp_path, publisher)
    keys = [
        video_frames(encoder, width=width, height=height)[0]
        for width, height in ((192, 108), (256, 144))
    ]
    for number in range(200):
        publisher.send_frame(keys[number % 2].payloads)
    await recording.close()
    (path,) = files_in(tmp_path)
    assert Counter(sizes_in(path)) == {(192, 108): 100, (256, 144): 100}
    await publisher.rig.stop()


@pytest.mark.parametrize("change", ["codec", "rotation", "profile"])
async def test_no_file_is_short_because_of_changes(tmp_path: Path, change: str) -> None:
    """Another codec, rotation or profile needs another file, but not 30 a second."""
    vp9 = replace(VIDEO["libvpx-vp9"], payload_type=97)
    publisher = Publisher(
        VIDEO["libx264"], None, vp9, extensions=((13, VIDEO_ORIENTATION),)
    )
    recording = begin(tmp_path, publisher)
    baseline: Any = (("profile", "baseline"),)
    high: Any = (("profile", "high"), ("tune", "film"), ("bf", "0"))
    for number in range(300):
        is_odd = number % 2
        encoder, options = "libx264", baseline
        if is_odd and change == "codec":
            encoder, options = "libvpx-vp9", ()
        elif is_odd and change == "profile":
            options = high
        elif change == "rotation":
            publisher.video.extensions = {13: bytes([is_odd])}
        publisher.video.payload_type = 97 if encoder == "libvpx-vp9" else 96
        publisher.send_frame(video_frames(encoder, options=options)[0].payloads)
    await recording.close()
    assert recording.problem is None
    found = files_in(tmp_path)
    # Ten seconds of pictures.
    assert 5 <= len(found) <= 34
    for path in found[:-1]:
        with av.open(str(path)) as container:
            assert container.duration is not None
            assert container.duration >= 0.29e6
    if change != "codec":
        assert sum(len(sizes_in(path)) for path in found) == 300
    await publisher.rig.stop()
