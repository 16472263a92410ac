"""Real encoders and FFmpeg's RTP packetizer, through PyAV: payloads as peers send them.

The pictures are noise: they fill packets, whatever the encoder.
"""

import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from whipbird.apps.picture_encoder import usual_priority

_PACKET_SIZE = 1200
_RTP_HEADER_SIZE = 12

# The quickest settings that each encoder has, and no pictures out of order.
_FAST = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0"},
    "libx265": {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x265-params": "log-level=none",
    },
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libsvtav1": {"preset": "11"},
}


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded frame and the RTP payloads that carry it.

    Attributes:
        is_key: what the encoder says.
        number: of the picture, in the order in which pictures are shown.
    """

    data: bytes
    is_key: bool
    payloads: tuple[bytes, ...]
    number: int


class _Packets:
    """A file whose every write is one packet."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, packet: bytes) -> int:
        self.written.append(bytes(packet))
        return len(packet)

    def take_payloads(self) -> tuple[bytes, ...]:
        """The payloads of the RTP packets since the last call; RTCP is left out."""
        packets, self.written = self.written, []
        return tuple(
            packet[_RTP_HEADER_SIZE:]
            for packet in packets
            if not 200 <= packet[1] <= 204
        )


@cache
def encode_video(
    encoder: str,
    width: int,
    height: int,
    *,
    pixels: str = "yuv420p",
    options: tuple[tuple[str, str], ...] = (),
    frames: int = 5,
    key_interval: int = 3,
) -> tuple[EncodedFrame, ...]:
    """Encode noise, a key frame every ``key_interval`` frames, and packetize it."""
    packets = _Packets()
    container = av.open(
        packets,
        "w",
        format="rtp",
        options={"packetsize": str(_PACKET_SIZE), "strict": "experimental"},
    )
    encoded = []
    with usual_priority(), container:
        stream = container.add_stream(
            encoder, rate=30, options=_FAST[encoder] | dict(options)
        )
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.gop_size = key_interval
        pictures = [_noise(width, height, pixels, pts) for pts in range(frames)]
        for picture in [*pictures, None]:
            for packet in stream.encode(picture):
                data, is_key = bytes(packet), packet.is_keyframe
                assert packet.pts is not None
                number = round(packet.pts * packet.time_base * 30)
                container.mux(packet)
                payloads = packets.take_payloads()
                encoded.append(EncodedFrame(data, is_key, payloads, number))
    return tuple(encoded)


def _noise(width: int, height: int, pixels: str, pts: int) -> VideoFrame:
    frame = VideoFrame(width, height, "yuv420p")
    noise = random.Random(pts)
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.buffer_size))
    frame = frame.reformat(format=pixels)
    frame.pts = pts
    frame.time_base = Fraction(1, 30)
    return frame


@cache
def encode_opus(
    layout: str, *, options: tuple[tuple[str, str], ...] = (), silent: bool = False
) -> tuple[bytes, ...]:
    """Encode half a second of noise or silence: the RTP payloads."""
    packets = _Packets()
    container = av.open(
        packets, "w", format="rtp", options={"packetsize": str(_PACKET_SIZE)}
    )
    with container:
        stream = container.add_stream(
            "libopus", rate=48000, layout=layout, options=dict(options)
        )
        noise = random.Random(0)
        for pts in range(0, 24000, 480):
            frame = AudioFrame("s16", layout, 480)
            for plane in frame.planes:
                size = plane.buffer_size
                plane.update(bytes(size) if silent else noise.randbytes(size))
            frame.pts, frame.sample_rate = pts, 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return packets.take_payloads()
