"""Every codec that the server takes is decoded for applications."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    opus_packets,
    video_frames,
)
from whipbird import EncodedFrame
from whipbird.apps import Track
from whipbird.apps.line import CODECS
from whipbird.rtp import extensions
from whipbird.sdp.codecs import Codec

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("encoder", VIDEO)
async def test_pictures(encoder: str) -> None:
    publisher = Publisher(VIDEO[encoder])
    track = Track(publisher.rig.tracks[0])
    seen: list[av.VideoFrame] = []

    async def read() -> None:
        async for frame in track.video(latest=False):
            seen.append(frame)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    for frame in video_frames(encoder):
        publisher.send_frame(frame.payloads)
        await asyncio.sleep(1 / 30)
    await asyncio.sleep(1)
    track.end()
    await reading
    assert len(seen) >= 29
    assert {(frame.width, frame.height) for frame in seen} == {(192, 108)}
    await publisher.rig.stop()


@pytest.mark.parametrize("codec", [*AUDIO.values()], ids=lambda codec: codec.name)
async def test_sound(codec: Codec) -> None:
    publisher = Publisher(audio=codec)
    track = Track(publisher.rig.tracks[0])
    heard: list[av.AudioFrame] = []

    async def read() -> None:
        async for frame in track.audio(rate=16000, layout="mono"):
            heard.append(frame)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    noise = random.Random(1).randbytes(160)
    for number in range(25):
        packet = opus_packets()[number] if codec.name == "opus" else noise
        publisher.send_sound(packet, codec.clock_rate // 50)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    track.end()
    await reading
    # Half a second, but for what the resampler keeps.
    assert 7500 <= sum(frame.samples for frame in heard) <= 8100
    assert {frame.format.name for frame in heard} == {"s16"}
    assert max(np.abs(frame.to_ndarray()).max() for frame in heard) > 100
    await publisher.rig.stop()


# Of another payload type, as the publisher of the tests has it.
SURROUND = replace(CODECS["multiopus"], payload_type=111)
# In the order of FFmpeg: the fourth is for low frequencies alone.
TONES = (300, 400, 500, 60, 600, 0)


def surround_packets() -> list[bytes]:
    """Half a second of 5.1 sound: each channel but the last has a tone of its own."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "5.1", "flt"
    # The mapping of Vorbis' order, as browsers have it (RFC 7845 section 5.1.1.2).
    encoder.options = {"mapping_family": "1"}
    encoder.bit_rate = 384_000
    packets: list[bytes] = []
    for number in range(25):
        times = np.arange(number * 960, (number + 1) * 960) / 48000
        waves = np.stack([np.sin(2 * np.pi * hertz * times) for hertz in TONES], 1)
        data = (waves * 0.3).astype(np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, "flt", "5.1")
        frame.sample_rate, frame.pts = 48000, number * 960
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def loudest(samples: np.ndarray) -> float:
    """The frequency in hertz of the loudest tone; 0 for silence."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    at = int(spectrum.argmax())
    return at * 48000 / len(samples) if spectrum[at] > 1e5 else 0.0


async def test_surround_sound() -> None:
    """Each channel comes where it belongs."""
    publisher = Publisher(audio=SURROUND)
    track = Track(publisher.rig.tracks[0])
    heard: list[np.ndarray] = []

    async def read() -> None:
        async for frame in track.audio(layout="5.1"):
            heard.append(frame.to_ndarray().reshape(-1, 6))

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    for packet in surround_packets():
        publisher.send_sound(packet, 960)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    track.end()
    await reading
    samples = np.concatenate(heard)[9600:]
    assert len(samples) >= 9600
    found = [loudest(samples[:9600, channel]) for channel in range(6)]
    assert found == pytest.approx(TONES, abs=10)
    await publisher.rig.stop()


CORNER_SIZE = (96, 64)


def corner_frames() -> Sequence[tuple[bytes, ...]]:
    """VP8 of pictures whose upper left corner is white."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = CORNER_SIZE
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 30)
    encoder.options = {"deadline": "realtime", "lag-in-frames": "0"}
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255
    frames = []
    for number in range(4):
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        frame.pts = number
        for packet in encoder.encode(frame.reformat(format="yuv420p")):
            frames.append((b"\x10" + bytes(packet),))
    return frames


def white_corner(frame: av.VideoFrame) -> tuple[bool, bool]:
    """Where the white corner is: whether below, whether on the right."""
    gray = frame.to_ndarray(format="gray").astype(float)
    below, right = gray.mean(axis=1), gray.mean(axis=0)
    half = len(below) // 2, len(right) // 2
    return (
        below[half[0] :].mean() > below[: half[0]].mean(),
        right[half[1] :].mean() > right[: half[1]].mean(),
    )


@pytest.mark.parametrize(
    ("said", "degrees", "corner"),
    [
        (b"\0", 0, (False, False)),
        (b"\1", 90, (False, True)),
        (b"\2", 180, (True, True)),
        (b"\3", 270, (True, False)),
    ],
)
async def test_pictures_of_phones_are_upright(
    said: bytes, degrees: int, corner: tuple[bool, bool]
) -> None:
    """3GPP TS 26.114 section 7.4.5: clockwise, as the last packet of a picture says."""
    publisher = Publisher(
        VIDEO["libvpx"], extensions=((5, extensions.VIDEO_ORIENTATION),)
    )
    publisher.video.extensions = {5: said}
    track = Track(publisher.rig.tracks[0])
    upright: list[av.VideoFrame] = []
    as_sent: list[av.VideoFrame] = []
    packets: list[EncodedFrame] = []

    async def read_upright() -> None:
        async for frame in track.video(latest=False):
            upright.append(frame)

    async def read_as_sent() -> None:
        async for frame in track.video(latest=False, upright=False):
            as_sent.append(frame)

    async def read_packets() -> None:
        async for frame in track.packets():
            packets.append(frame)

    readers = (read_upright, read_as_sent, read_packets)
    reading = asyncio.gather(*(reader() for reader in readers))
    await asyncio.sleep(0)
    for payloads in corner_frames():
        publisher.send_frame(payloads)
        await asyncio.sleep(1 / 30)
    await asyncio.sleep(1)
    track.end()
    await reading
    width, height = CORNER_SIZE if degrees % 180 == 0 else CORNER_SIZE[::-1]
    assert len(upright) == len(as_sent) == len(packets) == 4
    assert {(f.width, f.height) for f in upright} == {(width, height)}
    assert {white_corner(frame) for frame in upright} == {corner}
    assert {white_corner(frame) for frame in as_sent} == {(False, False)}
    assert {frame.rotation for frame in packets} == {degrees}
    times = [frame.time for frame in upright]
    assert times == [frame.time for frame in as_sent]
    await publisher.rig.stop()
