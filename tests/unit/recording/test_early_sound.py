"""Sound before the first picture, and tracks that begin late: nothing is missing."""

from pathlib import Path

import pytest

from tests.unit.recording.publisher import (
    AUDIO,
    FRAME_TICKS,
    VIDEO,
    Publisher,
    files_in,
    opus_packets,
    read,
    video_frames,
)
from tests.waiting import until
from whipbird.media.frames import RtpFrame
from whipbird.recording import early, writer
from whipbird.recording.early import EarlyAudio
from whipbird.recording.files import RecordingFolder
from whipbird.recording.recording import Recording, RecordingState
from whipbird.recording.segments import PlacedFrame, SegmentLimits

pytestmark = pytest.mark.virtual_time

SOUND_TICKS = 960
ROUNDING = 0.002


def begin(
    folder: Path, publisher: Publisher, seconds: float | None = None
) -> Recording:
    return Recording(
        publisher.stream(), RecordingFolder(folder), SegmentLimits(seconds)
    )


def sound(number: int) -> bytes:
    """Each packet is another one."""
    packet = opus_packets()[number % 25]
    return packet[:-4] + number.to_bytes(4)


def sounds_in(folder: Path) -> list[bytes]:
    # A file may have a picture alone: the last one.
    found = [read(path).packets.get("audio", []) for path in files_in(folder)]
    return [data for packets in found for _, data, _ in packets]


@pytest.mark.parametrize("encoder", ["libx264", "libvpx"])
async def test_sound_before_the_first_key_frame_begins_the_file(
    tmp_path: Path, encoder: str
) -> None:
    """The publisher is deaf to PLI, and has a key frame each five seconds."""
    publisher = Publisher(VIDEO[encoder], AUDIO["opus"])
    frames = video_frames(encoder)
    recording = begin(tmp_path, publisher)
    # Two seconds of pictures that depend on others.
    for number in range(100):
        publisher.send_sound(sound(number), SOUND_TICKS)
        if number == 0:
            publisher.report("audio", 10.0, publisher.audio.timestamp - SOUND_TICKS)
        if number % 5 < 3:
            publisher.send_frame(frames[1].payloads)
        if number == 1:
            publisher.report("video", 10.0, publisher.video.timestamp - FRAME_TICKS)
    assert not files_in(tmp_path)
    for number, frame in enumerate(frames):
        publisher.send_frame(frame.payloads)
        for half in range(2):
            publisher.send_sound(sound(100 + 2 * number + half), 800)
    await recording.close()
    (path,) = files_in(tmp_path)
    file = read(path)
    assert [d for _, d, _ in file.packets["audio"]] == [sound(n) for n in range(160)]
    assert file.times("audio")[:100] == pytest.approx(
        [0.02 * n for n in range(100)], abs=ROUNDING
    )
    # The sound went on for two seconds before the first picture.
    assert file.times("video")[0] == pytest.approx(2.0, abs=0.05)
    assert len(file.times("video")) == file.decoded == 30
    await publisher.rig.stop()


@pytest.mark.parametrize("encoder", ["libx264", "libvpx"])
async def test_without_any_key_frame_the_sound_has_a_file_of_its_own(
    tmp_path: Path, encoder: str
) -> None:
    publisher = Publisher(VIDEO[encoder], AUDIO["opus"])
    frames = video_frames(encoder)
    recording = begin(tmp_path, publisher)
    for number in range(100):
        publisher.send_frame(frames[1].payloads, ticks=1800)
        publisher.send_sound(sound(number), SOUND_TICKS)
    assert not files_in(tmp_path)
    await recording.close()
    (path,) = files_in(tmp_path)
    file = read(path)
    assert set(file.codecs) == {"audio"}
    assert [d for _, d, _ in file.packets["audio"]] == [sound(n) for n in range(100)]
    assert recording.problem is None
    await publisher.rig.stop()


async def test_after_a_while_the_sound_does_not_wait_for_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MAX_WAIT", 1.0)
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    frames = video_frames("libx264")
    recording = begin(tmp_path, publisher)
    for number in range(100):
        publisher.send_frame(frames[1].payloads, ticks=1800)
        publisher.send_sound(sound(number), SOUND_TICKS)
    await until(lambda: recording.state is RecordingState.RECORDING)
    for number, frame in enumerate(frames):
        publisher.send_frame(frame.payloads, ticks=1800)
        publisher.send_sound(sound(100 + number), SOUND_TICKS)
    await recording.close()
    alone, both = files_in(tmp_path)
    assert set(read(alone).codecs) == {"audio"}
    assert set(read(both).codecs) == {"audio", "video"}
    assert read(both).decoded == 30
    assert sounds_in(tmp_path) == [sound(n) for n in range(130)]
    await publisher.rig.stop()


@pytest.mark.parametrize("key_frame_comes", [True, False])
async def test_sound_that_begins_late_is_in_the_next_file_from_its_first_packet(
    tmp_path: Path, key_frame_comes: bool
) -> None:
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    frames = video_frames("libvpx")
    recording = begin(tmp_path, publisher)
    for frame in frames:
        publisher.send_frame(frame.payloads)
    await until(lambda: recording.state is RecordingState.RECORDING)
    # It has begun without sound. The next key frame takes two seconds.
    for number in range(100):
        publisher.send_sound(sound(number), SOUND_TICKS)
        if number % 5 < 3:
            publisher.send_frame(frames[29].payloads)
    if key_frame_comes:
        for number, frame in enumerate(frames):
            publisher.send_frame(frame.payloads)
            publisher.send_sound(sound(100 + number), SOUND_TICKS)
    await recording.close()
    first, second = files_in(tmp_path)
    assert set(read(first).codecs) == {"video"}
    assert len(read(first).times("video")) == 90
    file = read(second)
    count = 130 if key_frame_comes else 100
    assert [d for _, d, _ in file.packets["audio"]] == [sound(n) for n in range(count)]
    assert file.times("audio")[0] == pytest.approx(0.0, abs=ROUNDING)
    assert file.decoded == (30 if key_frame_comes else 0)
    if key_frame_comes:
        assert file.times("video")[0] > 0.5
    assert recording.left_out == 0
    await publisher.rig.stop()


async def test_pictures_that_begin_late_are_in_the_next_file(tmp_path: Path) -> None:
    """However soon after the beginning of the first one."""
    publisher = Publisher(VIDEO["libx264"], AUDIO["opus"])
    recording = begin(tmp_path, publisher)
    publisher.send_sound(sound(0), SOUND_TICKS)
    await until(lambda: recording.state is RecordingState.RECORDING)
    for number, frame in enumerate(video_frames("libx264")):
        publisher.send_sound(sound(1 + number), SOUND_TICKS)
        publisher.send_frame(frame.payloads)
    await recording.close()
    _, second = files_in(tmp_path)
    assert read(second).decoded == 30
    assert sounds_in(tmp_path) == [sound(n) for n in range(31)]
    await publisher.rig.stop()


async def test_sound_of_the_same_time_may_come_after_the_picture(
    tmp_path: Path,
) -> None:
    """Of a new file: it begins where the sound of the last one ended."""
    publisher = Publisher(VIDEO["libvpx"], AUDIO["opus"])
    frames = video_frames("libvpx")
    recording = begin(tmp_path, publisher, seconds=1.0)
    publisher.send_frame(frames[0].payloads)
    publisher.send_sound(sound(0), SOUND_TICKS)
    publisher.report("audio", 10.0, publisher.audio.timestamp - SOUND_TICKS)
    publisher.report("video", 10.0, publisher.video.timestamp - FRAME_TICKS)
    # The sound of each second comes after its pictures.
    numbers = iter(range(1, 1000))
    sent = 1
    for step in range(1, 4):
        for _ in range(30):
            publisher.send_frame(frames[sent % 30].payloads)
            sent += 1
        while publisher.audio.timestamp < 2**32 - 5000 + 48000 * step:
            publisher.send_sound(sound(next(numbers)), SOUND_TICKS)
    await recording.close()
    assert len(files_in(tmp_path)) > 1
    assert sounds_in(tmp_path) == [sound(n) for n in range(next(numbers))]
    await publisher.rig.stop()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "MAX_OCTETS", 10 * (early.FRAME_COST + 100))
    audio = EarlyAudio()
    codec = AUDIO["opus"]

    def frame(number: int) -> PlacedFrame:
        frame = RtpFrame(codec, (b"x",), number, True, 0.0)
        return PlacedFrame("audio", frame, 48000 * number, {"audio": codec})

    dropped = [audio.add(frame(number), bytes(100)) for number in range(15)]
    assert dropped == [0] * 10 + [1] * 5
    assert audio.seconds(frame(20)) == 15.0
    first = audio.first_of(codec)
    assert first is not None
    assert first.position == 5 * 48000
    assert audio.first_of(AUDIO["pcmu"]) is None
    assert [f.position // 48000 for f, _ in audio.take()] == list(range(5, 15))
    assert (audio.first, audio.last, audio.take()) == (None, None, [])
