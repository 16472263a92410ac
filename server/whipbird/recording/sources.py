"""Selects the encoding of a track to record, and assembles its frames."""

import asyncio
from collections.abc import Callable

from ..media.encoding import Encoding
from ..media.frames import FrameAssembler, RtpFrame
from ..media.track import Track
from ..rtp.extensions import VIDEO_ORIENTATION
from ..rtp.packet import RtpPacket

# Seconds to wait for all encodings of a simulcast.
_SETTLING = 1.0
# Seconds before switching to a larger encoding: it may soon end again.
_PATIENCE = 3.0

FrameHandler = Callable[[RtpFrame, Encoding], None]


class _EncodingReader:
    """Assembles the frames of one encoding."""

    def __init__(
        self,
        encoding: Encoding,
        on_frame: Callable[["_EncodingReader", RtpFrame], None],
        orientation: int,
    ) -> None:
        self.encoding = encoding
        self._now = asyncio.get_running_loop().time
        self._assembler = FrameAssembler(
            lambda frame: on_frame(self, frame),
            encoding.request_key_frame,
            orientation,
        )
        encoding.subscribe(self._push)
        encoding.request_key_frame()

    @property
    def left_out(self) -> int:
        return self._assembler.left_out

    def stop(self) -> None:
        self.encoding.unsubscribe(self._push)

    def finish(self) -> None:
        """Pass on the last frame, if it is complete: nothing follows it."""
        self._assembler.finish()

    def flush_idle(self) -> None:
        """Pass on the last frame if nothing has followed it for some time."""
        self._assembler.flush_idle(self._now())

    def _push(self, packet: RtpPacket) -> None:
        self._assembler.push(packet, self.encoding.codec, self._now())


class TrackSource:
    """The frames of a track: with simulcast, those of its largest encoding.

    It switches to another encoding, at a key frame, when the current one is silent or
    has ended, or when a larger one has been received for some seconds.

    Args:
        track: the track.
        on_frame: called with each frame and its encoding.

    Attributes:
        encoding: the encoding whose frames are passed on; None before the first.
    """

    def __init__(self, track: Track, on_frame: FrameHandler) -> None:
        self.encoding: Encoding | None = None
        self._track = track
        self._on_frame = on_frame
        self._now = asyncio.get_running_loop().time
        self._settled: float | None = None
        self._reader: _EncodingReader | None = None
        # The reader that replaces it at its first key frame.
        self._next: _EncodingReader | None = None
        # A larger encoding, and since when it is known.
        self._larger: tuple[Encoding, float] | None = None
        self._has_begun = False
        self._left_out = 0
        track.on_encodings_changed.append(self.follow)
        self.follow()

    @property
    def left_out(self) -> int:
        """Video frames left out for missing packets, since the first key frame."""
        if not self._has_begun:
            return 0
        return self._left_out + sum(r.left_out for r in (self._reader, self._next) if r)

    def request_key_frame(self) -> None:
        """Request a key frame of the current encoding."""
        if self.encoding is not None:
            self.encoding.request_key_frame()

    def stop(self) -> None:
        """Stop passing on frames."""
        self._track.on_encodings_changed.remove(self.follow)
        for reader in (self._reader, self._next):
            if reader is not None:
                reader.finish()
                self._end(reader)
        self._reader = self._next = None

    def follow(self) -> None:
        """Select the best encoding; call it about twice a second."""
        for reader in (self._reader, self._next):
            if reader is not None:
                reader.flush_idle()
        encoding = self._best()
        current = self._next or self._reader
        if encoding is None or (current is not None and encoding is current.encoding):
            self._larger = None
            return
        if not self._is_urgent():
            if self._larger is None or self._larger[0] is not encoding:
                self._larger = encoding, self._now()
            if self._now() - self._larger[1] < _PATIENCE:
                return
        self._larger = None
        if self._next is not None:
            self._end(self._next)
            self._next = None
        if self._reader is not None and self._reader.encoding is encoding:
            return
        if self.encoding is None:
            self.encoding = encoding
        self._next = _EncodingReader(
            encoding, self._on_reader_frame, orientation_of(self._track)
        )

    def _best(self) -> Encoding | None:
        encodings = self._track.encodings
        if encodings and encodings[-1].rid is not None:
            if self._settled is None:
                self._settled = self._now() + _SETTLING
            if self._now() < self._settled:
                return None
        return largest(self._track)

    def _is_urgent(self) -> bool:
        """Whether the current encoding is silent or has ended."""
        if self._reader is None or self._reader.encoding.rid is None:
            return True
        encoding = self._reader.encoding
        is_silent = encoding.is_silent(self._now())
        return is_silent or encoding not in self._track.encodings

    def _on_reader_frame(self, reader: _EncodingReader, frame: RtpFrame) -> None:
        if reader is self._next:
            if self._reader is not None:
                self._end(self._reader)
            self._reader, self._next = reader, None
            self.encoding = reader.encoding
            if not self._has_begun:
                self._has_begun = True
                self._left_out = -reader.left_out
        self._on_frame(frame, reader.encoding)

    def _end(self, reader: _EncodingReader) -> None:
        reader.stop()
        self._left_out += reader.left_out


def orientation_of(track: Track) -> int:
    """The identifier of its video orientation header extension; 0 if there is none."""
    return track.extension_map.get(VIDEO_ORIENTATION, 0)


def largest(track: Track) -> Encoding | None:
    """The encoding with the largest picture; without simulcast, the only one.

    Silent encodings count only if all are silent. None if there are no encodings.
    """
    now = asyncio.get_running_loop().time()
    encodings = track.encodings
    live = [x for x in encodings if not x.is_silent(now)] or encodings
    if not live or live[-1].rid is None:
        return live[-1] if live else None
    return max(live, key=_size)


def _size(encoding: Encoding) -> tuple[int, float]:
    """A sort key: the pixels of an encoding, then its bitrate."""
    parameters = encoding.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, encoding.bitrate
