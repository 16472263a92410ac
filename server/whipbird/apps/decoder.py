"""Decodes the encoded frames of a track, in a thread of its own."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import NamedTuple, TypeVar

import av
from av.frame import Frame

from ..client.media import MediaError
from ..client.rotation import Rotator
from ..recording.pcm import DECODERS
from ..recording.templates import UnusableError, template
from ..rtp.codecs import payload_format
from ..sdp.codecs import Codec
from .encoded import QueuedFrame

logger = logging.getLogger(__name__)

# The largest picture that is decoded, in pixels (8K has 33 million).
_MAX_PIXELS = 40_000_000

# Encoding name -> FFmpeg's decoder.
_VIDEO = {
    "h264": "h264",
    "h265": "hevc",
    "vp8": "vp8",
    "vp9": "vp9",
    "av1": "libdav1d",
}

# Times are counted in microseconds.
_TIME_BASE = Fraction(1, 1_000_000)

_Result = TypeVar("_Result")


class Decoded(NamedTuple):
    """A decoded frame.

    Attributes:
        rotation: see ``EncodedFrame``.
    """

    frame: Frame
    rotation: int


class Decoder:
    """Decodes frames. It exists only while somebody iterates.

    Attributes:
        undecodable: frames that could not be decoded.
    """

    def __init__(self) -> None:
        self.undecodable = 0
        self._codec: Codec | None = None
        self._context: av.VideoCodecContext | av.AudioCodecContext | None = None
        self._rotator = Rotator()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="application")
        self._loop = asyncio.get_running_loop()

    async def run(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the thread of the decoder."""
        return await self._loop.run_in_executor(self._thread, function)

    def close(self) -> None:
        """End the thread, after what it does now."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def upright(self, picture: Decoded) -> av.VideoFrame | None:
        """The picture, rotated as its sender says; None if that is not possible."""
        frame = picture.frame
        assert isinstance(frame, av.VideoFrame)
        try:
            # The filters count counterclockwise.
            return self._rotator.rotate(frame, -picture.rotation % 360)
        except MediaError as error:
            self.undecodable += 1
            logger.debug("Cannot rotate a picture: %s", error)
            return None

    def decode(self, frames: Iterable[QueuedFrame]) -> list[Decoded]:
        """Decode frames; runs in the thread. Those that cannot be are left out."""
        decoded: list[Decoded] = []
        for queued in frames:
            rotation = queued.frame.rotation
            try:
                decoded += [Decoded(f, rotation) for f in self._decode(queued)]
            except (av.FFmpegError, UnusableError) as error:
                self.undecodable += 1
                logger.debug("Cannot decode a frame: %s", error)
        return decoded

    def _decode(self, queued: QueuedFrame) -> list[Frame]:
        if self._context is None or queued.codec is not self._codec:
            self._context, self._codec = _context(queued.codec), queued.codec
        packet = av.Packet(queued.frame.data)
        packet.pts = packet.dts = round(queued.frame.time / _TIME_BASE)
        packet.time_base = _TIME_BASE
        frames: list[Frame] = list(self._context.decode(packet))
        for frame in frames:
            # The decoder may count in a time base of its own.
            frame.time_base = _TIME_BASE
        return frames


def _context(codec: Codec) -> av.VideoCodecContext | av.AudioCodecContext:
    """A decoder.

    Raises:
        UnusableError, av.FFmpegError: when there is none for the codec.
    """
    name = codec.name
    if payload_format(name) is not None:
        video = av.CodecContext.create(_VIDEO[name], "r")
        assert isinstance(video, av.VideoCodecContext)
        video.options = {"max_pixels": str(_MAX_PIXELS)}
        # More threads would decode frames later, and take what others need.
        video.thread_count = 1
        return video
    if name in DECODERS:
        decoder, rate = DECODERS[name]
        sound = av.CodecContext.create(decoder, "r")
        assert isinstance(sound, av.AudioCodecContext)
        sound.sample_rate, sound.layout = rate, "mono"
        return sound
    with template(codec) as container:
        header = container.streams.audio[0].codec_context
        sound = av.CodecContext.create(header.codec, "r")
        assert isinstance(sound, av.AudioCodecContext)
        sound.extradata = header.extradata
        sound.sample_rate, sound.layout = header.sample_rate, header.layout
    return sound
