"""Media files as sources: every packet in its time, whatever is wrong with them."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext

from tests.media_files import (
    B_FRAMES,
    decoded,
    frames_of,
    nal_units,
    never,
    packets_of,
    sized_nal_units,
    write_media,
)
from whipbird.client.media import EncodedFrame, MediaError
from whipbird.client.media_file import MediaFile
from whipbird.client.transcoding import MAX_SKIPPED

SPS, PPS, IDR = 7, 8, 5


def types_of(data: bytes) -> list[int]:
    return [unit[0] & 0x1F for unit in nal_units(data)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_h264_is_sent_as_it_is(tmp_path: Path, name: str) -> None:
    path = write_media(tmp_path / name, "libx264", "libopus")
    source = MediaFile(str(path))
    video, audio = source.streams
    assert (video.codec, video.is_encoded) == ("H264", False)
    assert (audio.codec, audio.is_encoded) == ("opus", False)
    assert video.description == "h264 64x64"
    frames = frames_of(source, "video")
    in_file = packets_of(path, "video")
    assert len(frames) == len(in_file) == 15
    for number, (frame, packet) in enumerate(zip(frames, in_file, strict=True)):
        units = [u for u in nal_units(frame.data) if u[0] & 0x1F not in (SPS, PPS)]
        assert units == [unit.rstrip(b"\0") for unit in sized_nal_units(packet)]
        # RFC 6184: a decoder can begin with any of them.
        assert (number % 5 == 0) == (IDR in types_of(frame.data))
        assert (number % 5 == 0) == ({SPS, PPS} <= set(types_of(frame.data)))
    # Matroska counts milliseconds.
    for number, frame in enumerate(frames):
        assert abs(frame.timestamp - number * 3000) <= 90
    assert decoded(frames, "h264") == 15


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ogg"])
def test_opus_is_sent_as_it_is(tmp_path: Path, name: str) -> None:
    path = write_media(tmp_path / name, None, "libopus")
    frames = frames_of(MediaFile(str(path)), "audio")
    assert [frame.data for frame in frames] == packets_of(path, "audio")
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {960}


def test_vp8_is_sent_as_it_is(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.webm", "libvpx", "libopus")
    source = MediaFile(str(path))
    assert [s.is_encoded for s in source.streams] == [False, False]
    frames = frames_of(source, "video")
    assert [frame.data for frame in frames] == packets_of(path, "video")
    for number, frame in enumerate(frames):
        assert abs(frame.timestamp - number * 3000) <= 90


def test_h264_without_timestamps_and_with_parameter_sets_once(tmp_path: Path) -> None:
    """A raw file; they are said again before each key frame."""
    path = write_media(tmp_path / "a.mp4", "libx264")
    raw = tmp_path / "a.h264"
    with av.open(str(path)) as container, raw.open("wb") as file:
        annex_b = BitStreamFilterContext("h264_mp4toannexb", container.streams.video[0])
        for number, packet in enumerate(p for p in container.demux() if p.size):
            data = b"".join(bytes(unit) for unit in annex_b.filter(packet))
            for unit in nal_units(data):
                if number == 0 or unit[0] & 0x1F not in (SPS, PPS):
                    file.write(b"\0\0\0\1" + unit)
    frames = frames_of(MediaFile(str(raw)), "video")
    assert len(frames) == 15
    for number, frame in enumerate(frames):
        assert ({SPS, PPS} <= set(types_of(frame.data))) == (number % 5 == 0)
        assert frame.timestamp == number * 3000
    assert types_of(frames[0].data).count(SPS) == 1


def test_b_frames_that_nothing_announced(tmp_path: Path) -> None:
    """Frames before the disorder are sent; the error names a remedy."""
    path = write_media(tmp_path / "a.mp4", "libx264", options=B_FRAMES)
    source = MediaFile(str(path))
    [index] = source._parts
    part = source._parts[index]
    info = replace(part.info, is_encoded=False)
    source._parts[index] = replace(part, info=info, encoder=None)
    sent: list[EncodedFrame] = []
    with pytest.raises(MediaError, match="--video-codec vp8") as caught:
        sent.extend(source.frames(never))
    assert "B-frames" in str(caught.value)
    assert sent


@pytest.mark.parametrize(
    ("encoder", "codec"), [("pcm_mulaw", "PCMU"), ("pcm_alaw", "PCMA")]
)
def test_pcm_is_sent_as_it_is(tmp_path: Path, encoder: str, codec: str) -> None:
    path = write_media(
        tmp_path / "a.wav", None, encoder, layout="mono", sample_rate=8000
    )
    source = MediaFile(str(path))
    [audio] = source.streams
    assert (audio.codec, audio.is_encoded) == (codec, False)
    frames = frames_of(source, "audio")
    assert b"".join(f.data for f in frames) == b"".join(packets_of(path, "audio"))
    assert {len(frame.data) for frame in frames[:-1]} == {160}
    assert [f.timestamp for f in frames] == [n * 160 for n in range(len(frames))]


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "libx264", "libopus"),
        ("a.webm", "libvpx", "libopus"),
    ],
)
def test_repeating(tmp_path: Path, name: str, video: str, audio: str) -> None:
    """Time goes on where the file begins again, in each stream."""
    path = write_media(tmp_path / name, video, audio)
    source = MediaFile(str(path), repeat=True)
    frames = source.frames(never)
    seen: dict[str, list[EncodedFrame]] = {"video": [], "audio": []}
    while min(len(some) for some in seen.values()) < 70:
        frame = next(frames)
        seen[frame.kind].append(frame)
    frames.close()
    for kind, some in seen.items():
        for a, b in pairwise(some):
            step = (b.timestamp - a.timestamp) / a.clock_rate
            # Where it begins again the shorter stream waits for the longer one.
            assert 0.015 < step < 0.1, (kind, a.timestamp)
    once = packets_of(path, "video")
    again = [nal_units(f.data) for f in seen["video"]]
    if video == "libx264":
        assert again[: len(once)] == again[len(once) : 2 * len(once)]


def test_a_file_that_is_another_one_when_it_begins_again(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", "libx264", frames=5)
    source = MediaFile(str(path), repeat=True)
    frames = source.frames(never)
    seen = [next(frames) for _ in range(5)]
    write_media(path, "libvpx", frames=5)
    with pytest.raises(MediaError, match="replaced by another"):
        seen.extend(frames)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {})]
)
def test_a_truncated_file(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    """All that is there is sent, and then it is said where it breaks off."""
    path = write_media(tmp_path / name, "libx264", frames=60, container_options=options)
    octets = path.read_bytes()
    whole = packets_of(path, "video")
    path.write_bytes(octets[: len(octets) * 2 // 3])
    frames: list[EncodedFrame] = []
    with pytest.raises(MediaError, match=r"breaks off after \d\.\d seconds"):
        frames.extend(MediaFile(str(path)).frames(never))
    assert 30 < len(frames) < 50
    for frame, packet in zip(frames, whole, strict=False):
        units = [u for u in nal_units(frame.data) if u[0] & 0x1F not in (SPS, PPS)]
        assert units == [unit.rstrip(b"\0") for unit in sized_nal_units(packet)]


def test_a_file_without_its_index(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    octets = path.read_bytes()
    path.write_bytes(octets[: octets.index(b"moov")])
    with pytest.raises(MediaError, match="Invalid data"):
        MediaFile(str(path))


def test_a_damaged_packet_is_left_out(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    octets = path.read_bytes()
    packet = packets_of(path, "video")[7]
    # The size of its first NAL unit is more than there is.
    broken = b"\x7f\xff\xff\xff" + packet[4:]
    assert octets.count(packet) == 1
    path.write_bytes(octets.replace(packet, broken))
    source = MediaFile(str(path))
    frames = frames_of(source, "video")
    assert (len(frames), source.damaged) == (14, 1)


def test_a_damaged_packet_that_is_decoded(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", "libx264", "aac")
    packet = packets_of(path, "audio")[7]
    octets = path.read_bytes()
    assert octets.count(packet) == 1
    path.write_bytes(octets.replace(packet, b"\xff" * len(packet)))
    source = MediaFile(str(path))
    assert len(frames_of(source, "audio")) >= 22
    assert source.damaged == 1


def test_what_is_no_media_file(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("hello")
    with pytest.raises(MediaError, match=r"a\.txt: Invalid data"):
        MediaFile(str(text))
    with pytest.raises(MediaError, match="No such file or directory"):
        MediaFile(str(tmp_path / "missing.mp4"))
    with pytest.raises(MediaError, match="Is a directory"):
        MediaFile(str(tmp_path))
    with pytest.raises(MediaError, match="No such file or directory"):
        MediaFile("http://127.0.0.1:1/a.mp4")


def test_pictures_that_are_late_are_not_encoded(tmp_path: Path) -> None:
    """But some are, however late: a picture now and then is better than none."""
    path = write_media(tmp_path / "a.mkv", "mpeg4")
    source = MediaFile(str(path))
    frames = [f for f in source.frames(lambda _: True) if f.kind == "video"]
    assert len(frames) == 15 // (MAX_SKIPPED + 1)
    assert source.skipped == 15 - len(frames)


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_a_key_frame_on_request(tmp_path: Path, codec: str) -> None:
    path = write_media(tmp_path / "a.mkv", "mpeg4")
    source = MediaFile(str(path), codec)  # type: ignore[arg-type]
    keys = []
    for number, frame in enumerate(source.frames(never)):
        # VP8: the lowest bit of the first octet is 0 (RFC 6386 section 9.1).
        is_key = (
            IDR in types_of(frame.data) if codec == "H264" else not frame.data[0] & 1
        )
        if is_key:
            keys.append(number)
        if number == 6:
            source.request_key_frame()
    assert keys == [0, 7]


def test_what_is_sent_as_it_is_makes_no_key_frames(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", "libx264")
    source = MediaFile(str(path))
    source.request_key_frame()
    assert len(frames_of(source, "video")) == 15
