"""Media files that are written continuously, and stay playable if the process dies."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import av
from av.container.output import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

# The length of an MP4 fragment in microseconds, and of a Matroska cluster in
# milliseconds: so much may be lost when the process is killed.
_FRAGMENT = "1000000"
_CLUSTER = "1000"

# Microseconds that the muxer waits for packets of the other track.
_INTERLEAVE = "500000"


@dataclass(frozen=True, slots=True)
class Container:
    """A container format.

    Attributes:
        format: FFmpeg's name for it.
        suffix: the suffix of file names.
        codecs: the encoding names of codecs that it can contain; None for all.
        options: options of FFmpeg's muxer.
        tags: FFmpeg's name of a codec -> its four-character code, where FFmpeg's
            default is not wanted.
    """

    format: str
    suffix: str
    codecs: frozenset[str] | None
    options: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


# A fragmented MP4 file; when it is closed, it gets an index and is an ordinary one.
_MP4 = Container(
    "mp4",
    "mp4",
    frozenset({"h264", "h265", "av1", "vp9", "opus", "multiopus"}),
    {
        "movflags": "empty_moov+delay_moov+default_base_moof+hybrid_fragmented",
        "frag_duration": _FRAGMENT,
    },
    # Apple's players require hvc1. FFmpeg then removes the parameter sets from the
    # frames, so they are only in the header of the file (ISO/IEC 14496-15).
    {"hevc": "hvc1"},
)
_WEBM = Container(
    "webm",
    "webm",
    frozenset({"vp8", "vp9", "av1", "opus", "multiopus"}),
    {"cluster_time_limit": _CLUSTER},
)
_MATROSKA = Container("matroska", "mkv", None, {"cluster_time_limit": _CLUSTER})


def container_of(names: set[str]) -> Container:
    """The container format for these codecs: the most widely supported one."""
    for container in (_MP4, _WEBM):
        if container.codecs is not None and names <= container.codecs:
            return container
    return _MATROSKA


class _Output:
    """A file-like object for FFmpeg that buffers until ``flush``.

    So a fragment is hardly ever written in part.

    Attributes:
        size: the size of the file in octets.
        is_abandoned: whether writing has failed; then nothing more is written.
    """

    def __init__(self, descriptor: int) -> None:
        self.size = 0
        self.is_abandoned = False
        self._descriptor = descriptor
        self._position = 0
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pending.append(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.flush()
        if whence != os.SEEK_SET:
            offset += self._position if whence == os.SEEK_CUR else self.size
        self._position = offset
        return offset

    def tell(self) -> int:
        return self._position + sum(map(len, self._pending))

    def flush(self) -> None:
        """Write the buffer to the file.

        Raises:
            OSError: when that fails; the file is then as it was before.
        """
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        if self.is_abandoned:
            return
        before = self.size
        try:
            while data:
                count = os.pwrite(self._descriptor, data, self._position)
                self._position += count
                self.size = max(self.size, self._position)
                data = data[count:]
        except OSError:
            # FFmpeg's next output would not fit to the content of the file.
            self.is_abandoned = True
            self.size = before
            os.ftruncate(self._descriptor, before)
            raise


class MediaFile:
    """A media file with one video track, one audio track, or both.

    Args:
        descriptor: the descriptor of an empty file; :meth:`close` closes it.
        container: the container format.
    """

    def __init__(self, descriptor: int, container: Container) -> None:
        self._descriptor = descriptor
        self._output = _Output(descriptor)
        self._tags = container.tags
        self._muxer: OutputContainer = av.open(
            cast("str", self._output),
            "w",
            format=container.format,
            container_options={
                **container.options,
                "flush_packets": "1",
                "max_interleave_delta": _INTERLEAVE,
            },
        )
        # Kind -> the track, and its time base.
        self._tracks: dict[str, tuple[Stream, Fraction]] = {}
        # Kind -> the last packet. It waits for the next one, because it lasts until
        # then: FFmpeg lets a fragment begin where the one before it ends.
        self._last: dict[str, Packet[Stream]] = {}

    @property
    def size(self) -> int:
        """Octets written so far."""
        return self._output.size

    def add(
        self, kind: str, stream: Stream, clock_rate: int, rotation: int = 0
    ) -> None:
        """Add a track, before any frame is written.

        Args:
            kind: ``audio`` or ``video``.
            stream: a stream with the parameters of the track (see ``template``).
            clock_rate: ticks per second of its frames' positions.
            rotation: degrees clockwise by which players should rotate the pictures.
        """
        tick = Fraction(1, clock_rate)
        track = self._muxer.add_stream_from_template(
            stream, opaque=True, time_base=tick
        )
        if (tag := self._tags.get(stream.codec_context.name)) is not None:
            track.codec_context.codec_tag = tag
        if rotation:
            assert isinstance(track, VideoStream)
            track.set_display_rotation(-rotation)
        self._tracks[kind] = track, tick

    def write(
        self, kind: str, data: bytes, position: int, duration: int, is_key: bool
    ) -> None:
        """Write a frame.

        Args:
            kind: the kind of its track.
            data: the frame, as returned by ``join``.
            position: its presentation time from the beginning of the file, in ticks
                of the clock rate; greater than that of the frame before.
            duration: its duration in ticks.
            is_key: whether a decoder can start at it.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg rejects the frame.
        """
        packet = Packet(data)
        # FFmpeg converts to the time base of the file.
        packet.stream, packet.time_base = self._tracks[kind]
        packet.pts = packet.dts = position
        packet.duration = duration
        packet.is_keyframe = is_key
        before, self._last[kind] = self._last.get(kind), packet
        if before is not None:
            before.duration = position - (before.dts or 0)
            self._muxer.mux(before)
            self._output.flush()

    def close(self) -> None:
        """Write what is buffered and the index, and close the file.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg fails.
        """
        try:
            try:
                for packet in self._last.values():
                    self._muxer.mux(packet)
            finally:
                self._muxer.close()
            self._output.flush()
        finally:
            os.close(self._descriptor)
