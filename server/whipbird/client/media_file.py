"""A media file as a source of encoded frames, played once or repeatedly."""

import os
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from typing import cast

import av
from av.container.input import InputContainer
from av.stream import Stream

from .file_parts import codec_name, parts_of
from .media import DEFAULT_BITRATE, EncodedFrame, MediaError, VideoCodec
from .pipelines import AnyPacket, DamagedError, Pipeline
from .timeline import Timeline
from .transcoding import VideoPipeline

# FFmpeg's names of the formats with a reliable duration, and its tolerance in seconds.
_EXACT = {"mov", "matroska"}
MAX_MISSING = Fraction(1, 2)


class MediaFile:
    """The best video stream and the best audio stream of a file.

    Args:
        path: the file.
        codec: the codec to send video with; None to pass it through if possible, and
            to transcode to H.264 otherwise.
        bitrate: bits per second of transcoded video.
        repeat: whether to repeat the file without end.

    Attributes:
        name: the path.
        streams, damaged: see ``MediaSource``.

    Raises:
        MediaError: when the file cannot be read, or has no stream that can be sent.
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
        self._pipelines: dict[int, Pipeline] = {}
        with self._open() as container:
            self._parts = parts_of(container, codec, bitrate)
        if not self._parts:
            raise MediaError(f"{path}: it has neither audio nor video")
        self.streams = tuple(part.info for part in self._parts.values())

    @property
    def skipped(self) -> int:
        """Pictures not encoded because the machine was too slow."""
        pipelines = self._pipelines.values()
        return sum(
            pipeline.skipped
            for pipeline in pipelines
            if isinstance(pipeline, VideoPipeline)
        )

    def request_key_frame(self) -> None:
        """Make the next picture a key frame, if pictures are encoded here."""
        for part in self._parts.values():
            if part.encoder is not None:
                part.encoder.request_key_frame()

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames (see ``MediaSource.frames``)."""
        self._pipelines = {i: part.pipeline(is_late) for i, part in self._parts.items()}
        timeline = Timeline()
        error: MediaError | None = None
        try:
            yield from self._play(timeline)
            while self._repeat and timeline.end:
                yield from self._play(timeline)
        except MediaError as problem:
            # First send what the encoders still hold.
            error = problem
        for pipeline in self._pipelines.values():
            yield from pipeline.flush()
        if error is not None:
            raise error

    def _play(self, timeline: Timeline) -> Iterator[EncodedFrame]:
        """Play the file once."""
        with self._open() as container:
            streams = [s for s in container.streams if s.index in self._parts]
            names = {s.index: codec_name(s) for s in streams}
            if names != {i: part.name for i, part in self._parts.items()}:
                raise MediaError(f"{self.name}: the file was replaced by another one")
            for stream in streams:
                self._pipelines[stream.index].begin(stream)
            begun = timeline.end
            timeline.begin(_start(streams))
            packets = cast("Iterator[AnyPacket]", container.demux(*streams))
            while (packet := self._read(packets, timeline)) is not None:
                index = packet.stream_index
                time = timeline.place(packet, self._parts[index].period)
                yield from self._kept(self._pipelines[index].process(packet, time))
            for pipeline in self._pipelines.values():
                yield from self._kept(pipeline.end())
            missing = _duration(container) - (timeline.end - begun)
            if missing > MAX_MISSING and len(streams) == len(container.streams):
                raise self._broken(timeline, "the rest is missing")

    def _open(self) -> InputContainer:
        try:
            # An absolute path: a file name must not be taken for a URL.
            return av.open(os.path.abspath(self.name))
        except av.FFmpegError as error:
            raise MediaError(f"{self.name}: {error.strerror}") from error

    def _read(
        self, packets: Iterator[AnyPacket], timeline: Timeline
    ) -> AnyPacket | None:
        """The next packet; None at the end, where PyAV adds empty packets."""
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


def _duration(container: InputContainer) -> Fraction:
    """The duration of the file in seconds; 0 if its header is not reliable."""
    if container.duration is None or not _EXACT & set(container.format.name.split(",")):
        return Fraction(0)
    return Fraction(container.duration, av.time_base)


def _start(streams: list[Stream]) -> Fraction | None:
    """The start time of the first stream in seconds; None if one is unknown."""
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts) if len(starts) == len(streams) else None
