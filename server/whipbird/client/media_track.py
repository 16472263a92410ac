"""Encoded frames as aiortc takes them: each when its time has come."""

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from .media import EncodedFrame, Kind
from .pipelines import AnyPacket

# Seconds that a picture may be late before it is rather not encoded ...
MAX_LATE = 0.5
# ... and anything before the clock is put back: after a machine has slept, or when it
# is too slow, what is late must not be sent all at once.
MAX_LAG = 1.0


class MediaClock:
    """Seconds since the first frame of any track was given away."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._origin: float | None = None
        self._started = asyncio.Event()

    def start(self) -> None:
        """Begin, if it has not begun yet."""
        if self._origin is None:
            self._origin = self._now()
            self._started.set()

    @property
    def elapsed(self) -> float:
        """Seconds; from any thread. 0 before the start."""
        return 0.0 if self._origin is None else self._now() - self._origin

    def is_late(self, due: Fraction) -> bool:
        """Whether what is due at this second is too late to be encoded."""
        return self.elapsed - due > MAX_LATE

    async def wait_until(self, due: float) -> None:
        """Wait until a second has come; those before the first are long past."""
        if due <= 0:
            return
        await self._started.wait()
        # Again, since the clock may be put back meanwhile.
        while (left := due - self.elapsed) > 0:  # noqa: ASYNC110 - no event
            await asyncio.sleep(left)

    async def wait_for(self, due: float) -> None:
        """Wait until something is due; when that is long past, put the clock back."""
        await self.wait_until(due)
        late = self.elapsed - due
        if self._origin is not None and late > MAX_LAG:
            self._origin += late


class MediaTrack(MediaStreamTrack):
    """A track of encoded frames, in real time.

    Attributes:
        frames: how many were given away.
        filled_to: the second up to which it has frames.
    """

    def __init__(self, kind: Kind, clock: MediaClock) -> None:
        super().__init__()
        self.kind = kind
        self.frames = 0
        self.filled_to = 0.0
        self._clock = clock
        self._queue: asyncio.Queue[EncodedFrame | None] = asyncio.Queue()
        self._ended = asyncio.Event()

    def put(self, frame: EncodedFrame) -> None:
        """Add a frame."""
        self.filled_to = frame.end
        self._queue.put_nowait(frame)

    def finish(self) -> None:
        """There are no more frames."""
        self._queue.put_nowait(None)

    async def ended(self) -> None:
        """Wait until all its frames are given away."""
        await self._ended.wait()

    async def recv(self) -> AnyPacket:
        """The next frame, when its time has come.

        Raises:
            MediaStreamError: when there are no more.
        """
        if self.readyState != "live":
            raise MediaStreamError
        frame = await self._queue.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        self._clock.start()
        await self._clock.wait_for(frame.time)
        self.frames += 1
        packet: AnyPacket = Packet(frame.data)
        packet.pts = frame.timestamp
        packet.time_base = Fraction(1, frame.clock_rate)
        return packet

    def stop(self) -> None:
        """End the track."""
        super().stop()
        self._ended.set()
