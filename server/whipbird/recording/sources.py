"""The encoding of a track that is recorded, and its frames."""

import asyncio
from collections.abc import Callable

from ..rtc import Encoding, Receiver
from ..rtp.extensions import VIDEO_ORIENTATION
from ..rtp.packet import RtpPacket
from .frames import FrameAssembler, RtpFrame

# Seconds in which the encodings of simulcast may show themselves.
_SETTLING = 1.0
# Seconds after which an encoding that is silent gives way to others.
_SILENCE = 2.0
# Seconds that a larger encoding must have been there: it may soon be gone again.
_PATIENCE = 3.0

TakeFrame = Callable[[RtpFrame, Encoding], None]


class _Feed:
    """One encoding's frames."""

    def __init__(
        self,
        encoding: Encoding,
        take: Callable[["_Feed", RtpFrame], None],
        orientation: int,
    ) -> None:
        self.encoding = encoding
        self._now = asyncio.get_running_loop().time
        self._assembler = FrameAssembler(
            lambda frame: take(self, frame), encoding.request_key_frame, orientation
        )
        encoding.subscribe(self._push)
        encoding.request_key_frame()

    @property
    def left_out(self) -> int:
        return self._assembler.left_out

    def stop(self) -> None:
        self.encoding.unsubscribe(self._push)

    def _push(self, packet: RtpPacket) -> None:
        self._assembler.push(packet, self.encoding.codec, self._now())


class TrackSource:
    """The frames of what a receiver gets: of its largest encoding, with simulcast.

    When that is silent or has gone, another takes its place, from a key frame on; when
    a larger one has been there for some seconds, too.

    Args:
        receiver: of the track.
        take: is given the frames, and the encoding that each is of.

    Attributes:
        encoding: the one whose frames are given out; None before the first.
    """

    def __init__(self, receiver: Receiver, take: TakeFrame) -> None:
        self.encoding: Encoding | None = None
        self._receiver = receiver
        self._take = take
        self._now = asyncio.get_running_loop().time
        self._settled: float | None = None
        self._feed: _Feed | None = None
        # What takes its place as soon as it has a key frame.
        self._next: _Feed | None = None
        # What is larger, and since when.
        self._larger: tuple[Encoding, float] | None = None
        self._has_begun = False
        self._left_out = 0
        receiver.on_encodings_changed.append(self.follow)
        self.follow()

    @property
    def left_out(self) -> int:
        """Frames of video that were not given out, because packets are missing.

        Those before the first key frame do not count: it has not begun yet.
        """
        if not self._has_begun:
            return 0
        return self._left_out + sum(f.left_out for f in (self._feed, self._next) if f)

    def request_key_frame(self) -> None:
        """Ask for a key frame of the encoding that is given out."""
        if self.encoding is not None:
            self.encoding.request_key_frame()

    def stop(self) -> None:
        """Give out no more frames."""
        self._receiver.on_encodings_changed.remove(self.follow)
        for feed in (self._feed, self._next):
            if feed is not None:
                self._end(feed)
        self._feed = self._next = None

    def follow(self) -> None:
        """See which encoding is the best now; to be called about twice a second."""
        encoding = self._best()
        current = self._next or self._feed
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
        if self._feed is not None and self._feed.encoding is encoding:
            return
        if self.encoding is None:
            self.encoding = encoding
        self._next = _Feed(encoding, self._took, orientation_of(self._receiver))

    def _best(self) -> Encoding | None:
        encodings = self._receiver.encodings
        if encodings and encodings[-1].rid is not None:
            if self._settled is None:
                self._settled = self._now() + _SETTLING
            if self._now() < self._settled:
                return None
        return largest(self._receiver)

    def _is_urgent(self) -> bool:
        """Whether the encoding that is given out is of no use any more."""
        if self._feed is None or self._feed.encoding.rid is None:
            return True
        encoding = self._feed.encoding
        is_silent = self._now() - encoding.last_packet_at >= _SILENCE
        return is_silent or encoding not in self._receiver.encodings

    def _took(self, feed: _Feed, frame: RtpFrame) -> None:
        if feed is self._next:
            if self._feed is not None:
                self._end(self._feed)
            self._feed, self._next = feed, None
            self.encoding = feed.encoding
            if not self._has_begun:
                self._has_begun = True
                self._left_out = -feed.left_out
        self._take(frame, feed.encoding)

    def _end(self, feed: _Feed) -> None:
        feed.stop()
        self._left_out += feed.left_out


def orientation_of(receiver: Receiver) -> int:
    """The identifier of what says how its pictures are to be turned; 0 for none."""
    return receiver.extension_map.get(VIDEO_ORIENTATION, 0)


def largest(receiver: Receiver) -> Encoding | None:
    """The encoding with the largest picture, or the newest of what is no simulcast.

    Those that are silent do not count while others are not. None before the first.
    """
    now = asyncio.get_running_loop().time()
    encodings = receiver.encodings
    live = [x for x in encodings if now - x.last_packet_at < _SILENCE] or encodings
    if not live or live[-1].rid is None:
        return live[-1] if live else None
    return max(live, key=_size)


def _size(encoding: Encoding) -> tuple[int, float]:
    """What there is to be seen of an encoding."""
    parameters = encoding.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, encoding.bitrate
