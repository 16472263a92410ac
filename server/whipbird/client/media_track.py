"""An aiortc track that sends encoded frames in real time."""

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from ..rtc.sender import PacedTrack
from .media import EncodedFrame, Kind
from .pipelines import AnyPacket

# A picture that is so many seconds late is not encoded.
MAX_LATE = 0.5
# When a frame is so many seconds late, the clock is set back: after a machine has
# slept, or when it is too slow, late frames must not be sent all at once.
MAX_LAG = 1.0


class MediaClock:
    """The clock of a publication: seconds since the first frame of any track."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._origin: float | None = None
        self._started = asyncio.Event()

    def start(self) -> None:
        """Start the clock, if it is not running yet."""
        if self._origin is None:
            self._origin = self._now()
            self._started.set()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, or 0 before it; from any thread."""
        return 0.0 if self._origin is None else self._now() - self._origin

    def is_late(self, due: Fraction) -> bool:
        """Whether it is too late to encode a picture that is due at this time."""
        return self.elapsed - due > MAX_LATE

    async def wait_until(self, due: float) -> None:
        """Wait until a time in seconds; return at once for 0 and before."""
        if due <= 0:
            return
        await self._started.wait()
        # In a loop, since the clock may be set back meanwhile.
        while (left := due - self.elapsed) > 0:  # noqa: ASYNC110 - no event
            await asyncio.sleep(left)

    async def wait_for(self, due: float) -> float:
        """Wait until a time; if it is more than MAX_LAG ago, set the clock back.

        Returns:
            How many seconds ago it was, by the clock as it is now.
        """
        await self.wait_until(due)
        late = max(0.0, self.elapsed - due)
        if self._origin is not None and late > MAX_LAG:
            self._origin += late
            late = 0.0
        return late


class MediaTrack(PacedTrack):
    """A track of encoded frames, in real time.

    Attributes:
        frames: frames sent so far.
        filled_to: the time up to which it has frames, in seconds.
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
        """Queue a frame."""
        self.filled_to = frame.end
        self._queue.put_nowait(frame)

    def finish(self) -> None:
        """End the track after the queued frames."""
        self._queue.put_nowait(None)

    async def ended(self) -> None:
        """Wait until all its frames are sent."""
        await self._ended.wait()

    async def recv(self) -> AnyPacket:
        """Wait until the next frame is due, and return it.

        Raises:
            MediaStreamError: when there are no more frames.
        """
        if self.readyState != "live":
            raise MediaStreamError
        frame = await self._queue.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        self._clock.start()
        self.late = await self._clock.wait_for(frame.time)
        self.frames += 1
        packet: AnyPacket = Packet(frame.data)
        packet.pts = frame.timestamp
        packet.time_base = Fraction(1, frame.clock_rate)
        return packet

    def stop(self) -> None:
        """End the track."""
        super().stop()
        self._ended.set()
