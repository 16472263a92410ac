"""The thread of a recording, and the frames that wait for it."""

import asyncio
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable

from .segments import PlacedFrame
from .writer import WRITE_ERRORS, SegmentWriter

logger = logging.getLogger(__name__)

# Octets of frames that may wait: many seconds of video; and what each counts beside
# its payloads.
MAX_WAITING = 16 * 1024 * 1024
FRAME_COST = 512


class RecordingWorker:
    """Gives frames to a writer in a thread of its own, so that a slow disk delays none.

    Args:
        writer: is used in the thread only.
        name: of the stream.
        failed: is called in the event loop with the reason when the writer fails;
            nothing is written from then on.
        request_key_frame: is called when there is room again, and a key frame is
            wanted.
        max_waiting: octets of frames that may wait.

    Attributes:
        dropped: frames that found the queue full, or waited for a key frame after
            that.
    """

    def __init__(
        self,
        writer: SegmentWriter,
        name: str,
        failed: Callable[[str], None],
        request_key_frame: Callable[[], None],
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.dropped = 0
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
        # It must not keep the process from its end, however slow the disk is.
        thread = threading.Thread(
            target=self._run, name=f"recording {name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # The system allows no more of them. The stream must not suffer from that.
            self._loop.call_soon(self._end, "No thread can be started")

    def put(self, placed: PlacedFrame) -> None:
        """Let a frame be written.

        When there is no room for it, it is left out, and all video up to the next key
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
        """Write what waits, end the file, and wait for that."""
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
        except Exception as error:
            problem = _reason(error)
        try:
            self._writer.close()
        except Exception as error:
            problem = problem or _reason(error)
        with contextlib.suppress(RuntimeError):  # the event loop has gone
            self._loop.call_soon_threadsafe(self._end, problem)

    def _next(self) -> PlacedFrame | None:
        """Wait for a frame; None at the end."""
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


def _reason(error: Exception) -> str:
    """What to tell of an error, without paths."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    if isinstance(error, WRITE_ERRORS):
        return f"FFmpeg cannot write it: {error.strerror}"
    logger.error("A recording has failed", exc_info=error)
    return "internal error"
