"""Encodes pictures and audio with low delay."""

import os
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from .media import CLOCK_RATES, EncodedFrame, MediaError, VideoCodec

# Seconds between key frames, if none is requested earlier.
KEY_FRAME_INTERVAL = 2

# Threads of an encoder, at most: more threads make more slices, which costs quality.
MAX_THREADS = 4

OPUS_BITRATE = 128_000
OPUS_SAMPLES = 960

# Seconds by which audio may be early or late before its timestamps are corrected.
MAX_DRIFT = Fraction(1, 10)

_VIDEO_ENCODERS = {
    "H264": (
        "libx264",
        # All WebRTC receivers support the baseline profile (RFC 7742 section 6.2).
        {"preset": "superfast", "tune": "zerolatency", "profile": "baseline"},
    ),
    "VP8": (
        "libvpx",
        # Negative: this speed always, not only when the encoder is late.
        {"deadline": "realtime", "cpu-used": "-12", "lag-in-frames": "0"}
        | {"static-thresh": "1"},
    ),
}


class VideoEncoder:
    """Encodes pictures of any format and size, without delay.

    Args:
        bitrate: bits per second.
        rate: pictures per second, for rate control.
        aspect: the pixel aspect ratio of the pictures; the encoded ones have square
            pixels.

    Raises:
        MediaError: when this FFmpeg has no such encoder.
    """

    def __init__(
        self,
        codec: VideoCodec,
        bitrate: int,
        rate: Fraction,
        aspect: Fraction = Fraction(1),
    ) -> None:
        self._name, self._options = _VIDEO_ENCODERS[codec]
        self._bitrate = bitrate
        self._rate = rate
        self._aspect = aspect
        self._clock_rate = CLOCK_RATES[codec]
        self._last = -1
        self._is_key_wanted = False
        self._encoder: VideoCodecContext | None = None
        try:
            av.Codec(self._name, "w")
        except UnknownCodecError:
            raise MediaError(
                f"this FFmpeg has no encoder {self._name}; "
                "--video-codec chooses another"
            ) from None

    def request_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._is_key_wanted = True

    def encode(self, frame: VideoFrame, time: Fraction) -> Iterator[EncodedFrame]:
        """Encode one picture.

        Args:
            time: its presentation time, in seconds.

        Raises:
            MediaError: when the encoder rejects it.
        """
        encoder = self._encoder or self._open(frame)
        picture = frame.reformat(encoder.width, encoder.height, encoder.pix_fmt)
        self._last = max(self._last + 1, round(time * self._clock_rate))
        picture.pts = self._last
        picture.time_base = Fraction(1, self._clock_rate)
        # The picture type of the source must not reach the encoder.
        wanted, self._is_key_wanted = self._is_key_wanted, False
        picture.pict_type = PictureType.I if wanted else PictureType.NONE
        yield from self._run(encoder, picture)

    def flush(self) -> Iterator[EncodedFrame]:
        """The frames that the encoder still holds."""
        if self._encoder is not None:
            yield from self._run(self._encoder, None)
            self._encoder = None

    def _run(
        self, encoder: VideoCodecContext, picture: VideoFrame | None
    ) -> Iterator[EncodedFrame]:
        try:
            packets = encoder.encode(picture)
        except av.FFmpegError as error:
            raise _refused(encoder.name, error) from error
        ticks = round(self._clock_rate / self._rate)
        for packet in packets:
            assert packet.pts is not None
            yield EncodedFrame(
                "video", bytes(packet), packet.pts, ticks, self._clock_rate
            )

    def _open(self, frame: VideoFrame) -> VideoCodecContext:
        encoder = av.CodecContext.create(self._name, "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width = _even(frame.width * self._aspect)
        encoder.height = _even(frame.height)
        encoder.pix_fmt = "yuv420p"
        encoder.bit_rate = self._bitrate
        encoder.framerate = self._rate
        encoder.time_base = Fraction(1, self._clock_rate)
        encoder.gop_size = max(1, round(KEY_FRAME_INTERVAL * self._rate))
        encoder.max_b_frames = 0
        encoder.thread_count = min(os.cpu_count() or 1, MAX_THREADS)
        # A buffer of one second keeps the bitrate close to the target.
        bitrate = str(self._bitrate)
        encoder.options = self._options | {"maxrate": bitrate, "bufsize": bitrate}
        self._encoder = encoder
        return encoder


class OpusEncoder:
    """Encodes audio of any format and sampling rate to stereo Opus packets of 20 ms."""

    def __init__(self) -> None:
        self._clock_rate = CLOCK_RATES["opus"]
        encoder = av.CodecContext.create("libopus", "w")
        assert isinstance(encoder, AudioCodecContext)
        encoder.bit_rate = OPUS_BITRATE
        encoder.format = "flt"
        encoder.layout = "stereo"
        encoder.sample_rate = self._clock_rate
        encoder.time_base = Fraction(1, self._clock_rate)
        self._encoder = encoder
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        # The time of the next audio without a gap; the timestamp of the next packet.
        self._expected = Fraction(0)
        self._timestamp = 0

    def encode(
        self, frame: AudioFrame, time: Fraction | None
    ) -> Iterator[EncodedFrame]:
        """Encode audio.

        Args:
            time: its presentation time in seconds; None if it follows the last.

        Raises:
            MediaError: when the encoder rejects it.
        """
        format_ = (frame.format.name, frame.layout.name, frame.sample_rate)
        is_gap = time is not None and abs(time - self._expected) > MAX_DRIFT
        if is_gap:
            assert time is not None
            self._timestamp = max(self._timestamp, round(time * self._clock_rate))
            self._expected = time
        if is_gap or format_ != self._format:
            # Less than 20 ms of audio may be lost here.
            self._resampler = AudioResampler(
                "flt", "stereo", self._clock_rate, OPUS_SAMPLES
            )
            self._format = format_
        self._expected += Fraction(frame.samples, frame.sample_rate)
        # The resampler counts samples, and does not use timestamps.
        frame.pts = None
        yield from self._resample(frame)

    def flush(self) -> Iterator[EncodedFrame]:
        """The packets that the encoder still holds; the last one is padded."""
        yield from self._resample(None)
        yield from self._run(None)

    def _resample(self, frame: AudioFrame | None) -> Iterator[EncodedFrame]:
        if self._resampler is None:
            return
        try:
            pieces = self._resampler.resample(frame)
        except av.FFmpegError as error:
            raise _refused("resampler", error) from error
        for piece in pieces:
            piece.pts = None
            yield from self._run(piece)

    def _run(self, piece: AudioFrame | None) -> Iterator[EncodedFrame]:
        try:
            packets = self._encoder.encode(piece)
        except av.FFmpegError as error:
            raise _refused("libopus", error) from error
        for packet in packets:
            yield EncodedFrame(
                "audio",
                bytes(packet),
                self._timestamp,
                OPUS_SAMPLES,
                self._clock_rate,
            )
            self._timestamp += OPUS_SAMPLES


def _even(pixels: Fraction | int) -> int:
    """The nearest even length, as 4:2:0 requires."""
    return max(2, round(pixels / 2) * 2)


def _refused(what: str, error: av.FFmpegError) -> MediaError:
    return MediaError(f"{what}: {error.strerror}")
