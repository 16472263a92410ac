"""Media that costs a publisher nothing: encoded once, sent by all, again and again."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from fractions import Fraction

from ..client.media import EncodedFrame, StreamInfo
from ..client.pattern import Pattern

# Seconds that are encoded: from one key frame to the next.
LENGTH = 2

_SIZE = (640, 360)
_RATE = 30
_BITRATE = 1_000_000


def encode_once() -> "Repeated":
    """Two seconds of the test pattern with sound; this takes a part of a second."""
    pattern = Pattern(_SIZE, _RATE, "H264", _BITRATE)
    frames: list[EncodedFrame] = []
    ended: set[str] = set()
    for frame in pattern.frames(lambda _: False):
        if frame.time < LENGTH:
            frames.append(frame)
        else:
            ended.add(frame.kind)
        if len(ended) == len(pattern.streams):
            break
    return Repeated(pattern.streams, frames)


class Repeated:
    """Frames that are sent without end (a ``MediaSource``).

    Args:
        streams: the streams that the frames belong to.
        frames: ``LENGTH`` seconds of frames; the video begins with a key frame.
    """

    name = "test pattern"
    damaged = 0
    skipped = 0

    def __init__(
        self, streams: tuple[StreamInfo, ...], frames: Sequence[EncodedFrame]
    ) -> None:
        self.streams = streams
        self._frames = frames

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames, without end."""
        seconds = 0
        while True:
            for frame in self._frames:
                offset = seconds * frame.clock_rate
                yield replace(frame, timestamp=frame.timestamp + offset)
            seconds += LENGTH

    def request_key_frame(self) -> None:
        """Do nothing: a key frame comes every ``LENGTH`` seconds."""
