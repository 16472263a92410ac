"""The recording of one publisher's stream."""

import asyncio
import contextlib
import enum
import logging
from datetime import UTC, datetime
from functools import partial

from ..media.encoding import Encoding
from ..media.frames import RtpFrame
from ..sdp.codecs import Codec
from ..streams import Stream
from .files import RecordingFolder
from .segments import PlacedFrame, SegmentLimits
from .sources import TrackSource
from .timeline import Timeline, TrackClock
from .worker import RecordingWorker
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

    Attributes:
        stream: the recorded stream.
        started: when the recording was started.
        problem: why it has failed; None if it has not.
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
        """Stop recording, and wait until all received frames are written."""
        self._stop()
        self._begin()
        await self.worker.close()
        self._has_ended = True

    def give_up(self) -> None:
        """Stop waiting for the thread, because the disk is too slow."""
        self._fail("The disk is too slow to finish the file")

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

    def _on_frame(self, kind: str, frame: RtpFrame, encoding: Encoding) -> None:
        position = self._place(kind, frame, encoding)
        if self._tracks.get(kind) is not frame.codec:
            self._tracks = {**self._tracks, kind: frame.codec}
        if self._gathered is None:
            self._put(kind, frame, position)
            return
        self._gathered.append((kind, frame, position))
        if self._has_all_tracks() or len(self._gathered) >= _MAX_GATHERED:
            self._begin()

    def _place(self, kind: str, frame: RtpFrame, encoding: Encoding) -> int:
        clock, last = self._clocks.get(kind, (None, None))
        rate = frame.codec.clock_rate
        if clock is None or clock.rate != rate:
            clock = TrackClock(self._timeline, rate, is_reference=kind == "audio")
        elif encoding is not last:
            clock.restart()
        self._clocks[kind] = clock, encoding
        return clock.place(frame.timestamp, frame.arrival, encoding.sender_clock)

    def _put(self, kind: str, frame: RtpFrame, position: int) -> None:
        self.worker.put(PlacedFrame(kind, frame, position, self._tracks))

    def _has_all_tracks(self) -> bool:
        """Whether frames of every track have been received."""
        return all(source.encoding is not None for source in self._sources.values())

    def _begin(self) -> None:
        """Pass on the frames that were kept until all tracks were known."""
        gathered, self._gathered = self._gathered or [], None
        for kind, source in self._sources.items():
            encoding = source.encoding
            # Do not wait for a silent track: a camera may be off for hours.
            if (
                encoding is not None
                and self._loop.time() - encoding.last_packet_at < _GATHERING
            ):
                self._tracks = {**self._tracks, kind: encoding.codec}
        for kind, frame, position in gathered:
            self._put(kind, frame, position)

    def _check(self) -> None:
        """Check for better encodings, and whether the wait for tracks is over."""
        for source in self._sources.values():
            source.follow()
        if self._gathered:
            _, first, _ = self._gathered[0]
            if self._loop.time() - first.arrival >= _GATHERING:
                self._begin()
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
