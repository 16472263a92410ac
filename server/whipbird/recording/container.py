"""A media file that is written as it comes, and can be played up to where it breaks."""

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

# Microseconds of a fragment of MP4, and milliseconds of a cluster of Matroska: what
# may be lost when the process is killed.
_FRAGMENT = "1000000"
_CLUSTER = "1000"

# Microseconds that packets of one track are held for those of the other.
_INTERLEAVE = "500000"


@dataclass(frozen=True, slots=True)
class Container:
    """A file format.

    Attributes:
        format: FFmpeg's name of it.
        suffix: of the names of its files.
        codecs: those that it carries, by encoding name; None for all.
        options: of FFmpeg's muxer.
        tags: by FFmpeg's name of a codec, the four characters that stand for it, where
            FFmpeg would write others.
    """

    format: str
    suffix: str
    codecs: frozenset[str] | None
    options: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


# When an MP4 file is ended it gets an index, and is an ordinary one from then on.
_MP4 = Container(
    "mp4",
    "mp4",
    frozenset({"h264", "h265", "av1", "vp9", "opus", "multiopus"}),
    {
        "movflags": "empty_moov+delay_moov+default_base_moof+hybrid_fragmented",
        "frag_duration": _FRAGMENT,
    },
    # Apple's players know no other. FFmpeg takes the parameter sets out of the frames
    # then, so they are in the beginning of the file alone (ISO/IEC 14496-15).
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
    """The format for these codecs: the first that carries them and is widely played."""
    for container in (_MP4, _WEBM):
        if container.codecs is not None and names <= container.codecs:
            return container
    return _MATROSKA


class _Output:
    """A file that FFmpeg writes into, and what it wrote goes out all at once.

    So hardly ever is a fragment half written.

    Attributes:
        size: octets that are in it.
        is_abandoned: whether nothing more goes out.
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
        """Give to the system what was written so far.

        Raises:
            OSError: when it does not take it; the file is then as it was before.
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
            # What FFmpeg wants to write next would not fit what is there.
            self.is_abandoned = True
            self.size = before
            os.ftruncate(self._descriptor, before)
            raise


class MediaFile:
    """A file with one track of video, one of audio, or both.

    Args:
        descriptor: of an empty file; it is closed by :meth:`close`.
        container: its format.
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
        # Kind -> the track, and how long a tick of its positions is.
        self._tracks: dict[str, tuple[Stream, Fraction]] = {}

    @property
    def size(self) -> int:
        """Octets that are written."""
        return self._output.size

    def add(self, kind: str, stream: Stream, clock_rate: int, turns: int = 0) -> None:
        """Add a track, before anything is written.

        Args:
            kind: ``audio`` or ``video``.
            stream: what it is like (see ``template``).
            clock_rate: of its frames' positions.
            turns: quarters of a turn, clockwise, by which players are to turn it.
        """
        tick = Fraction(1, clock_rate)
        track = self._muxer.add_stream_from_template(
            stream, opaque=True, time_base=tick
        )
        if (tag := self._tags.get(stream.codec_context.name)) is not None:
            track.codec_context.codec_tag = tag
        if turns:
            assert isinstance(track, VideoStream)
            track.set_display_rotation(-90 * turns)
        self._tracks[kind] = track, tick

    def write(
        self, kind: str, data: bytes, position: int, duration: int, is_key: bool
    ) -> None:
        """Add a frame.

        Args:
            kind: of its track.
            data: as ``join`` gives it.
            position: when it is shown, in ticks of the clock rate, from the beginning
                of the file; more than for the one before.
            duration: likewise.
            is_key: whether a decoder can begin with it.

        Raises:
            OSError: when it cannot be written.
            av.FFmpegError: when FFmpeg does not take it.
        """
        packet = Packet(data)
        # What the track counts in is FFmpeg's choice.
        packet.stream, packet.time_base = self._tracks[kind]
        packet.pts = packet.dts = position
        packet.duration = duration
        packet.is_keyframe = is_key
        self._muxer.mux(packet)
        self._output.flush()

    def close(self) -> None:
        """Write what is left, the index of it, and close the file.

        Raises:
            OSError: when it cannot be written.
            av.FFmpegError: when FFmpeg has failed.
        """
        try:
            self._muxer.close()
            self._output.flush()
        finally:
            os.close(self._descriptor)
