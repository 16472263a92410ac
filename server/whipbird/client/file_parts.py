"""The streams of a media file, and how each of them is sent."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.container.input import InputContainer
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from .encoders import OpusEncoder, VideoEncoder
from .media import CLOCK_RATES, Kind, MediaError, StreamInfo, VideoCodec
from .pipelines import (
    H264Passthrough,
    OpusPassthrough,
    PcmPassthrough,
    Pipeline,
    VideoPassthrough,
)
from .rotation import rotation
from .transcoding import AudioPipeline, VideoPipeline

# FFmpeg's codec name -> encoding name of the codecs that need not be transcoded.
_PASSED_THROUGH = {
    "h264": "H264",
    "vp8": "VP8",
    "opus": "opus",
    "pcm_mulaw": "PCMU",
    "pcm_alaw": "PCMA",
}

# The pixel formats that every WebRTC receiver can show.
_PIXELS = ("yuv420p", "yuvj420p")

# Defaults for a file without them: pictures per second; seconds of an audio packet.
_RATE = Fraction(30)
_AUDIO_PERIOD = Fraction(1, 50)

# Packets that are decoded to find the rotation of the pictures, at most.
_MAX_PROBED = 60


@dataclass(frozen=True, slots=True)
class FilePart:
    """A stream of a file that is sent.

    Attributes:
        info: its description.
        name: FFmpeg's name of its codec.
        period: seconds of a packet without a duration.
        encoder: the encoder for video that is transcoded; else None.
    """

    info: StreamInfo
    name: str
    period: Fraction
    encoder: VideoEncoder | None

    def pipeline(self, is_late: Callable[[Fraction], bool]) -> Pipeline:
        """Make the pipeline for its packets.

        Args:
            is_late: see ``MediaSource.frames``.
        """
        if self.encoder is not None:
            return VideoPipeline(self.encoder, 1 / self.period, is_late)
        if self.info.is_encoded:
            return AudioPipeline(OpusEncoder())
        match self.info.codec:
            case "H264":
                return H264Passthrough()
            case "VP8":
                return VideoPassthrough()
            case "opus":
                return OpusPassthrough()
            case codec:
                return PcmPassthrough(codec)


def parts_of(
    container: InputContainer, codec: VideoCodec | None, bitrate: int
) -> dict[int, FilePart]:
    """The best video and the best audio stream of a file, by index.

    Args:
        container: the file; some of its packets are consumed.
        codec, bitrate: see ``MediaFile``.

    Raises:
        MediaError: when FFmpeg cannot decode one of them.
    """
    parts = {}
    if (video := _best(container, "video")) is not None:
        degrees = _rotation(container, video)
        parts[video.index] = _video_part(video, codec, bitrate, degrees)
    if (audio := _best(container, "audio")) is not None:
        parts[audio.index] = _audio_part(audio)
    return parts


def _best(container: InputContainer, kind: Kind) -> Stream | None:
    """The stream that a player would choose; a cover picture does not count."""
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    best = container.streams.best(kind)
    return best if best in streams else next(iter(streams), None)


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec; empty if FFmpeg cannot decode it."""
    # Without a decoder there is no context, although the annotation says so.
    context = cast("VideoCodecContext | AudioCodecContext | None", stream.codec_context)
    return context.codec.canonical_name if context else ""


def _known_codec(stream: Stream) -> str:
    name = codec_name(stream)
    if not name:
        raise MediaError(
            f"{stream.container.name}: this FFmpeg cannot decode its {stream.type}"
        )
    return name


def _rotation(container: InputContainer, video: Stream) -> int:
    """Degrees counterclockwise by which a player rotates the pictures."""
    if not codec_name(video):
        return 0
    with suppress(av.FFmpegError):
        for packet in islice(container.demux(video), _MAX_PROBED):
            for frame in packet.decode():
                return rotation(cast(VideoFrame, frame))
    return 0


def _video_part(
    stream: Stream, codec: VideoCodec | None, bitrate: int, degrees: int
) -> FilePart:
    name = _known_codec(stream)
    context = cast(VideoCodecContext, stream.codec_context)
    sent = cast("VideoCodec | None", _PASSED_THROUGH.get(name))
    reason = ""
    if sent is None:
        reason = f"this client does not send {name}"
    elif codec not in (None, sent):
        reason = "as requested"
    elif context.has_b_frames:
        reason = "it has B-frames, which WebRTC does not support"
    elif degrees:
        reason = f"players would have to rotate it by {degrees} degrees"
    elif context.pix_fmt not in _PIXELS:
        reason = f"not every receiver can show {context.pix_fmt}"
    rate = stream.guessed_rate or stream.average_rate or _RATE
    encoder = None
    if reason or sent is None:
        sent = codec or "H264"
        aspect = context.sample_aspect_ratio or Fraction(1)
        if degrees % 180:
            aspect = 1 / aspect
        encoder = VideoEncoder(sent, bitrate, rate, aspect)
    description = f"{name} {context.width}x{context.height}"
    info = StreamInfo("video", sent, description, bool(reason), reason)
    return FilePart(info, name, 1 / rate, encoder)


def _audio_part(stream: Stream) -> FilePart:
    name = _known_codec(stream)
    context = cast(AudioCodecContext, stream.codec_context)
    sent = _PASSED_THROUGH.get(name)
    rate, channels = context.sample_rate, context.layout.nb_channels
    reason = ""
    if sent is None:
        reason = f"this client does not send {name}"
    elif sent == "opus" and channels > 2:
        reason = f"not every receiver supports {channels} channels"
    elif sent != "opus" and (rate, channels) != (CLOCK_RATES[sent], 1):
        reason = f"{sent} is 8000 Hz mono"
    if reason or sent is None:
        sent = "opus"
    heard = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    description = f"{name} {rate} Hz {heard}"
    info = StreamInfo("audio", sent, description, bool(reason), reason)
    return FilePart(info, name, _AUDIO_PERIOD, None)
