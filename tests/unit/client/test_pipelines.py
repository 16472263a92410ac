"""Packets that are sent as they are: their timestamps, and what cannot be sent."""

from fractions import Fraction
from itertools import pairwise

import av
import pytest

from whipbird.client.media import EncodedFrame, MediaError
from whipbird.client.pipelines import (
    AnyPacket,
    DamagedError,
    OpusPassthrough,
    PcmPassthrough,
    Pipeline,
    VideoPassthrough,
    packet_duration,
)

MILLISECOND = Fraction(1, 1000)
# One Opus frame of 20 ms, CELT, full band, stereo (RFC 6716 section 3.1).
OPUS = b"\xfc\0\0"


def packet(data: bytes = b"x", duration: int | None = None) -> AnyPacket:
    made: AnyPacket = av.Packet(data)
    made.time_base = MILLISECOND
    if duration is not None:
        made.duration = duration
    return made


def sent(pipeline: Pipeline, *times: float, data: bytes = b"x") -> list[EncodedFrame]:
    return [
        frame
        for time in times
        for frame in pipeline.process(packet(data, 33), Fraction(str(time)))
    ]


def test_video_keeps_its_times() -> None:
    frames = sent(VideoPassthrough(), 0, 0.033, 0.067)
    assert [f.timestamp for f in frames] == [0, 2970, 6030]
    assert {(f.data, f.ticks, f.clock_rate) for f in frames} == {(b"x", 2970, 90000)}


def test_frames_of_one_time_get_two_timestamps() -> None:
    frames = sent(VideoPassthrough(), 1, 1, 1, 2)
    assert [f.timestamp for f in frames] == [90000, 90001, 90002, 180000]


def test_pictures_out_of_order_are_refused() -> None:
    pipeline = VideoPassthrough()
    sent(pipeline, 0, 0.1)
    with pytest.raises(MediaError, match=r"out of order at second 0\.1 \(B-frames\)"):
        sent(pipeline, 0.067)


def test_opus_follows_itself() -> None:
    """Although a container that counts milliseconds says otherwise."""
    times = [0, 0.021, 0.04, 0.059, 0.08]
    frames = sent(OpusPassthrough(), *times, data=OPUS)
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {960}
    assert {(f.data, f.ticks, f.clock_rate) for f in frames} == {(OPUS, 960, 48000)}


def test_a_pause_of_opus_stays() -> None:
    frames = sent(OpusPassthrough(), 0, 0.02, 1, 1.02, data=OPUS)
    assert [f.timestamp for f in frames] == [0, 960, 48000, 48960]


@pytest.mark.parametrize("data", [b"\xff", b"\xff\0"])
def test_what_is_no_opus(data: bytes) -> None:
    with pytest.raises(DamagedError):
        sent(OpusPassthrough(), 0, data=data)


def test_pcm_is_cut_into_20_ms() -> None:
    pipeline = PcmPassthrough("PCMU")
    frames = [
        frame
        for number in range(5)
        for frame in pipeline.process(
            packet(bytes([number]) * 100), Fraction(number, 80)
        )
    ]
    assert [(f.timestamp, len(f.data)) for f in frames] == [
        (0, 160),
        (160, 160),
        (320, 160),
    ]
    [rest] = pipeline.flush()
    assert (rest.timestamp, len(rest.data), rest.ticks) == (480, 20, 20)
    assert list(pipeline.flush()) == []
    whole = b"".join(f.data for f in [*frames, rest])
    assert whole == b"".join(bytes([n]) * 100 for n in range(5))


def test_a_pause_of_pcm_stays() -> None:
    """And what came before it is not held back until after it."""
    pipeline = PcmPassthrough("PCMA")
    frames = sent(pipeline, 0, 3, data=bytes(200))
    assert [(f.timestamp, len(f.data)) for f in frames] == [
        (0, 160),
        (160, 40),
        (24000, 160),
    ]


def test_how_long_a_packet_lasts() -> None:
    assert packet_duration(packet(duration=33)) == Fraction(33, 1000)
    assert packet_duration(packet()) == 0
