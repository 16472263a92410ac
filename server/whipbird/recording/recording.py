"""One publisher's stream, as it is kept on disk."""

import asyncio
import contextlib
import enum
import logging
from datetime import UTC, datetime
from functools import partial

from ..rtc import Encoding
from ..sdp.codecs import Codec
from ..streams import Stream
from .files import RecordingFolder
from .frames import RtpFrame
from .segments import PlacedFrame, SegmentLimits
from .sources import TrackSource
from .timeline import Timeline, TrackClock
from .worker import RecordingWorker
from .writer import SegmentWriter

logger = logging.getLogger(__name__)

# Seconds between looks at the encodings.
_LOOK_INTERVAL = 0.5
# Seconds in which all tracks may show themselves, before a file is begun without one;
# and how many frames are kept meanwhile.
_GATHERING = 2.0
_MAX_GATHERED = 1000


class RecordingState(enum.StrEnum):
    """How a recording is."""

    WAITING = "waiting"
    RECORDING = "recording"
    FAILED = "failed"
    ENDED = "ended"


class Recording:
    """Keeps what a publisher sends, from the next key frame on.

    Args:
        stream: what is recorded.
        folder: where the files are made.
        limits: of one file.

    Attributes:
        stream: what is recorded.
        started: when it was begun.
        problem: why it has failed; None while it has not.
    """

    def __init__(
        self, stream: Stream, folder: RecordingFolder, limits: SegmentLimits
    ) -> None:
        self.stream = stream
        self.started = datetime.now(UTC)
        self.problem: str | None = None
        self._loop = asyncio.get_running_loop()
        self._timeline = Timeline(self._loop.time())
        self._is_stopped = self._has_ended = False
        self._clocks: dict[str, tuple[TrackClock, Encoding]] = {}
        self._tracks: dict[str, Codec] = {}
        self._gathered: list[tuple[str, RtpFrame, int]] | None = []
        self.writer = SegmentWriter(folder, stream.name, limits, self._request_soon)
        self.worker = RecordingWorker(
            self.writer, stream.name, self._fail, self._request_key_frame
        )
        self._sources: dict[str, TrackSource] = {}
        for receiver in stream.peer.receivers:
            take = partial(self._take, receiver.kind)
            self._sources[receiver.kind] = TrackSource(receiver, take)
        self._timer = self._loop.call_later(_LOOK_INTERVAL, self._look)

    @property
    def state(self) -> RecordingState:
        """How it is."""
        if self.problem is not None:
            return RecordingState.FAILED
        if self._has_ended:
            return RecordingState.ENDED
        if self.writer.file is None:
            return RecordingState.WAITING
        return RecordingState.RECORDING

    @property
    def left_out(self) -> int:
        """Frames that came and are in no file: damaged, or too much for the disk."""
        sources = sum(source.left_out for source in self._sources.values())
        return sources + self.worker.dropped + self.writer.unusable

    async def close(self) -> None:
        """End it, and wait until all that came is in the file."""
        self._stop()
        self._begin()
        await self.worker.close()
        self._has_ended = True

    def give_up(self) -> None:
        """The disk takes too long: its thread is left to itself."""
        self._fail("The disk is too slow to end the file")

    def _stop(self) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self._timer.cancel()
        for source in self._sources.values():
            source.stop()

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._stop()
        logger.warning("Recording of %s has ended: %s", self.stream.name, problem)

    # Frames

    def _take(self, kind: str, frame: RtpFrame, encoding: Encoding) -> None:
        position = self._place(kind, frame, encoding)
        if self._tracks.get(kind) is not frame.codec:
            self._tracks = {**self._tracks, kind: frame.codec}
        if self._gathered is None:
            self._put(kind, frame, position)
            return
        self._gathered.append((kind, frame, position))
        if self._has_all() or len(self._gathered) >= _MAX_GATHERED:
            self._begin()

    def _place(self, kind: str, frame: RtpFrame, encoding: Encoding) -> int:
        clock, last = self._clocks.get(kind, (None, None))
        rate = frame.codec.clock_rate
        if clock is None or clock.rate != rate:
            clock = TrackClock(self._timeline, rate, is_reference=kind == "audio")
        elif encoding is not last:
            clock.restart()
        self._clocks[kind] = clock, encoding
        return clock.place(
            frame.timestamp, frame.arrival, encoding.reception.sender_clock
        )

    def _put(self, kind: str, frame: RtpFrame, position: int) -> None:
        self.worker.put(PlacedFrame(kind, frame, position, self._tracks))

    def _has_all(self) -> bool:
        """Whether every track has shown itself."""
        return all(source.encoding is not None for source in self._sources.values())

    def _begin(self) -> None:
        """Give on what came while the tracks were not all known."""
        gathered, self._gathered = self._gathered or [], None
        for kind, source in self._sources.items():
            encoding = source.encoding
            # What is silent is not waited for: a camera may be off for hours.
            if (
                encoding is not None
                and self._loop.time() - encoding.last_packet_at < _GATHERING
            ):
                self._tracks = {**self._tracks, kind: encoding.codec}
        for kind, frame, position in gathered:
            self._put(kind, frame, position)

    def _look(self) -> None:
        """Follow the encodings, and the time."""
        for source in self._sources.values():
            source.follow()
        if self._gathered:
            _, first, _ = self._gathered[0]
            if self._loop.time() - first.arrival >= _GATHERING:
                self._begin()
        self._timer = self._loop.call_later(_LOOK_INTERVAL, self._look)

    # Key frames

    def _request_key_frame(self) -> None:
        video = self._sources.get("video")
        if video is not None:
            video.request_key_frame()

    def _request_soon(self) -> None:
        """Called in the thread."""
        with contextlib.suppress(RuntimeError):  # the event loop has gone
            self._loop.call_soon_threadsafe(self._request_key_frame)
