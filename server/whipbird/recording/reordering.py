"""Decoding times of pictures that come in decoding order, and are shown in another.

RTP has presentation times only (RFC 6184 section 5.1). Containers want decoding times
too, which increase, and are never later than the presentation times.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..rtp.bits import BitstreamError
from ..rtp.codecs import h264_sps, h265
from ..rtp.codecs.nal import MAX_REORDER_DEPTH
from .templates import nal_units

T = TypeVar("T")

_H264_SPS, _H265_SPS = 7, 33


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A picture with its times, in ticks.

    Attributes:
        pts, dts: when it is presented, and when it is decoded; ``dts <= pts``.
        duration: from its presentation to that of the next picture; an estimate if
            that is not known yet.
    """

    item: T
    pts: int
    dts: int
    duration: int


class PictureOrder(Generic[T]):
    """Derives decoding times from presentation times.

    A picture waits for as many pictures after it as may be shown before it, and no
    longer. Its decoding time divides the time up to the earliest presentation among
    them.

    Attributes:
        depth: the number of pictures that may precede any picture in decoding order,
            and follow it in presentation order (max_num_reorder_frames, H.264 section
            E.2.1). 0 if pictures are shown as they come.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._held: deque[tuple[int, T]] = deque()
        self._decoded: int | None = None
        # Presentation times of the last pictures.
        self._shown: deque[int] = deque(maxlen=MAX_REORDER_DEPTH)
        self._duration = 0

    def push(self, item: T, pts: int) -> Iterator[Timed[T]]:
        """Add the next picture; returns those whose times are known now."""
        self._held.append((pts, item))
        while len(self._held) > self.depth:
            yield self._next()

    def flush(self) -> Iterator[Timed[T]]:
        """The pictures that still wait: no other picture will come."""
        while self._held:
            yield self._next()

    def _next(self) -> Timed[T]:
        times = [pts for pts, _ in self._held]
        pts, item = self._held.popleft()
        earliest = min(times)
        count = times.index(earliest) + 1
        if self._decoded is None:
            dts = earliest - count + 1
        else:
            # At least one tick: even if the stream breaks its own promise.
            dts = self._decoded + max((earliest - self._decoded) // count, 1)
        self._decoded = dts
        pts = max(pts, dts)
        following = [time for time in (*times, *self._shown) if time > pts]
        if following:
            self._duration = min(following) - pts
        elif not self.depth and self._shown:
            self._duration = pts - self._shown[-1]
        self._shown.append(pts)
        return Timed(item, pts, dts, self._duration)


def reorder_depth(encoding_name: str, frame: bytes) -> int | None:
    """How far the order of pictures may change, by the SPS in a frame.

    Args:
        frame: an access unit in byte stream format (annex B).

    Returns:
        The ``depth`` of :class:`PictureOrder`; None without a valid SPS.
    """
    if encoding_name not in ("h264", "h265"):
        return 0
    for unit in nal_units(frame):
        try:
            if encoding_name == "h264" and unit[0] & 0x1F == _H264_SPS:
                return min(h264_sps.reorder_depth(unit[1:]), MAX_REORDER_DEPTH)
            if encoding_name == "h265" and unit[0] >> 1 & 0x3F == _H265_SPS:
                return min(h265.reorder_depth(unit[2:]), MAX_REORDER_DEPTH)
        except BitstreamError:
            continue
    return None
