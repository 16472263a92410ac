"""The recording of one publisher's stream."""

import asyncio
import contextlib
import enum
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from ..media.encoding import Encoding
from ..media.frames import RtpFrame
from ..sdp.codecs import Codec
from ..streams import Stream
from .arrivals import Placement
from .files import RecordingFolder
from .segments import PlacedFrame, SegmentLimits
from .sources import TrackSource
from .timeline import Timeline, TrackClock
from .worker import FRAME_COST, MAX_WAITING, RecordingWorker
from .writer import SegmentWriter

logger = logging.getLogger(__name__)

# Seconds between checks for a better encoding.
_CHECK_INTERVAL = 0.2
# Seconds to wait for all tracks before a file is started without the missing ones; and
# the frames kept meanwhile.
_GATHERING = 2.0
_MAX_GATHERED = 1000


class RecordingState(enum.StrEnum):
    """The state of a recording."""

    WAITING = "waiting"
    RECORDING = "recording"
    FAILED = "failed"
    ENDED = "ended"


class Recording:
    """Records a published stream, from the next key frame on.

    Args:
        stream: the stream to record.
        folder: the folder for the files.
        limits: the limits of a file.
        on_failed: called with it once, when it fails.

    Attributes:
        stream: the recorded stream.
        folder: where its files are.
        started: when the recording was started.
        problem: why it has failed; None if it has not.
    """

    def __init__(
        self,
        stream: Stream,
        folder: RecordingFolder,
        limits: SegmentLimits,
        on_failed: Callable[["Recording"], None] = lambda _: None,
    ) -> None:
        self.stream = stream
        self.folder = folder
        self.started = datetime.now(UTC)
        self.problem: str | None = None
        self._on_failed = on_failed
        self._log = logging.LoggerAdapter(
            logger, {"session": stream.session, "stream": stream.name}
        )
        self._loop = asyncio.get_running_loop()
        self._timeline = Timeline(-self._loop.time())
        self._is_stopped = self._has_ended = False
        self._clocks: dict[str, tuple[TrackClock, Encoding]] = {}
        self._tracks: dict[str, Codec] = {}
        # Frames that wait until all tracks are known, or until one has its position.
        self._waiting: deque[tuple[str, RtpFrame, Placement, Mapping[str, Codec]]] = (
            deque()
        )
        # Octets of those that came while others waited.
        self._held = 0
        self._is_gathering = True
        self.writer = SegmentWriter(
            folder, stream.name, limits, self._request_soon, self._log
        )
        self.worker = RecordingWorker(
            self.writer, stream.name, self.fail, self._request_key_frame, self._log
        )
        self._sources: dict[str, TrackSource] = {}
        for track in stream.source.tracks:
            on_frame = partial(self._on_frame, track.kind)
            self._sources[track.kind] = TrackSource(track, on_frame)
        self._timer = self._loop.call_later(_CHECK_INTERVAL, self._check)

    @property
    def state(self) -> RecordingState:
        """The state of the recording."""
        if self.problem is not None:
            return RecordingState.FAILED
        if self._has_ended:
            return RecordingState.ENDED
        if self.writer.file is None:
            return RecordingState.WAITING
        return RecordingState.RECORDING

    @property
    def left_out(self) -> int:
        """Frames received but not written: damaged, or too many for the disk."""
        sources = sum(source.left_out for source in self._sources.values())
        return sources + self.worker.dropped + self.writer.unusable

    async def close(self) -> None:
        """Stop recording, and wait until all received frames are in finished files."""
        self._stop()
        self._begin()
        self._settle(float("inf"))
        await self.worker.close()
        self._has_ended = True
        await self.folder.finisher.wait(self.writer.ended)

    def give_up(self) -> None:
        """Stop waiting for the thread, because the disk is too slow."""
        if not self._has_ended:
            self.fail("The disk is too slow to finish the file")

    def _end_of_media(self) -> float:
        """When the last picture was over: of a publisher that vanished, long ago."""
        now = self._loop.time()
        if self.stream.source.connectionState != "failed":
            return now
        encodings = [source.encoding for source in self._sources.values()]
        return max((e.last_packet_at for e in encodings if e), default=now)

    def fail(self, problem: str) -> None:
        """End it for a reason; the first one stays."""
        if self.problem is not None:
            return
        self.problem = problem
        self._stop()
        self._log.warning("Recording of %s has ended: %s", self.stream.name, problem)
        self._on_failed(self)

    def _stop(self) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self.writer.stopped = self._end_of_media()
        self._timer.cancel()
        for source in self._sources.values():
            source.stop()

    # Frames

    def _on_frame(self, kind: str, frame: RtpFrame, encoding: Encoding) -> None:
        placement = self._place(kind, frame, encoding)
        if self._tracks.get(kind) is not frame.codec:
            self._tracks = {**self._tracks, kind: frame.codec}
        self._waiting.append((kind, frame, placement, self._tracks))
        if not self._is_gathering:
            self._pass_on()
            self._limit_waiting(frame)
        elif self._has_all_tracks() or len(self._waiting) >= _MAX_GATHERED:
            self._begin()

    def _place(self, kind: str, frame: RtpFrame, encoding: Encoding) -> Placement:
        clock, last = self._clocks.get(kind, (None, None))
        rate = frame.codec.clock_rate
        if clock is None or clock.rate != rate:
            if clock is not None:
                clock.settle(float("inf"))
            clock = TrackClock(self._timeline, rate, is_reference=kind == "audio")
        elif encoding is not last:
            clock.restart()
        self._clocks[kind] = clock, encoding
        return clock.place(frame.timestamp, frame.arrival, encoding.anchor)

    def _pass_on(self) -> None:
        """Pass on the frames that have positions, in the order of their arrival."""
        waiting = self._waiting
        while waiting and (position := waiting[0][2].position) is not None:
            kind, frame, _, tracks = waiting.popleft()
            self.worker.put(PlacedFrame(kind, frame, position, tracks))

    def _limit_waiting(self, frame: RtpFrame) -> None:
        """Wait no longer for positions when the frames that do need much memory."""
        if not self._waiting:
            self._held = 0
            return
        self._held += FRAME_COST + sum(map(len, frame.payloads))
        if self._held > MAX_WAITING:
            self._settle(float("inf"))

    def _settle(self, now: float) -> None:
        """Pass on the frames that have waited too long for a position."""
        for clock, _ in self._clocks.values():
            clock.settle(now)
        if not self._is_gathering:
            self._pass_on()

    def _has_all_tracks(self) -> bool:
        """Whether frames of every track have been received."""
        return all(source.encoding is not None for source in self._sources.values())

    def _begin(self) -> None:
        """Pass on the frames that were kept until all tracks were known."""
        if not self._is_gathering:
            return
        self._is_gathering = False
        for kind, source in self._sources.items():
            encoding = source.encoding
            # Do not wait for a silent track: a camera may be off for hours.
            if (
                encoding is not None
                and self._loop.time() - encoding.last_packet_at < _GATHERING
            ):
                self._tracks = {**self._tracks, kind: encoding.codec}
        # The sound first: a file begins with what is earlier, and may have come later.
        waiting = sorted(self._waiting, key=lambda w: w[0])
        self._waiting = deque((*one[:3], {**self._tracks, **one[3]}) for one in waiting)
        self._pass_on()

    def _check(self) -> None:
        """Check for better encodings, and whether the wait for tracks is over."""
        for source in self._sources.values():
            source.follow()
        if self._is_gathering and self._waiting:
            _, first, *_ = self._waiting[0]
            if self._loop.time() - first.arrival >= _GATHERING:
                self._begin()
        self._settle(self._loop.time())
        self._timer = self._loop.call_later(_CHECK_INTERVAL, self._check)

    # Key frames

    def _request_key_frame(self) -> None:
        video = self._sources.get("video")
        if video is not None:
            video.request_key_frame()

    def _request_soon(self) -> None:
        """Request a key frame from the writer's thread."""
        with contextlib.suppress(RuntimeError):  # the event loop has gone
            self._loop.call_soon_threadsafe(self._request_key_frame)
