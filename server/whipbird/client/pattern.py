"""A test pattern as a source: pictures that move, with a clock in them, and a tone."""

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

# Hertz; every second it beeps.
_TONE = 440


class Pattern:
    """FFmpeg's test pictures, which show the time and their number, and a tone.

    Args:
        size: width and height in pixels, even.
        rate: pictures per second.
        codec: how the pictures are encoded.
        bitrate: bits per second of them.

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
        """Pictures that were not encoded because the machine is too slow."""
        return self._video.skipped if self._video else 0

    def request_key_frame(self) -> None:
        """Let the next picture be a key frame."""
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
    """A graph of filters, each with its arguments, one after another."""
    graph = Graph()
    try:
        graph.link_nodes(*(graph.add(name, args) for name, args in chain))
        graph.configure()
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"FFmpeg's filter {chain[0][0]}: {error}") from error
    return graph
