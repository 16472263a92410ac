"""A publisher's frames are in the files, unchanged."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from tests.encoders import EncodedFrame
from tests.unit.recording.publisher import (
    AUDIO,
    FRAME_TICKS,
    VIDEO,
    Publisher,
    Recorded,
    files_in,
    increasing,
    noise,
    opus_packets,
    read,
    video_frames,
)
from tests.waiting import until
from whipbird.recording import recording as recording_module
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording, RecordingState
from whipbird.recording.segments import SegmentLimits
from whipbird.rtp.codecs import payload_format

pytestmark = pytest.mark.virtual_time

CONTAINERS = {
    ("libx264", "opus"): "mp4",
    ("libx265", "opus"): "mp4",
    ("libvpx-vp9", "opus"): "mp4",
    ("libsvtav1", "opus"): "mp4",
    ("libvpx", "opus"): "webm",
    ("libx264", "pcmu"): "mkv",
    ("libvpx", "pcma"): "mkv",
    ("libvpx-vp9", "g722"): "mkv",
    ("libx264", None): "mp4",
    ("libvpx", None): "webm",
    (None, "opus"): "mp4",
    (None, "pcmu"): "mkv",
}
# Seconds: what Matroska rounds to.
ROUNDING = 0.001


def record(
    publisher: Publisher, folder: Path, limits: SegmentLimits | None = None
) -> Recording:
    return Recording(
        publisher.stream(), RecordingFolder(folder), limits or SegmentLimits()
    )


def recorded(folder: Path) -> list[Recorded]:
    """All files, the first that was begun first."""
    return [read(path) for path in files_in(folder)]


def send(publisher: Publisher, frames: Sequence[EncodedFrame], **options: Any) -> None:
    for frame in frames:
        publisher.send_frame(frame.payloads, **options)


def content(encoder: str, frame: EncodedFrame) -> bytes:
    """The expected data of a frame in a file, without separators of NAL units.

    The parameter sets of H.265 are in the file's beginning.
    """
    codec = payload_format(VIDEO[encoder].name)
    assert codec is not None
    data = codec.join(frame.payloads)
    if encoder == "libx265":
        units = [b"\0\0\0\1" + unit for unit in data.split(b"\0\0\0\1")[1:]]
        data = b"".join(unit for unit in units if not 32 <= unit[4] >> 1 <= 34)
    return bare(encoder, data, b"\0\0\0\1")


def bare(encoder: str, data: bytes, start_code: bytes = b"") -> bytes:
    """Take start codes, or the sizes that stand for them, out of a frame."""
    if encoder not in ("libx264", "libx265"):
        return data
    if start_code:
        return data.replace(start_code, b"")
    units = b""
    while data:
        size = int.from_bytes(data[:4])
        units, data = units + data[4 : 4 + size], data[4 + size :]
    return units


@pytest.mark.parametrize(("encoder", "sound"), CONTAINERS)
async def test_every_frame_is_in_the_file(
    tmp_path: Path, encoder: str | None, sound: str | None
) -> None:
    publisher = Publisher(VIDEO.get(encoder or ""), AUDIO.get(sound or ""))
    recording = record(publisher, tmp_path)
    frames = video_frames(encoder) if encoder else ()
    for number in range(30):
        # The picture comes first: what is heard before it is left out.
        if frames:
            publisher.send_frame(frames[number].payloads)
        if sound == "opus":
            publisher.send_sound(opus_packets()[number % 25], 960)
        elif sound is not None:
            publisher.send_sound(noise(160), 160)
    await recording.close()
    assert (recording.state, recording.problem) == (RecordingState.ENDED, None)
    (path,) = files_in(tmp_path)
    assert path.suffix == f".{CONTAINERS[encoder, sound]}"
    file = read(path)
    if encoder is not None:
        assert [bare(encoder, data) for _, data, _ in file.packets["video"]] == [
            content(encoder, frame) for frame in frames
        ]
        assert [is_key for *_, is_key in file.packets["video"]] == [
            frame.is_key for frame in frames
        ]
        assert file.size == (192, 108)
        assert file.decoded == 30
        assert file.times("video") == pytest.approx(
            [n / 30 for n in range(30)], abs=ROUNDING
        )
    if sound is not None:
        begin = file.times("audio")[0]
        assert 0 <= begin < 0.5
        assert file.times("audio") == pytest.approx(
            [begin + 0.02 * n for n in range(30)], abs=ROUNDING
        )
    if sound == "opus":
        assert [data for _, data, _ in file.packets["audio"]] == [
            opus_packets()[n % 25] for n in range(30)
        ]
    assert recording.writer.octets == path.stat().st_size
    await publisher.rig.stop()


async def test_sound_and_pictures_are_together_by_the_sender_s_clock(
    tmp_path: Path,
) -> None:
    """The clocks of sound and pictures begin anywhere; the reports join them."""
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = record(publisher, tmp_path)
    frames = video_frames("libx264")
    pictures = 0
    # Audio and video of the same moment arrive 200 ms apart.
    for step in range(120):
        if step % 5 < 3:
            publisher.send_frame(frames[pictures % 30].payloads)
            pictures += 1
        publisher.send_sound(opus_packets()[step % 25], 960)
        if step == 0:
            first = publisher.video.timestamp - FRAME_TICKS
            publisher.report("video", 50.2, first)
            publisher.report("audio", 50.0, publisher.audio.timestamp - 960)
    await recording.close()
    (file,) = recorded(tmp_path)
    # The second picture was taken 200 ms and a thirtieth after the first sound.
    sound, picture = file.times("audio")[0], file.times("video")[20]
    assert picture - sound == pytest.approx(0.2 + 20 / 30, abs=0.04)
    assert increasing(file.times("video"))
    assert increasing(file.times("audio"))
    await publisher.rig.stop()


async def test_what_is_lost_is_left_out_up_to_a_key_frame(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    recording = record(publisher, tmp_path)
    frames = video_frames("libvpx")
    for number, frame in enumerate(frames):
        lost = frozenset({1}) if number == 4 else frozenset()
        publisher.send_frame(frame.payloads, lost=lost)
    publisher.encoding("video").tick(asyncio.get_running_loop().time() + 2)
    await recording.close()
    (file,) = recorded(tmp_path)
    assert [data for _, data, _ in file.packets["video"]] == [
        frame.data for frame in [*frames[:4], *frames[10:]]
    ]
    assert file.decoded == 24
    times = file.times("video")
    assert times[4] - times[3] == pytest.approx(7 / 30, abs=2 * ROUNDING)
    assert recording.left_out == 6
    await publisher.rig.stop()


async def test_it_begins_with_a_key_frame_and_asks_for_one(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    frames = video_frames("libx264")
    publisher.send_sound(opus_packets()[0], 960)
    send(publisher, frames[:2])
    encoding = publisher.encoding("video")
    encoding.wants_key_frame = False
    recording = record(publisher, tmp_path)
    assert encoding.wants_key_frame
    send(publisher, frames[2:10])
    publisher.send_sound(opus_packets()[1], 960)
    assert recording.state is RecordingState.WAITING
    assert not files_in(tmp_path)
    send(publisher, frames[10:])
    await until(lambda: recording.state is RecordingState.RECORDING)
    await recording.close()
    (file,) = recorded(tmp_path)
    assert len(file.times("video")) == file.decoded == 20
    assert "audio" in file.codecs
    await publisher.rig.stop()


@pytest.mark.parametrize(
    ("limits", "files"),
    [(SegmentLimits(seconds=0.5), 2), (SegmentLimits(octets=1), 3)],
)
async def test_a_new_file_begins_at_the_next_key_frame(
    tmp_path: Path, limits: SegmentLimits, files: int
) -> None:
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = record(publisher, tmp_path, limits)
    frames = video_frames("libx264")
    for number, frame in enumerate(frames):
        publisher.send_frame(frame.payloads)
        for half in range(2):
            publisher.send_sound(opus_packets()[(2 * number + half) % 25], 800)
        if number == 1:
            # The file has been begun before there is more to be written to it.
            await until(lambda: recording.writer.frames["video"] == 2)
    await recording.close()
    found = recorded(tmp_path)
    assert [path.name[-7:-4] for path in files_in(tmp_path)] == [
        f"{number + 1:03}" for number in range(files)
    ]
    assert recording.writer.files == files
    pictures = [packet for file in found for packet in file.packets["video"]]
    assert [bare("libx264", data) for _, data, _ in pictures] == [
        content("libx264", frame) for frame in frames
    ]
    for file in found:
        assert file.packets["video"][0][2]
        assert file.decoded == len(file.times("video"))
        assert min(file.times("video")[0], file.times("audio")[0]) < 0.02
    # None of the sound falls between two files.
    sounds = [data for file in found for _, data, _ in file.packets["audio"]]
    sent = [opus_packets()[n % 25] for n in range(60)]
    assert sounds == sent[-len(sounds) :]
    assert len(sounds) >= 59
    await publisher.rig.stop()


async def test_h265_is_written_as_apple_s_players_want_it(tmp_path: Path) -> None:
    """As hvc1, with the parameter sets in the file's beginning: they may not change."""
    publisher = Publisher(VIDEO["libx265"])
    recording = record(publisher, tmp_path)
    other = (("x265-params", "log-level=none:signhide=1"),)
    send(publisher, video_frames("libx265"))
    send(publisher, video_frames("libx265", options=other))
    await recording.close()
    for path in files_in(tmp_path):
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.codec_tag == "hvc1"
    assert [file.decoded for file in recorded(tmp_path)] == [30, 30]
    await publisher.rig.stop()


async def test_another_codec_begins_a_new_file(tmp_path: Path) -> None:
    h264 = replace(VIDEO["libx264"], payload_type=97)
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"], h264)
    recording = record(publisher, tmp_path)
    for encoder, payload_type in (("libvpx", 96), ("libx264", 97)):
        publisher.video.payload_type = payload_type
        for frame in video_frames(encoder):
            publisher.send_frame(frame.payloads)
            publisher.send_sound(opus_packets()[0], 1600)
    await recording.close()
    first, second = recorded(tmp_path)
    assert first.codecs == {"video": "vp8", "audio": "opus"}
    assert second.codecs == {"video": "h264", "audio": "opus"}
    assert first.decoded == second.decoded == 30
    assert len(first.times("audio")) + len(second.times("audio")) == 60
    await publisher.rig.stop()


async def test_a_sender_that_describes_its_stream_only_once(tmp_path: Path) -> None:
    """Later files are like the first: the parameter sets come from there."""
    publisher = Publisher(VIDEO["libx264"])
    recording = record(publisher, tmp_path, SegmentLimits(seconds=0.5))
    frames = video_frames("libx264")
    send(publisher, frames[:10])
    for frame in frames[10:]:
        # The parameter sets are in a packet of their own (STAP-A).
        described = frame.payloads[0][0] & 0x1F == 24
        assert described == frame.is_key
        publisher.send_frame(frame.payloads[1:] if described else frame.payloads)
    await recording.close()
    assert [file.decoded for file in recorded(tmp_path)] == [20, 10]
    await publisher.rig.stop()


async def test_another_source_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """The encoder was started again: other numbers, other timestamps."""
    publisher = Publisher(VIDEO["libvpx"])
    recording = record(publisher, tmp_path)
    frames = video_frames("libvpx")
    send(publisher, frames)
    publisher.video.ssrc, publisher.video.timestamp = 99, 1_234_567
    publisher.video.sequence = 5000
    send(publisher, frames)
    await recording.close()
    (file,) = recorded(tmp_path)
    assert file.decoded == 60
    assert increasing(file.times("video"))
    await publisher.rig.stop()


async def test_sound_that_comes_later_is_in_the_next_file(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    recording = record(publisher, tmp_path)
    frames = video_frames("libvpx")
    send(publisher, frames[:5])
    # Nothing is written before the wait for audio is over.
    assert recording.state is RecordingState.WAITING
    await until(lambda: recording.state is RecordingState.RECORDING)
    for frame in frames[5:]:
        publisher.send_sound(opus_packets()[0], 1600)
        publisher.send_frame(frame.payloads)
    await recording.close()
    first, second = recorded(tmp_path)
    assert (len(first.times("video")), first.codecs) == (10, {"video": "vp8"})
    assert second.codecs == {"video": "vp8", "audio": "opus"}
    assert len(second.times("video")) == 20
    await publisher.rig.stop()


async def test_ending_it_leaves_nothing_behind(tmp_path: Path) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    recording = record(publisher, tmp_path)
    send(publisher, video_frames("libvpx")[:3])
    await recording.close()
    await recording.close()
    send(publisher, video_frames("libvpx")[3:])
    assert recording.writer.frames["video"] == 3
    assert publisher.rig.receivers[0].media.on_encodings_changed == []
    await publisher.rig.stop()


async def test_frames_that_wait_for_their_place_take_a_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are late, and each is less late than the one before."""
    publisher = Publisher(VIDEO["libvpx"], None)
    recording = record(publisher, tmp_path)
    frames = video_frames("libvpx")
    send(publisher, frames[:10])
    await asyncio.sleep(0.9)
    send(publisher, frames[10:14])
    waiting = len(recording._waiting)
    assert waiting > 2
    monkeypatch.setattr(recording_module, "MAX_WAITING", 1)
    send(publisher, frames[14:15])
    assert not recording._waiting
    await recording.close()
    (file,) = recorded(tmp_path)
    assert file.decoded == 15
    await publisher.rig.stop()
