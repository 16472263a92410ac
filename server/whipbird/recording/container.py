"""Media files that are written continuously, and stay playable if the process dies."""

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import cast

import av
from av.container.output import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from .descriptors import write_at
from .mp4 import sample_entry
from .reordering import PictureOrder, Timed

# The length of an MP4 fragment in microseconds, and of a Matroska cluster in
# milliseconds: so much may be lost when the process is killed.
_FRAGMENT = "1000000"
_CLUSTER = "1000"

# Sample entries (ISO/IEC 14496-15) of tracks whose parameter sets are in the frames
# too, and may change; and those of tracks whose parameter sets stay what they are in
# the header: Apple's players require hvc1.
_SAMPLE_ENTRIES = {"h264": (b"avc3", b"avc1"), "hevc": (b"hev1", b"hvc1")}
_CODES = frozenset(code for codes in _SAMPLE_ENTRIES.values() for code in codes)

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
        is_mp4: whether it has sample entries and an index (ISO/IEC 14496-12).
    """

    format: str
    suffix: str
    codecs: frozenset[str] | None
    options: Mapping[str, str]
    is_mp4: bool = False


# A fragmented MP4 file; when it is closed, it gets an index and is an ordinary one.
_MP4 = Container(
    "mp4",
    "mp4",
    frozenset({"h264", "h265", "av1", "vp9", "opus", "multiopus"}),
    {
        "movflags": "empty_moov+delay_moov+default_base_moof+hybrid_fragmented",
        "frag_duration": _FRAGMENT,
    },
    is_mp4=True,
)
_WEBM = Container(
    "webm",
    "webm",
    frozenset({"vp8", "vp9", "av1", "opus", "multiopus"}),
    {"cluster_time_limit": _CLUSTER},
)
_MATROSKA = Container("matroska", "mkv", None, {"cluster_time_limit": _CLUSTER})

# By the suffix of file names.
CONTAINERS: Mapping[str, Container] = MappingProxyType(
    {container.suffix: container for container in (_MP4, _WEBM, _MATROSKA)}
)


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
            OSError: when that fails; the file is then as it was before. So does a file
                that was removed.
        """
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        if self.is_abandoned or not data:
            return
        if not os.fstat(self._descriptor).st_nlink:
            # Nobody will find what is written to it.
            self.is_abandoned = True
            raise FileNotFoundError(errno.ENOENT, "the file was removed")
        before = self.size
        try:
            while data:
                count = write_at(self._descriptor, data, self._position)
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
        descriptor: the descriptor of an empty file, for reading and writing;
            :meth:`close` closes it.
        container: the container format.
    """

    def __init__(self, descriptor: int, container: Container) -> None:
        self.container = container
        self._descriptor = descriptor
        self._output = _Output(descriptor)
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
        self._order: PictureOrder[tuple[bytes, bool]] = PictureOrder()
        # The position of the last frame of audio.
        self._heard = -1
        # The code of the video's sample entry, and its offset when that is known.
        self._entry: bytes | None = None
        self._entry_offset: int | None = None
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
        entries = _SAMPLE_ENTRIES.get(stream.codec_context.name)
        if entries is not None and self.container.is_mp4:
            written, self._entry = entries
            # FFmpeg takes the parameter sets out of the frames of an hvc1 track.
            track.codec_context.codec_tag = written.decode()
        if rotation:
            assert isinstance(track, VideoStream)
            track.set_display_rotation(-rotation)
        self._tracks[kind] = track, tick

    @property
    def has_fixed_sets(self) -> bool:
        """Whether parameter sets are in the header of the file only."""
        return self._entry == b"hvc1"

    def allow_changes(self) -> None:
        """From now on, the parameter sets in frames may differ from the header's.

        Raises:
            OSError: when the file cannot be written.
        """
        if self._entry in (b"avc1", b"hvc1"):
            self._entry = next(
                written
                for written, fixed in _SAMPLE_ENTRIES.values()
                if fixed == self._entry
            )
            self._write_entry()

    def write_audio(self, data: bytes, position: int, duration: int) -> None:
        """Write a frame of audio.

        Args:
            data: the frame, as returned by ``join``.
            position: its presentation time from the beginning of the file, in ticks
                of the clock rate; it is moved behind that of the frame before.
            duration: its duration in ticks.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg rejects the frame.
        """
        position = self._heard = max(position, self._heard + 1)
        self._mux("audio", data, position, position, duration, True)

    def write_picture(
        self, data: bytes, position: int, is_key: bool, depth: int
    ) -> None:
        """Write a picture; pictures come in decoding order.

        Args:
            data: the picture, as returned by ``join``.
            position: its presentation time from the beginning of the file, in ticks
                of the clock rate.
            is_key: whether a decoder can start at it.
            depth: how far the order may change (see :class:`PictureOrder`).

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg rejects the picture.
        """
        self._order.depth = depth
        self._write_pictures(self._order.push((data, is_key), position))

    def close(self) -> None:
        """Write what is buffered and the index, and close the file.

        Raises:
            OSError: when the file cannot be written.
            av.FFmpegError: when FFmpeg fails.
        """
        try:
            try:
                with contextlib.suppress(av.error.InvalidDataError):
                    self._write_pictures(self._order.flush())
                for packet in self._last.values():
                    with contextlib.suppress(av.error.InvalidDataError):
                        self._muxer.mux(packet)
            finally:
                # A frame that waited for the other track may be rejected now; the
                # rest of the file is written all the same.
                with contextlib.suppress(av.error.InvalidDataError):
                    self._muxer.close()
                self._output.flush()
            # It is in another index now.
            self._entry_offset = None
            self._write_entry()
        finally:
            os.close(self._descriptor)

    def _write_pictures(self, pictures: Iterable[Timed[tuple[bytes, bool]]]) -> None:
        for timed in pictures:
            data, is_key = timed.item
            self._mux("video", data, timed.pts, timed.dts, timed.duration, is_key)

    def _mux(
        self, kind: str, data: bytes, pts: int, dts: int, duration: int, is_key: bool
    ) -> None:
        packet = Packet(data)
        # FFmpeg converts to the time base of the file.
        packet.stream, packet.time_base = self._tracks[kind]
        packet.pts, packet.dts = pts, dts
        packet.duration = duration
        packet.is_keyframe = is_key
        before, self._last[kind] = self._last.get(kind), packet
        if before is None:
            return
        before.duration = dts - (before.dts or 0)
        self._muxer.mux(before)
        self._output.flush()
        if self._entry is not None and self._entry_offset is None:
            self._write_entry()

    def _write_entry(self) -> None:
        """Write the code of the video track's sample entry into the index."""
        if self._entry is None or self._output.is_abandoned:
            return
        if self._entry_offset is None:
            self._entry_offset = sample_entry(self._descriptor, _CODES)
        if self._entry_offset is not None:
            write_at(self._descriptor, self._entry, self._entry_offset)
