"""A media file as a source: what is in it, and its packets."""

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.container.input import InputContainer
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext

from .encoders import OpusEncoder, VideoEncoder
from .lanes import (
    AnyPacket,
    DamagedError,
    H264PassLane,
    Lane,
    OpusPassLane,
    PcmPassLane,
    VideoPassLane,
)
from .media import (
    CLOCK_RATES,
    DEFAULT_BITRATE,
    EncodedFrame,
    Kind,
    MediaError,
    StreamInfo,
    VideoCodec,
)
from .timeline import Timeline
from .transcoding import AudioLane, VideoLane

# FFmpeg's names of the codecs that can be sent as they are.
_PASSED = {"h264": "H264", "vp8": "VP8"} | {
    "opus": "opus",
    "pcm_mulaw": "PCMU",
    "pcm_alaw": "PCMA",
}

# The formats of pictures that every receiver of WebRTC can show.
_PIXELS = ("yuv420p", "yuvj420p")

# Pictures per second, where a file does not say.
_RATE = Fraction(30)
# FFmpeg's names of the formats that say how long they are, and do not leave it to
# guesses; and the seconds by which they may be wrong.
_EXACT = {"mov", "matroska"}
MAX_MISSING = Fraction(1, 2)
# Seconds of a packet of sound, where a file does not say.
_SOUND = Fraction(1, 50)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stream of the file that is sent.

    Attributes:
        name: what FFmpeg calls its codec.
        period: seconds of a packet that does not say how long it lasts.
        encoder: for video that is encoded anew.
    """

    info: StreamInfo
    name: str
    period: Fraction
    encoder: VideoEncoder | None


class MediaFile:
    """The best video and the best audio stream of a file, where it has them.

    Args:
        path: the file.
        codec: how video is sent; None for as it is where that is possible, and H.264
            where it is not.
        bitrate: bits per second of video that is encoded.
        repeat: whether it begins again at its end.

    Attributes:
        name: the path.
        streams, damaged: see ``MediaSource``.

    Raises:
        MediaError: when it cannot be read, or has nothing in it that can be sent.
    """

    def __init__(
        self,
        path: str,
        codec: VideoCodec | None = None,
        bitrate: int = DEFAULT_BITRATE,
        repeat: bool = False,
    ) -> None:
        self.name = path
        self.damaged = 0
        self._repeat = repeat
        self._lanes: dict[int, Lane] = {}
        self._parts: dict[int, _Part] = {}
        with self._open() as container:
            if (video := _best(container, "video")) is not None:
                self._parts[video.index] = _video_part(video, codec, bitrate)
            if (audio := _best(container, "audio")) is not None:
                self._parts[audio.index] = _audio_part(audio)
        if not self._parts:
            raise MediaError(f"{path}: there is neither audio nor video in it")
        self.streams = tuple(part.info for part in self._parts.values())

    @property
    def skipped(self) -> int:
        """Pictures that were not encoded because the machine is too slow."""
        lanes = self._lanes.values()
        return sum(lane.skipped for lane in lanes if isinstance(lane, VideoLane))

    def request_key_frame(self) -> None:
        """Let the next picture be a key frame, if pictures are encoded here."""
        for part in self._parts.values():
            if part.encoder is not None:
                part.encoder.request_key_frame()

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames (see ``MediaSource.frames``)."""
        self._lanes = {i: _lane(part, is_late) for i, part in self._parts.items()}
        timeline = Timeline()
        error: MediaError | None = None
        try:
            yield from self._play(timeline)
            while self._repeat and timeline.end:
                yield from self._play(timeline)
        except MediaError as problem:
            # What the encoders still hold comes first.
            error = problem
        for lane in self._lanes.values():
            yield from lane.flush()
        if error is not None:
            raise error

    def _play(self, timeline: Timeline) -> Iterator[EncodedFrame]:
        """Everything once, from the beginning to the end."""
        with self._open() as container:
            streams = [s for s in container.streams if s.index in self._parts]
            names = {s.index: _codec_name(s) for s in streams}
            if names != {i: part.name for i, part in self._parts.items()}:
                raise MediaError(f"{self.name}: it is another file now")
            for stream in streams:
                self._lanes[stream.index].begin(stream)
            begun = timeline.end
            timeline.begin(_start(streams))
            packets = cast("Iterator[AnyPacket]", container.demux(*streams))
            while (packet := self._read(packets, timeline)) is not None:
                index = packet.stream_index
                time = timeline.place(packet, self._parts[index].period)
                yield from self._kept(self._lanes[index].take(packet, time))
            for lane in self._lanes.values():
                yield from self._kept(lane.end())
            missing = _duration(container) - (timeline.end - begun)
            if missing > MAX_MISSING and len(streams) == len(container.streams):
                raise self._broken(timeline, "the rest is missing")

    def _open(self) -> InputContainer:
        try:
            # No name of a file is taken for a URL.
            return av.open(os.path.abspath(self.name))
        except av.FFmpegError as error:
            raise MediaError(f"{self.name}: {error.strerror}") from error

    def _read(
        self, packets: Iterator[AnyPacket], timeline: Timeline
    ) -> AnyPacket | None:
        """The next packet; None at the end, where PyAV adds empty ones."""
        try:
            return next((packet for packet in packets if packet.size), None)
        except av.FFmpegError as error:
            raise self._broken(timeline, error.strerror) from error

    def _broken(self, timeline: Timeline, why: str | None) -> MediaError:
        seconds = f"{float(timeline.end):.1f} seconds"
        return MediaError(f"{self.name}: it breaks off after {seconds}: {why}")

    def _kept(self, frames: Iterator[EncodedFrame]) -> Iterator[EncodedFrame]:
        try:
            yield from frames
        except DamagedError:
            self.damaged += 1


def _best(container: InputContainer, kind: Kind) -> Stream | None:
    """The stream that a player would choose; the picture on a cover is none."""
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    best = container.streams.best(kind)
    return best if best in streams else next(iter(streams), None)


def _codec_name(stream: Stream) -> str:
    # Without a decoder there is no context, whatever the annotation says.
    context = cast("VideoCodecContext | AudioCodecContext | None", stream.codec_context)
    return context.codec.canonical_name if context else ""


def _known_codec(stream: Stream) -> str:
    name = _codec_name(stream)
    if not name:
        raise MediaError(
            f"{stream.container.name}: this FFmpeg cannot decode its {stream.type}"
        )
    return name


def _video_part(stream: Stream, codec: VideoCodec | None, bitrate: int) -> _Part:
    name = _known_codec(stream)
    context = cast(VideoCodecContext, stream.codec_context)
    sent = cast("VideoCodec | None", _PASSED.get(name))
    reason = ""
    if sent is None:
        reason = f"this client does not send {name}"
    elif codec not in (None, sent):
        reason = "as asked for"
    elif context.has_b_frames:
        reason = "it has B-frames, which WebRTC does not know"
    elif context.pix_fmt not in _PIXELS:
        reason = f"not every receiver can show {context.pix_fmt}"
    rate = stream.guessed_rate or stream.average_rate or _RATE
    encoder = None
    if reason or sent is None:
        sent = codec or "H264"
        aspect = context.sample_aspect_ratio or Fraction(1)
        encoder = VideoEncoder(sent, bitrate, rate, aspect)
    description = f"{name} {context.width}x{context.height}"
    info = StreamInfo("video", sent, description, bool(reason), reason)
    return _Part(info, name, 1 / rate, encoder)


def _audio_part(stream: Stream) -> _Part:
    name = _known_codec(stream)
    context = cast(AudioCodecContext, stream.codec_context)
    sent = _PASSED.get(name)
    rate, channels = context.sample_rate, context.layout.nb_channels
    reason = ""
    if sent is None:
        reason = f"this client does not send {name}"
    elif sent == "opus" and channels > 2:
        reason = f"not every receiver takes {channels} channels"
    elif sent != "opus" and (rate, channels) != (CLOCK_RATES[sent], 1):
        reason = f"{sent} is 8000 Hz mono"
    if reason or sent is None:
        sent = "opus"
    heard = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    description = f"{name} {rate} Hz {heard}"
    info = StreamInfo("audio", sent, description, bool(reason), reason)
    return _Part(info, name, _SOUND, None)


def _lane(part: _Part, is_late: Callable[[Fraction], bool]) -> Lane:
    if part.encoder is not None:
        return VideoLane(part.encoder, 1 / part.period, is_late)
    if part.info.is_encoded:
        return AudioLane(OpusEncoder())
    match part.info.codec:
        case "H264":
            return H264PassLane()
        case "VP8":
            return VideoPassLane()
        case "opus":
            return OpusPassLane()
        case codec:
            return PcmPassLane(codec)


def _duration(container: InputContainer) -> Fraction:
    """Seconds of the file, if its header says; else 0."""
    if container.duration is None or not _EXACT & set(container.format.name.split(",")):
        return Fraction(0)
    return Fraction(container.duration, av.time_base)


def _start(streams: list[Stream]) -> Fraction | None:
    """Seconds at which the first of the streams begins, if all say when."""
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts) if len(starts) == len(streams) else None
