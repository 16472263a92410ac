"""Encoders: timestamps, key frames, sizes, and that nothing is held back."""

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from whipbird.client.encoders import (
    KEY_FRAME_INTERVAL,
    MAX_DRIFT,
    OPUS_SAMPLES,
    OpusEncoder,
    VideoEncoder,
)
from whipbird.client.media import EncodedFrame, MediaError, VideoCodec

RATE = Fraction(30)
CODECS: list[VideoCodec] = ["H264", "VP8"]
DECODERS = {"H264": "h264", "VP8": "vp8"}


def picture(number: int, width: int = 64, height: int = 64) -> VideoFrame:
    """Noise, another one for each number."""
    frame = VideoFrame(width, height, "yuv420p")
    noise = random.Random(number)
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.buffer_size))
    return frame


def sound(samples: int = 1024, rate: int = 44100, layout: str = "mono") -> AudioFrame:
    frame = AudioFrame("s16", layout, samples)
    noise = random.Random(0)
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.buffer_size))
    frame.sample_rate = rate
    return frame


def decoded(codec: VideoCodec, frames: list[EncodedFrame]) -> Iterator[VideoFrame]:
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    for frame in frames:
        yield from decoder.decode(av.Packet(frame.data))
    yield from decoder.decode(None)


def key_frames(codec: VideoCodec, frames: list[EncodedFrame]) -> list[int]:
    shown = enumerate(decoded(codec, frames))
    return [number for number, frame in shown if frame.key_frame]


@pytest.mark.parametrize("codec", CODECS)
def test_each_picture_comes_out_at_once(codec: VideoCodec) -> None:
    encoder = VideoEncoder(codec, 500_000, RATE)
    frames = []
    for number in range(10):
        [frame] = encoder.encode(picture(number), number / RATE)
        frames.append(frame)
    assert list(encoder.flush()) == []
    assert [frame.timestamp for frame in frames] == [n * 3000 for n in range(10)]
    assert {(f.kind, f.ticks, f.clock_rate) for f in frames} == {("video", 3000, 90000)}
    assert len(list(decoded(codec, frames))) == 10


@pytest.mark.parametrize("codec", CODECS)
def test_key_frames_come_in_time_and_on_request(codec: VideoCodec) -> None:
    encoder = VideoEncoder(codec, 500_000, Fraction(5))
    frames: list[EncodedFrame] = []
    for number in range(4 * KEY_FRAME_INTERVAL * 5):
        if number == 13:
            encoder.request_key_frame()
        # Another picture would look like another scene, which has a key frame.
        frames.extend(encoder.encode(picture(0), Fraction(number, 5)))
    # The interval begins anew with the one that was asked for.
    assert key_frames(codec, frames) == [0, 10, 13, 23, 33]


@pytest.mark.parametrize("codec", CODECS)
def test_timestamps_only_grow(codec: VideoCodec) -> None:
    """Two pictures of one timestamp would be taken for one."""
    encoder = VideoEncoder(codec, 500_000, RATE)
    times = [Fraction(1), Fraction(1), Fraction(1, 2), Fraction(2)]
    stamps = [
        frame.timestamp
        for number, time in enumerate(times)
        for frame in encoder.encode(picture(number), time)
    ]
    assert stamps == [90000, 90001, 90002, 180000]


@pytest.mark.parametrize("codec", CODECS)
def test_the_size_of_the_first_picture_is_kept(codec: VideoCodec) -> None:
    encoder = VideoEncoder(codec, 500_000, RATE, aspect=Fraction(4, 3))
    frames: list[EncodedFrame] = []
    for number, (width, height) in enumerate([(63, 49), (128, 32), (16, 16)]):
        frames.extend(encoder.encode(picture(number, width, height), number / RATE))
    sizes = {(frame.width, frame.height) for frame in decoded(codec, frames)}
    assert sizes == {(84, 48)}


@pytest.mark.parametrize("codec", CODECS)
def test_the_bitrate_is_kept(codec: VideoCodec) -> None:
    """With noise, which uses the whole bitrate."""
    bitrate = 1_500_000
    encoder = VideoEncoder(codec, bitrate, RATE)
    octets = sum(
        len(frame.data)
        for number in range(120)
        for frame in encoder.encode(picture(number, 160, 120), number / RATE)
    )
    assert 0.8 < octets * 8 / (bitrate * 4) < 1.3


def test_an_encoder_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: dict[str, tuple[str, dict[str, str]]] = {"H264": ("no-such-encoder", {})}
    monkeypatch.setattr("whipbird.client.encoders._VIDEO_ENCODERS", missing)
    with pytest.raises(MediaError, match="no encoder no-such-encoder; --video-codec"):
        VideoEncoder("H264", 500_000, RATE)


def heard(frames: list[EncodedFrame]) -> int:
    """Samples that a decoder makes of them, at 48 kHz."""
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)
    packets = [*(av.Packet(frame.data) for frame in frames), None]
    return sum(sound.samples for p in packets for sound in decoder.decode(p))


def test_sound_of_any_rate_becomes_packets_of_20_ms() -> None:
    encoder = OpusEncoder()
    frames: list[EncodedFrame] = []
    for number in range(43):
        frames.extend(encoder.encode(sound(), Fraction(1024 * number, 44100)))
    frames.extend(encoder.flush())
    # 43 * 1024 / 44100 s, the last packet filled up.
    assert len(frames) in (50, 51)
    assert [f.timestamp for f in frames] == [
        n * OPUS_SAMPLES for n in range(len(frames))
    ]
    assert {(f.kind, f.ticks, f.clock_rate) for f in frames} == {("audio", 960, 48000)}
    assert heard(frames) == len(frames) * OPUS_SAMPLES


def test_small_errors_of_the_timestamps_are_not_heard() -> None:
    """Packets follow each other without a gap."""
    encoder = OpusEncoder()
    frames: list[EncodedFrame] = []
    for number in range(20):
        wrong = MAX_DRIFT / 2 * (-1) ** number
        time = Fraction(960 * number, 48000) + wrong
        frames.extend(encoder.encode(sound(960, 48000), time))
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {960}


def test_a_gap_stays_a_gap() -> None:
    encoder = OpusEncoder()
    times = [Fraction(0), Fraction(1, 50), Fraction(2), None, Fraction(1)]
    stamps = [
        frame.timestamp
        for time in times
        for frame in encoder.encode(sound(960, 48000), time)
    ]
    # The last is too early; timestamps do not go back.
    assert stamps == [0, 960, 96000, 96960, 97920]


def test_sound_that_changes_its_format() -> None:
    encoder = OpusEncoder()
    frames: list[EncodedFrame] = []
    for layout, rate in (("mono", 8000), ("stereo", 48000), ("5.1", 44100)):
        for _ in range(10):
            frames.extend(encoder.encode(sound(rate // 50, rate, layout), None))
    frames.extend(encoder.flush())
    # Less than a packet is lost at each change.
    assert 28 <= len(frames) <= 31
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {960}


def test_nothing_makes_nothing() -> None:
    assert list(VideoEncoder("H264", 500_000, RATE).flush()) == []
    assert list(OpusEncoder().flush()) == []
