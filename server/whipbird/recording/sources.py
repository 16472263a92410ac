"""The encoding of a track that is recorded, and its frames."""

import asyncio
from collections.abc import Callable

from ..rtc import Layer, Receiver
from ..rtp.extensions import VIDEO_ORIENTATION
from ..rtp.packet import RtpPacket
from .frames import FrameAssembler, RtpFrame

# Seconds in which the layers of simulcast may show themselves.
_SETTLING = 1.0
# Seconds after which a layer that is silent gives way to others.
_SILENCE = 2.0
# Seconds that a larger layer must have been there: it may soon be gone again.
_PATIENCE = 3.0

TakeFrame = Callable[[RtpFrame, Layer], None]


class _Feed:
    """One layer's frames."""

    def __init__(
        self,
        layer: Layer,
        take: Callable[["_Feed", RtpFrame], None],
        orientation: int,
    ) -> None:
        self.layer = layer
        self._now = asyncio.get_running_loop().time
        self._assembler = FrameAssembler(
            lambda frame: take(self, frame), layer.request_key_frame, orientation
        )
        layer.subscribe(self._push)
        layer.request_key_frame()

    @property
    def left_out(self) -> int:
        return self._assembler.left_out

    def stop(self) -> None:
        self.layer.unsubscribe(self._push)

    def _push(self, packet: RtpPacket) -> None:
        self._assembler.push(packet, self.layer.codec, self._now())


class TrackSource:
    """The frames of what a receiver gets: of its largest layer, with simulcast.

    When that is silent or has gone, another takes its place, from a key frame on; when
    a larger one has been there for some seconds, too.

    Args:
        receiver: of the track.
        take: is given the frames, and the layer that each is of.

    Attributes:
        layer: the one whose frames are given out; None before the first.
    """

    def __init__(self, receiver: Receiver, take: TakeFrame) -> None:
        self.layer: Layer | None = None
        self._receiver = receiver
        self._take = take
        self._now = asyncio.get_running_loop().time
        self._settled: float | None = None
        self._feed: _Feed | None = None
        # What takes its place as soon as it has a key frame.
        self._next: _Feed | None = None
        # What is larger, and since when.
        self._larger: tuple[Layer, float] | None = None
        self._has_begun = False
        self._left_out = 0
        receiver.on_layers.append(self.follow)
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
        """Ask for a key frame of the layer that is given out."""
        if self.layer is not None:
            self.layer.request_key_frame()

    def stop(self) -> None:
        """Give out no more frames."""
        self._receiver.on_layers.remove(self.follow)
        for feed in (self._feed, self._next):
            if feed is not None:
                self._end(feed)
        self._feed = self._next = None

    def follow(self) -> None:
        """See which layer is the best now; to be called about twice a second."""
        layer = self._best()
        current = self._next or self._feed
        if layer is None or (current is not None and layer is current.layer):
            self._larger = None
            return
        if not self._is_urgent():
            if self._larger is None or self._larger[0] is not layer:
                self._larger = layer, self._now()
            if self._now() - self._larger[1] < _PATIENCE:
                return
        self._larger = None
        if self._next is not None:
            self._end(self._next)
            self._next = None
        if self._feed is not None and self._feed.layer is layer:
            return
        if self.layer is None:
            self.layer = layer
        self._next = _Feed(layer, self._took, orientation_of(self._receiver))

    def _best(self) -> Layer | None:
        layers = self._receiver.layers
        if layers and layers[-1].rid is not None:
            if self._settled is None:
                self._settled = self._now() + _SETTLING
            if self._now() < self._settled:
                return None
        return largest(self._receiver)

    def _is_urgent(self) -> bool:
        """Whether the layer that is given out is of no use any more."""
        if self._feed is None or self._feed.layer.rid is None:
            return True
        layer = self._feed.layer
        is_silent = self._now() - layer.heard_at >= _SILENCE
        return is_silent or layer not in self._receiver.layers

    def _took(self, feed: _Feed, frame: RtpFrame) -> None:
        if feed is self._next:
            if self._feed is not None:
                self._end(self._feed)
            self._feed, self._next = feed, None
            self.layer = feed.layer
            if not self._has_begun:
                self._has_begun = True
                self._left_out = -feed.left_out
        self._take(frame, feed.layer)

    def _end(self, feed: _Feed) -> None:
        feed.stop()
        self._left_out += feed.left_out


def orientation_of(receiver: Receiver) -> int:
    """The identifier of what says how its pictures are to be turned; 0 for none."""
    return receiver.identifiers.get(VIDEO_ORIENTATION, 0)


def largest(receiver: Receiver) -> Layer | None:
    """The layer with the largest picture, or the newest of what is no simulcast.

    Those that are silent do not count while others are not. None before the first.
    """
    now = asyncio.get_running_loop().time()
    layers = receiver.layers
    live = [x for x in layers if now - x.heard_at < _SILENCE] or layers
    if not live or live[-1].rid is None:
        return live[-1] if live else None
    return max(live, key=_size)


def _size(layer: Layer) -> tuple[int, float]:
    """What there is to be seen of a layer."""
    parameters = layer.parameters
    pixels = 0 if parameters is None else parameters.width * parameters.height
    return pixels, layer.bitrate
