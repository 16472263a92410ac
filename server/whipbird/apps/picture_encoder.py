"""Encodes the pictures that an application publishes, without delay."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

# Of RTP (RFC 7741, RFC 6184 and so on).
CLOCK_RATE = 90_000

# Pictures between key frames, at most: viewers ask for those that they need.
_GOP = 3000
# Pictures per second, for the control of the rate: the real rate is not known.
_RATE = 30

# Threads of an encoder, at most: the packets of others need the cores too.
_MAX_THREADS = 4

# Bits per second and pixel, and the least rate, where the application names none.
_BITS_PER_PIXEL = 3
_LEAST_BITRATE = 200_000

# Encoding name -> FFmpeg's encoders, the better ones first, and their options for
# encoding in real time, without pictures that wait for later ones.
_ENCODERS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "vp8": {
        "libvpx": {
            "deadline": "realtime",
            "cpu-used": "-6",
            "lag-in-frames": "0",
            "static-thresh": "1",
        }
    },
    "vp9": {
        "libvpx-vp9": {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "row-mt": "1",
        }
    },
    "h264": {
        "libx264": {
            "preset": "superfast",
            "tune": "zerolatency",
            # All WebRTC receivers support it (RFC 7742 section 6.2).
            "profile": "baseline",
        }
    },
    "h265": {
        "libx265": {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x265-params": "log-level=none",
        }
    },
    "av1": {
        "libaom-av1": {"usage": "realtime", "cpu-used": "9", "lag-in-frames": "0"},
        # Its mode for real time, without pictures out of order, at a constant bitrate.
        "libsvtav1": {
            "preset": "10",
            "svtav1-params": "rtc=1:pred-struct=1:rc=2",
        },
    },
}


class NoEncoder(ValueError):  # noqa: N818 - as other refusals of frames
    """Pictures cannot be encoded, here or in this codec."""


class PictureEncoder:
    """Encodes pictures of one stream, one after another, in any thread.

    A picture of another size begins the stream anew, with a key frame.

    Args:
        codec: an encoding name, as ``vp8``.
        bitrate: in bit/s; None for one that fits the size of the pictures.

    Raises:
        NoEncoder: when this FFmpeg has none for the codec.
    """

    def __init__(self, codec: str, bitrate: int | None) -> None:
        self._name = _find_encoder(codec)
        self._options = _ENCODERS[codec][self._name]
        self._bitrate = bitrate
        self._last = -1
        self._size = 0, 0
        self._context: VideoCodecContext | None = None

    def encode(
        self, frame: av.VideoFrame, ticks: int, *, is_key: bool
    ) -> list[tuple[int, bytes]]:
        """Encode a picture.

        Args:
            ticks: its time, in ticks of ``CLOCK_RATE``; it is moved if it is not later
                than that of the picture before.
            is_key: whether it must be a key frame.

        Returns:
            The time and the data of each encoded frame; none when the encoder needs
            more pictures first.

        Raises:
            NoEncoder: when the encoder does not take such a picture.
        """
        try:
            with usual_priority():
                return self._encode(frame, ticks, is_key)
        except (av.FFmpegError, ValueError) as error:
            self._context = None
            why = error.strerror if isinstance(error, av.FFmpegError) else str(error)
            raise NoEncoder(
                f"{self._name} does not encode a picture of {frame.width} x "
                f"{frame.height} pixels ({frame.format.name}): {why}"
            ) from error

    def _encode(
        self, frame: av.VideoFrame, ticks: int, is_key: bool
    ) -> list[tuple[int, bytes]]:
        context = self._context
        if context is None or (frame.width, frame.height) != self._size:
            context = self._context = self._open(frame)
            self._size = frame.width, frame.height
        picture = frame.reformat(context.width, context.height, "yuv420p")
        self._last = max(self._last + 1, ticks)
        # It may be the application's own picture, which it may use again.
        pts, time_base, kind = picture.pts, picture.time_base, picture.pict_type
        picture.pts, picture.time_base = self._last, Fraction(1, CLOCK_RATE)
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        try:
            packets = context.encode(picture)
        finally:
            picture.pts, picture.pict_type = pts, kind
            if time_base is not None:
                picture.time_base = time_base
        made: list[tuple[int, bytes]] = []
        for packet in packets:
            assert packet.pts is not None
            made.append((packet.pts, bytes(packet)))
        return made

    def _open(self, frame: av.VideoFrame) -> VideoCodecContext:
        # SVT-AV1 would write to the standard error; what matters, FFmpeg tells as well.
        os.environ.setdefault("SVT_LOG", "0")
        context = av.CodecContext.create(self._name, "w")
        assert isinstance(context, VideoCodecContext)
        # 4:2:0 has half as many samples of colour.
        context.width = max(2, frame.width - frame.width % 2)
        context.height = max(2, frame.height - frame.height % 2)
        pixels = context.width * context.height
        bitrate = self._bitrate or max(_LEAST_BITRATE, _BITS_PER_PIXEL * pixels)
        context.pix_fmt = "yuv420p"
        context.bit_rate = bitrate
        context.framerate = Fraction(_RATE)
        context.time_base = Fraction(1, CLOCK_RATE)
        context.gop_size = _GOP
        context.max_b_frames = 0
        context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
        # A buffer of one second keeps the bitrate close to the target.
        context.options = {
            **self._options,
            "maxrate": str(bitrate),
            "bufsize": str(bitrate),
        }
        return context


def _find_encoder(codec: str) -> str:
    """The first encoder of a codec that there is."""
    for name in _ENCODERS[codec]:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    wanted = " or ".join(_ENCODERS[codec])
    raise NoEncoder(
        f"this FFmpeg has no encoder for {codec} ({wanted}): publish another codec, or "
        "send encoded frames"
    )


@contextmanager
def usual_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does when root runs it: it takes the thread that calls it to
    real-time priority, and with it all the processes that are started from there.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
