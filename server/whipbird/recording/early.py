"""Audio that no file can take yet: the first picture of its file has not come."""

from collections import deque

from ..sdp.codecs import Codec
from .segments import PlacedFrame

# Octets of memory that it may use; the cost of a frame in addition to its data.
MAX_OCTETS = 8 * 1024 * 1024
FRAME_COST = 512


class EarlyAudio:
    """Frames of audio in their order; of too many, the first ones are dropped."""

    def __init__(self) -> None:
        self._frames: deque[tuple[PlacedFrame, bytes]] = deque()
        self._octets = 0

    @property
    def first(self) -> PlacedFrame | None:
        """The first frame; None without any."""
        return self._frames[0][0] if self._frames else None

    @property
    def last(self) -> PlacedFrame | None:
        """The last frame; None without any."""
        return self._frames[-1][0] if self._frames else None

    def first_of(self, codec: Codec | None) -> PlacedFrame | None:
        """The first frame of a codec; None without any."""
        of_codec = (f for f, _ in self._frames if f.frame.codec == codec)
        return next(of_codec, None)

    def seconds(self, now: PlacedFrame) -> float:
        """How long the first frame has waited."""
        return 0.0 if self.first is None else now.seconds - self.first.seconds

    def add(self, placed: PlacedFrame, data: bytes) -> int:
        """Keep a frame.

        Returns:
            The number of frames that were dropped for it.
        """
        self._frames.append((placed, data))
        self._octets += FRAME_COST + len(data)
        dropped = 0
        while self._octets > MAX_OCTETS:
            _, first = self._frames.popleft()
            self._octets -= FRAME_COST + len(first)
            dropped += 1
        return dropped

    def take(self) -> list[tuple[PlacedFrame, bytes]]:
        """Remove and return all frames, with their data."""
        frames = list(self._frames)
        self._frames.clear()
        self._octets = 0
        return frames
