"""How loud audio is, and which codecs can be encoded."""

import math
import random
from array import array
from fractions import Fraction

import pytest
from av import AudioFrame, Packet, VideoFrame

from tests.media_files import noise
from whipbird.rtc.encoding import TrackEncoder, audio_level
from whipbird.rtp.packet import MAX_PAYLOAD
from whipbird.sdp.codecs import Codec


def wave(amplitude: float, layout: str = "mono") -> AudioFrame:
    """A sine wave of whole periods."""
    frame = AudioFrame("s16", layout, 960)
    channels = len(frame.layout.channels)
    samples = array(
        "h",
        (
            round(32767 * amplitude * math.sin(2 * math.pi * n / 48))
            for n in range(960)
            for _ in range(channels)
        ),
    )
    frame.planes[0].update(samples.tobytes())
    return frame


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(
    # A sine wave has half of the power that a square wave has: 3 dB less.
    ("amplitude", "level"),
    [(1.0, 3), (0.1, 23), (0.01, 43), (0.0, 127)],
)
def test_the_level(layout: str, amplitude: float, level: int) -> None:
    """RFC 6464 section 3, RFC 6465 appendix A."""
    assert audio_level(wave(amplitude, layout)) == level


def test_what_has_no_level() -> None:
    assert audio_level(AudioFrame("flt", "mono", 960)) is None
    assert audio_level(VideoFrame(16, 16, "yuv420p")) is None


@pytest.mark.parametrize(
    ("kind", "rtpmap"),
    [
        ("audio", "OPUS/48000/2"),
        ("audio", "PCMU/8000"),
        ("audio", "PCMA/8000"),
        ("audio", "G722/8000"),
        ("video", "vp8/90000"),
        ("video", "H264/90000"),
    ],
)
def test_codecs_of_aiortc(kind: str, rtpmap: str) -> None:
    encoder = TrackEncoder(kind, Codec(96, rtpmap))
    # Where there is none to choose, nothing happens.
    encoder.limit(500_000)


@pytest.mark.parametrize("rtpmap", ["vp8/90000", "H264/90000"])
async def test_packets_fit_into_what_every_path_carries(rtpmap: str) -> None:
    encoder = TrackEncoder("video", Codec(96, rtpmap))
    picture = noise(320, 240)
    picture.pts, picture.time_base = 0, Fraction(1, 90_000)
    encoded = await encoder.encode(picture, is_key=True)
    assert encoded is not None
    sizes = [len(payload) for payload in encoded.payloads]
    assert sum(sizes) > 3 * MAX_PAYLOAD
    assert max(sizes) <= MAX_PAYLOAD

    data = b"\0\0\1\x65" + random.Random(0).randbytes(5000).replace(b"\0\0", b"\1\1")
    frame = Packet(data)
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    packed = encoder.pack(frame)
    assert packed is not None
    assert sum(map(len, packed.payloads)) >= 5000
    assert max(map(len, packed.payloads)) <= MAX_PAYLOAD


def test_other_codecs() -> None:
    with pytest.raises(ValueError, match="av1"):
        TrackEncoder("video", Codec(96, "AV1/90000"))
