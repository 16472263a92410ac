"""Media that is encoded once, before anything is measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from whipbird.client.encoders import OPUS_SAMPLES, OpusEncoder, VideoEncoder
from whipbird.client.media import CLOCK_RATES
from whipbird.rtp.codecs import h264

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
# Frames of the picture's clip; it begins with the key frame, so one comes every two
# seconds.
LENGTH = 60
# What libvpx is told, in bits per second. Of this picture it makes about 2.5 Mb/s.
TARGET = 1_280_000
# What x264 is told; it keeps to it.
H264_BITRATE = 2_000_000
# Ticks of a clock of 90 kHz: with it the last frame is a fifth of its time late.
DELAY = 10
# How much it may save for a key frame, in seconds: that becomes three times as large
# as the others.
SAVED = 2

# Octets of a payload: with all headers it fits into any path.
_PAYLOAD_SIZE = 1180

# Annex B: what is before each NAL unit.


@dataclass(frozen=True)
class Clip:
    """Frames that are sent again and again.

    Attributes:
        kind: ``audio`` or ``video``.
        rtpmap: its codec, as in SDP.
        clock_rate: ticks of its timestamps in a second.
        ticks: how long a frame lasts.
        frames: the RTP payloads of each.
        delay: ticks by which each frame but the first comes too late after the one
            before it. It tells where the clip begins.
    """

    kind: str
    rtpmap: str
    clock_rate: int
    ticks: int
    frames: Sequence[Sequence[bytes]]
    delay: int = 0

    @cached_property
    def _packets_before(self) -> list[int]:
        return list(accumulate(map(len, self.frames), initial=0))

    @cached_property
    def contents(self) -> frozenset[bytes]:
        """All its payloads."""
        return frozenset(payload for frame in self.frames for payload in frame)

    def timestamp(self, frame: int) -> int:
        """The RTP timestamp of a frame, counted from the beginning of the sending."""
        return frame * self.ticks + frame % len(self.frames) * self.delay

    def frame_at(self, timestamp: int) -> int:
        """The frame that has a timestamp, or nearly so."""
        return (timestamp + self.ticks // 4) % (1 << 32) // self.ticks

    def first_packet(self, frame: int) -> int:
        """How many packets are sent before a frame."""
        rounds, index = divmod(frame, len(self.frames))
        return rounds * self._packets_before[-1] + self._packets_before[index]

    def payloads(self, frame: int) -> Sequence[bytes]:
        """What is sent of a frame."""
        return self.frames[frame % len(self.frames)]


def picture() -> Clip:
    """720p30 in VP8, of 2.5 Mb/s."""
    return Clip(
        "video",
        "VP8/90000",
        CLOCK_RATES["VP8"],
        CLOCK_RATES["VP8"] // FRAME_RATE,
        packetize(_encode_picture()),
        delay=DELAY,
    )


def sound() -> Clip:
    """Two seconds of noise in Opus, of 128 kb/s, 50 packets in a second."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add("anoisesrc", f"r=48000:a=0.1:d=2:n={OPUS_SAMPLES}:seed=1"),
        graph.add("abuffersink"),
    ).configure()
    encoder, payloads = OpusEncoder(), []
    for _ in range(2 * CLOCK_RATES["opus"] // OPUS_SAMPLES):
        frame = cast(AudioFrame, graph.pull())
        payloads += [[encoded.data] for encoded in encoder.encode(frame, None)]
    return Clip("audio", "opus/48000/2", CLOCK_RATES["opus"], OPUS_SAMPLES, payloads)


def h264_picture() -> Clip:
    """720p30 in H.264, baseline profile, of 2 Mb/s."""
    encoder = VideoEncoder("H264", H264_BITRATE, Fraction(FRAME_RATE))
    frames: list[bytes] = []
    for number, picture in enumerate(_draw_pictures()):
        encoded = encoder.encode(picture, Fraction(number, FRAME_RATE))
        frames += (frame.data for frame in encoded)
    frames += (frame.data for frame in encoder.flush())
    clock_rate = CLOCK_RATES["H264"]
    return Clip(
        "video",
        "H264/90000",
        clock_rate,
        clock_rate // FRAME_RATE,
        [h264.split(frame, _PAYLOAD_SIZE, 0) for frame in frames],
        delay=DELAY,
    )


def _draw_pictures() -> Iterator[VideoFrame]:
    """A moving test picture with noise."""
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={FRAME_RATE}")
    noise = graph.add("noise", "alls=8:allf=t")
    pixels = graph.add("format", "yuv420p")
    graph.link_nodes(source, noise, pixels, graph.add("buffersink")).configure()
    for _ in range(LENGTH):
        yield cast(VideoFrame, graph.pull())


def _encode_picture() -> list[bytes]:
    """Encode the test picture as VP8.

    Returns:
        Its frames.
    """
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = Fraction(1, FRAME_RATE)
    encoder.bit_rate = TARGET
    encoder.gop_size = LENGTH
    encoder.options = {
        "minrate": str(TARGET),
        "maxrate": str(TARGET),
        "bufsize": str(TARGET * SAVED),
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
    }
    frames: list[bytes] = []
    for picture in _draw_pictures():
        frames.extend(bytes(packet) for packet in encoder.encode(picture))
    frames.extend(bytes(packet) for packet in encoder.encode(None))
    return frames


def packetize(frames: Sequence[bytes]) -> list[list[bytes]]:
    """The RTP payloads of VP8 frames (RFC 7741), in the shortest form."""
    return [
        [
            (b"\x00" if start else b"\x10") + frame[start : start + _PAYLOAD_SIZE]
            for start in range(0, len(frame), _PAYLOAD_SIZE)
        ]
        for frame in frames
    ]
