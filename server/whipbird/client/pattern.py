"""A test pattern as a source of encoded frames: a moving picture and a tone."""

from collections.abc import Callable, Generator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.video.frame import VideoFrame

from .encoders import OPUS_SAMPLES, OpusEncoder, VideoEncoder
from .media import (
    CLOCK_RATES,
    DEFAULT_BITRATE,
    EncodedFrame,
    MediaError,
    StreamInfo,
    VideoCodec,
)
from .transcoding import AudioPipeline, VideoPipeline

# The frequency of the tone in Hz; it beeps every second.
_TONE = 440


class Pattern:
    """FFmpeg's test picture, which shows the time and the frame number, and a tone.

    Args:
        size: width and height in pixels, even.
        rate: pictures per second.
        codec: the video codec.
        bitrate: bits per second of video.

    Attributes:
        name, streams, damaged: see ``MediaSource``.

    Raises:
        MediaError: when this FFmpeg lacks an encoder or a filter.
    """

    name = "testsrc"
    damaged = 0

    def __init__(
        self,
        size: tuple[int, int] = (1280, 720),
        rate: int = 30,
        codec: VideoCodec = "H264",
        bitrate: int = DEFAULT_BITRATE,
    ) -> None:
        width, height = size
        self._rate = Fraction(rate)
        self._encoder = VideoEncoder(codec, bitrate, self._rate)
        self._video: VideoPipeline | None = None
        self._pictures = _filters(
            ("testsrc2", f"size={width}x{height}:rate={rate}"),
            ("format", "yuv420p"),
            ("buffersink", None),
        )
        clock = CLOCK_RATES["opus"]
        self._sound = _filters(
            (
                "sine",
                f"frequency={_TONE}:beep_factor=4:sample_rate={clock}"
                f":samples_per_frame={OPUS_SAMPLES}",
            ),
            ("abuffersink", None),
        )
        self.streams = (
            StreamInfo("video", codec, f"{width}x{height}, {rate} frames/s", True),
            StreamInfo("audio", "opus", f"a tone of {_TONE} Hz", True),
        )

    @property
    def skipped(self) -> int:
        """Pictures not encoded because the machine was too slow."""
        return self._video.skipped if self._video else 0

    def request_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._encoder.request_key_frame()

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames, without end (see ``MediaSource.frames``)."""
        video = self._video = VideoPipeline(self._encoder, self._rate, is_late)
        audio = AudioPipeline(OpusEncoder())
        shown = heard = Fraction(0)
        period = Fraction(OPUS_SAMPLES, CLOCK_RATES["opus"])
        while True:
            if shown <= heard:
                picture = self._pictures.pull()
                assert isinstance(picture, VideoFrame)
                yield from video.encode(picture)
                shown += 1 / self._rate
            else:
                sound = self._sound.pull()
                assert isinstance(sound, AudioFrame)
                yield from audio.encode(sound)
                heard += period


def _filters(*chain: tuple[str, str | None]) -> Graph:
    """A filter graph: a chain of filters with their arguments."""
    graph = Graph()
    try:
        graph.link_nodes(*(graph.add(name, args) for name, args in chain))
        graph.configure()
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"FFmpeg's filter {chain[0][0]}: {error}") from error
    return graph
