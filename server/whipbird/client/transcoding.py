"""Pipelines that transcode the packets of a file."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import ThreadType
from av.frame import Frame
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from .encoders import OpusEncoder, VideoEncoder
from .media import EncodedFrame
from .pipelines import AnyPacket, DamagedError, Pipeline
from .rotation import Rotator, rotation

# Late pictures that are skipped in a row; then one is encoded although it is late, so
# that there is a picture from time to time on a slow machine.
MAX_SKIPPED = 5


class VideoPipeline(Pipeline):
    """Transcodes video to H.264 or VP8.

    Args:
        encoder: the encoder.
        rate: pictures per second, for a file without timestamps.
        is_late: returns whether it is too late to encode a picture of this time.

    Attributes:
        skipped: pictures skipped because they were late.
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        rate: Fraction,
        is_late: Callable[[Fraction], bool],
    ) -> None:
        self.skipped = 0
        self._encoder = encoder
        self._period = 1 / rate
        self._is_late = is_late
        self._decoder: VideoCodecContext | None = None
        self._rotator = Rotator()
        self._next = Fraction(0)
        self._skipped_now = 0

    def begin(self, stream: Stream) -> None:
        self._decoder = cast(VideoCodecContext, stream.codec_context)
        self._decoder.thread_type = ThreadType.AUTO

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        yield from self._decode(packet)

    def end(self) -> Iterator[EncodedFrame]:
        yield from self._decode(None)

    def flush(self) -> Iterator[EncodedFrame]:
        yield from self._encoder.flush()

    def encode(self, frame: VideoFrame) -> Iterator[EncodedFrame]:
        """Encode a picture, unless it is late."""
        time = _time(frame)
        if time is None:
            time = self._next
        self._next = time + self._period
        if self._is_late(time) and self._skipped_now < MAX_SKIPPED:
            self.skipped += 1
            self._skipped_now += 1
            return
        self._skipped_now = 0
        upright = self._rotator.rotate(frame, rotation(frame))
        yield from self._encoder.encode(upright, time)

    def _decode(self, packet: AnyPacket | None) -> Iterator[EncodedFrame]:
        assert self._decoder is not None
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError as error:
            raise DamagedError(error.strerror) from error
        for frame in frames:
            yield from self.encode(frame)


class AudioPipeline(Pipeline):
    """Transcodes audio to Opus."""

    def __init__(self, encoder: OpusEncoder) -> None:
        self._encoder = encoder
        self._decoder: AudioCodecContext | None = None

    def begin(self, stream: Stream) -> None:
        self._decoder = cast(AudioCodecContext, stream.codec_context)

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        yield from self._decode(packet)

    def end(self) -> Iterator[EncodedFrame]:
        yield from self._decode(None)

    def flush(self) -> Iterator[EncodedFrame]:
        yield from self._encoder.flush()

    def encode(self, frame: AudioFrame) -> Iterator[EncodedFrame]:
        """Encode audio."""
        yield from self._encoder.encode(frame, _time(frame))

    def _decode(self, packet: AnyPacket | None) -> Iterator[EncodedFrame]:
        assert self._decoder is not None
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError as error:
            raise DamagedError(error.strerror) from error
        for frame in frames:
            yield from self.encode(frame)


def _time(frame: Frame) -> Fraction | None:
    """The presentation time of a frame in seconds; None if it has none."""
    if frame.pts is None or frame.time_base is None:
        return None
    return Fraction(frame.pts * frame.time_base)
