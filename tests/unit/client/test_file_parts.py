"""The streams of a file: which are passed through, which transcoded and why."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.media_files import B_FRAMES, QUICK, decoded, frames_of, write_media
from whipbird.client.media import MediaError
from whipbird.client.media_file import MediaFile


def test_aac_is_encoded_as_opus(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264", "aac")
    source = MediaFile(str(path))
    video, audio = source.streams
    assert not video.is_encoded
    assert (audio.codec, audio.is_encoded) == ("opus", True)
    assert audio.reason == "this client does not send aac"
    frames = frames_of(source, "audio")
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {960}
    # Half a second, and what AAC adds at its end.
    assert 25 <= len(frames) <= 28
    assert decoded(frames, "libopus") == len(frames)


def test_b_frames_are_encoded_anew(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264", options=B_FRAMES)
    source = MediaFile(str(path))
    [video] = source.streams
    assert (video.codec, video.is_encoded) == ("H264", True)
    assert "B-frames" in video.reason
    frames = frames_of(source, "video")
    assert [frame.timestamp for frame in frames] == [n * 3000 for n in range(15)]
    assert decoded(frames, "h264") == 15


@pytest.mark.parametrize(
    ("arguments", "codec", "reason"),
    [
        ({"pixels": "yuv444p"}, None, "not every receiver can show yuv444p"),
        ({}, "VP8", "as requested"),
    ],
)
def test_h264_that_is_encoded_anew(
    tmp_path: Path, arguments: dict[str, str], codec: None, reason: str
) -> None:
    path = write_media(tmp_path / "a.mkv", "libx264", **arguments)  # type: ignore[arg-type]
    source = MediaFile(str(path), codec)
    [video] = source.streams
    assert (video.codec, video.reason) == (codec or "H264", reason)
    frames = frames_of(source, "video")
    assert decoded(frames, "h264" if codec is None else "libvpx") == 15


def test_other_video_is_encoded(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mkv", "mpeg4")
    source = MediaFile(str(path))
    [video] = source.streams
    assert (video.codec, video.reason) == ("H264", "this client does not send mpeg4")
    assert decoded(frames_of(source, "video"), "h264") == 15


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("a.wav", "pcm_mulaw", "stereo", 8000), "PCMU is 8000 Hz mono"),
        (("a.wav", "pcm_alaw", "mono", 16000), "PCMA is 8000 Hz mono"),
        (("a.wav", "pcm_s16le", "mono", 44100), "this client does not send pcm_s16le"),
        (("a.mp3", "libmp3lame", "stereo", 44100), "this client does not send mp3"),
        (("a.mkv", "libopus", "5.1", 48000), "not every receiver supports 6 channels"),
    ],
)
def test_sound_that_is_encoded(
    tmp_path: Path, arguments: tuple[str, str, str, int], reason: str
) -> None:
    name, encoder, layout, rate = arguments
    path = write_media(tmp_path / name, None, encoder, layout=layout, sample_rate=rate)
    source = MediaFile(str(path))
    [audio] = source.streams
    assert (audio.codec, audio.reason) == ("opus", reason)
    frames = frames_of(source, "audio")
    assert 24 <= len(frames) <= 28
    assert decoded(frames, "libopus") == len(frames)


def test_a_file_with_nothing_to_send(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    with pytest.raises(MediaError, match="neither audio nor video"):
        MediaFile(str(path))


def test_a_codec_that_nobody_knows(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(MediaError, match="cannot decode its video"):
        MediaFile(str(path))


def test_missing_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoders = {"H264": ("no-such-encoder", {}), "VP8": ("libvpx", QUICK["libvpx"])}
    monkeypatch.setattr("whipbird.client.encoders._VIDEO_ENCODERS", encoders)
    path = write_media(tmp_path / "a.mkv", "mpeg4")
    with pytest.raises(MediaError, match="no encoder no-such-encoder"):
        MediaFile(str(path))
    assert MediaFile(str(path), "VP8").streams[0].codec == "VP8"


def test_odd_sizes_and_pixels_that_are_no_squares(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 45, 33, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for pts in range(3):
            frame = av.VideoFrame(45, 33, "yuv420p")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = frames_of(MediaFile(str(path)), "video")
    context = av.CodecContext.create("h264", "r")
    pictures = [p for f in frames for p in context.decode(av.Packet(f.data))]
    assert {(p.width, p.height) for p in pictures} == {(90, 32)}
