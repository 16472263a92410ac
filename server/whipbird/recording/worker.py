"""The thread of a recording, and its queue of frames."""

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

from .segments import PlacedFrame
from .writer import WRITE_ERRORS, Log, SegmentWriter

# The size of the queue in octets: many seconds of video; and the cost of a frame in
# addition to its payloads.
MAX_WAITING = 16 * 1024 * 1024
FRAME_COST = 512


class RecordingWorker:
    """Writes frames in a thread of its own, so that a slow disk does not block others.

    Args:
        writer: writes the frames; used only in the thread.
        name: the name of the stream.
        failed: called in the event loop with the reason when the writer fails; nothing
            is written from then on.
        request_key_frame: called when the queue has room again and needs a key frame.
        log: the log of the recording.
        max_waiting: the size of the queue, in octets.

    Attributes:
        dropped: frames dropped because the queue was full, and video frames after
            them up to a key frame.
    """

    def __init__(
        self,
        writer: SegmentWriter,
        name: str,
        failed: Callable[[str], None],
        request_key_frame: Callable[[], None],
        log: Log,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.dropped = 0
        self._log = log
        self._writer = writer
        self._failed = failed
        self._request_key_frame = request_key_frame
        self._max_waiting = max_waiting
        self._waiting: deque[PlacedFrame] = deque()
        self._octets = 0
        self._needs_key = False
        self._is_closing = False
        self._changed = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        # A daemon: a slow disk must not keep the process from exiting.
        thread = threading.Thread(
            target=self._run, name=f"recording {name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # The system allows no more threads; the stream itself must not fail.
            self._loop.call_soon(self._end, "No thread can be started")

    def put(self, placed: PlacedFrame) -> None:
        """Queue a frame.

        If the queue is full, it is dropped, and so is all video up to the next key
        frame.
        """
        is_video = placed.kind == "video"
        cost = _cost(placed)
        with self._changed:
            has_room = self._octets + cost <= self._max_waiting
            waits = is_video and self._needs_key and not placed.frame.is_key
            if has_room and not waits:
                if is_video:
                    self._needs_key = False
                self._octets += cost
                self._waiting.append(placed)
                self._changed.notify()
                return
        self.dropped += 1
        if is_video:
            self._needs_key = True
            if has_room:
                self._request_key_frame()

    async def close(self) -> None:
        """Write the queued frames and finish the file; wait for that."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        await self._ended.wait()

    # In the thread

    def _run(self) -> None:
        problem: str | None = None
        try:
            while (placed := self._next()) is not None:
                self._writer.write(placed)
            self._writer.write_remaining()
        except Exception as error:
            problem = _reason(error, self._log)
        try:
            self._writer.close()
        except Exception as error:
            problem = problem or _reason(error, self._log)
        with contextlib.suppress(RuntimeError):  # the event loop has gone
            self._loop.call_soon_threadsafe(self._end, problem)

    def _next(self) -> PlacedFrame | None:
        """Wait for the next frame; None when the queue is closed."""
        with self._changed:
            while not self._waiting:
                if self._is_closing:
                    return None
                self._changed.wait()
            placed = self._waiting.popleft()
            self._octets -= _cost(placed)
            return placed

    # In the event loop

    def _end(self, problem: str | None) -> None:
        self._waiting.clear()
        self._ended.set()
        if problem is not None:
            self._failed(problem)


def _cost(placed: PlacedFrame) -> int:
    return FRAME_COST + sum(map(len, placed.frame.payloads))


def _reason(error: Exception, log: Log) -> str:
    """A description of an error for the API, without paths."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    if isinstance(error, WRITE_ERRORS):
        return f"FFmpeg cannot write it: {error.strerror}"
    log.error("A recording has failed", exc_info=error)
    return "internal error"
