"""The recordings of a server: which streams to record, and the recorded files."""

import asyncio
import contextlib
import errno
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..streams import Stream
from .files import RecordedFile, RecordingFolder
from .recording import Recording, RecordingState
from .retention import Retention
from .segments import SegmentLimits
from .stats import RecorderStats, RecordingCounts

logger = logging.getLogger(__name__)

# Seconds that finishing a file may take; a disk may be very slow. When the server ends,
# indexes that are not in front by then stay where they are.
_CLOSE_TIMEOUT = 10.0
_SHUTDOWN_TIMEOUT = 5.0
# Seconds between checks for files that are not to be kept any longer.
_RETENTION_INTERVAL = 60.0


class RecorderObserver(Protocol):
    """Is told what comes of recordings."""

    def file_finished(self, file: RecordedFile) -> None:
        """A file is complete."""

    def recording_failed(self, stream: Stream, problem: str, file: str | None) -> None:
        """The recording of a stream has ended for a reason; its last file stays."""


class NoFolder(Exception):  # noqa: N818 - a state, not a fault
    """The server has no folder for recordings."""


class NotPublished(Exception):  # noqa: N818 - a state, not a fault
    """The stream has no publisher."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A recorded file and its state.

    Attributes:
        seconds: its duration; None if unknown, as while it is being written.
        is_open: whether it is being written.
    """

    file: RecordedFile
    seconds: float | None
    is_open: bool


class Recorder:
    """Records all streams, or those requested with ``start``.

    A request holds for all later publishers of the stream too, until ``stop``.

    Args:
        folder: the folder for the files; None to disable recording.
        all_streams: whether to record every publisher from its beginning.
        limits: the limits of a file.
        retention: which files are kept.

    Attributes:
        observers: are told of files and of failures.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        all_streams: bool = False,
        limits: SegmentLimits | None = None,
        retention: Retention | None = None,
    ) -> None:
        self._folder = None if folder is None else RecordingFolder(folder, retention)
        self._all = all_streams
        self._limits = limits or SegmentLimits()
        self._published: dict[str, Stream] = {}
        self._wanted: set[str] = set()
        self._recordings: dict[str, Recording] = {}
        # Recordings whose files are being finished.
        self._closing: dict[asyncio.Task[None], Recording] = {}
        self._ended = RecordingCounts()
        self._retaining: asyncio.Task[None] | None = None
        self._is_open = False
        self.observers: list[RecorderObserver] = []

    @property
    def is_enabled(self) -> bool:
        """Whether there is a folder for recordings."""
        return self._folder is not None

    async def open(self) -> None:
        """Report finished files, and delete those that are not to be kept."""
        self._is_open = True
        self._watch_folder()

    def configure(
        self,
        *,
        folder: Path | None,
        all_streams: bool,
        limits: SegmentLimits,
        retention: Retention,
    ) -> None:
        """Change what is recorded from the next publishers on, where, what is kept.

        What is being recorded goes on in its own folder.
        """
        self._all = all_streams
        self._limits = limits
        current = self._folder
        if current is not None and folder is not None and current.is_at(folder):
            current.retain(retention)
            return
        self._folder = None if folder is None else RecordingFolder(folder, retention)
        self._watch_folder()

    def _watch_folder(self) -> None:
        """Report finished files of the folder from now on, and delete old ones."""
        if self._retaining is not None:
            self._retaining.cancel()
            self._retaining = None
        folder = self._folder
        if folder is not None and self._is_open:
            loop = asyncio.get_running_loop()
            folder.finisher.on_finished = partial(self._finished, folder, loop)
            self._retaining = asyncio.create_task(self._retain(folder))

    # Observer of streams

    def publisher_joined(self, stream: Stream) -> None:
        """Start to record a stream, if it is to be recorded."""
        current = self._published.get(stream.name)
        if current is not None:
            self.publisher_left(current)
        self._published[stream.name] = stream
        if self._folder is not None and (self._all or stream.name in self._wanted):
            self._begin(self._folder, stream)

    def publisher_left(self, stream: Stream) -> None:
        """Finish the recording of a stream."""
        if self._published.get(stream.name) is not stream:
            return
        del self._published[stream.name]
        recording = self._recordings.pop(stream.name, None)
        if recording is not None:
            self._end_soon(recording)

    # Requests

    async def start(self, name: str) -> bool:
        """Record a stream, from its next key frame on.

        Returns:
            Whether a recording was started; False if it is being recorded already.

        Raises:
            NoFolder: when there is no folder.
            NotPublished: when the stream has no publisher.
            OSError: when no file can be created in the folder.
        """
        folder = self._folder
        if folder is None:
            raise NoFolder
        if name not in self._published:
            raise NotPublished
        await asyncio.to_thread(folder.prepare)
        await asyncio.to_thread(folder.make_room)
        stream = self._published.get(name)
        if stream is None:
            raise NotPublished
        self._wanted.add(name)
        recording = self._recordings.get(name)
        if recording is not None and recording.state is not RecordingState.FAILED:
            return False
        if recording is not None:
            self._end_soon(recording)
        self._begin(folder, stream)
        return True

    async def stop(self, name: str) -> bool:
        """Stop recording a stream, and wait until its file is finished.

        With ``all_streams``, the next publisher of the stream is recorded again.

        Returns:
            Whether it was being recorded, or waiting for a publisher.
        """
        was_wanted = name in self._wanted
        self._wanted.discard(name)
        recording = self._recordings.pop(name, None)
        if recording is not None:
            self._end_soon(recording)
        # The publisher may just have gone.
        ending = {t for t, r in self._closing.items() if r.stream.name == name}
        if ending:
            await asyncio.wait(ending)
        return was_wanted or recording is not None

    def describe(self, name: str) -> dict[str, Any] | None:
        """Describe the recording of a stream for the API; None if there is none."""
        recording = self._recordings.get(name)
        if recording is None:
            if name not in self._wanted:
                return None
            # It waits for a publisher.
            return {"state": str(RecordingState.WAITING)}
        writer = recording.writer
        return {
            "state": str(recording.state),
            "problem": recording.problem,
            "started": recording.started.isoformat(timespec="seconds"),
            "file": writer.file,
            "files": writer.files,
            "octets": writer.octets,
            "frames": dict(writer.frames),
            "left_out": recording.left_out,
        }

    @property
    def armed(self) -> list[str]:
        """The streams whose next publisher is recorded on request, sorted."""
        return sorted(self._wanted - self._published.keys())

    @property
    def stats(self) -> RecorderStats:
        """A snapshot."""
        active = [
            recording
            for recording in self._recordings.values()
            if recording.state is not RecordingState.FAILED
        ]
        counts = (RecordingCounts.of(recording) for recording in self._counted)
        return RecorderStats(len(active), sum(counts, self._ended))

    # The files

    async def files(
        self,
        limit: int = sys.maxsize,
        after: str | None = None,
        streams: Callable[[str], bool] = lambda _: True,
    ) -> list[ListedFile]:
        """Recorded files, the newest first.

        Args:
            limit: the largest number of files.
            after: the name of the file before the first one; None for the newest files.
            streams: whether files of a stream are wanted; called in a thread.

        Raises:
            OSError: when the folder cannot be read.
        """
        folder = self._folder
        if folder is None:
            return []

        def read() -> list[ListedFile]:
            listed = []
            for file in folder.page(limit, after, streams):
                is_open = folder.is_open(file.name)
                seconds = None if is_open else folder.length(file)
                listed.append(ListedFile(file, seconds, is_open))
            return listed

        return await asyncio.to_thread(read)

    async def delete(self, name: str) -> bool:
        """Delete a recorded file.

        Returns:
            Whether there was one.

        Raises:
            FileIsOpen: when it is being written.
            OSError: when it cannot be deleted.
        """
        if self._folder is None:
            return False
        return await asyncio.to_thread(self._folder.delete, name)

    async def file(self, name: str) -> RecordedFile | None:
        """Find a recorded file by name."""
        if self._folder is None:
            return None
        return await asyncio.to_thread(self._folder.get, name)

    async def close(self) -> None:
        """Finish all recordings, within a time limit."""
        if self._retaining is not None:
            self._retaining.cancel()
        folders = {recording.folder for recording in self._counted}
        for folder in {*folders, self._folder}:
            if folder is not None:
                abandon = folder.finisher.abandon
                asyncio.get_running_loop().call_later(_SHUTDOWN_TIMEOUT, abandon)
        for name in list(self._recordings):
            self._end_soon(self._recordings.pop(name))
        self._published.clear()
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _finished(
        self, folder: RecordingFolder, loop: asyncio.AbstractEventLoop, path: Path
    ) -> None:
        """Report a file that is complete; called in a thread."""
        file = folder.get(path.name)
        if file is not None:
            with contextlib.suppress(RuntimeError):  # the event loop has gone
                loop.call_soon_threadsafe(self._report, file)

    def _report(self, file: RecordedFile) -> None:
        for observer in self.observers:
            observer.file_finished(file)

    def _failed(self, recording: Recording) -> None:
        problem = recording.problem
        assert problem is not None
        for observer in self.observers:
            observer.recording_failed(recording.stream, problem, recording.writer.file)

    async def _retain(self, folder: RecordingFolder) -> None:
        """Delete files regularly. If that is not enough, end all recordings."""
        while True:
            try:
                await asyncio.to_thread(folder.make_room)
            except OSError as error:
                logger.warning("The folder of recordings: %s", error)
                if error.errno == errno.ENOSPC:
                    self._fail_all(os.strerror(errno.ENOSPC))
            await asyncio.sleep(_RETENTION_INTERVAL)

    def _fail_all(self, problem: str) -> None:
        for recording in self._recordings.values():
            if recording.state is not RecordingState.FAILED:
                recording.fail(problem)
                self._end_soon(recording)

    def _begin(self, folder: RecordingFolder, stream: Stream) -> None:
        self._recordings[stream.name] = Recording(
            stream, folder, self._limits, self._failed
        )

    def _end_soon(self, recording: Recording) -> asyncio.Task[None]:
        task = asyncio.create_task(self._end(recording))
        self._closing[task] = recording
        task.add_done_callback(self._closed)
        return task

    def _closed(self, task: asyncio.Task[None]) -> None:
        recording = self._closing.pop(task)
        # One that has failed stays until its publisher has gone.
        if recording not in self._counted:
            self._ended += RecordingCounts.of(recording)

    @property
    def _counted(self) -> set[Recording]:
        """The recordings that are not counted as ended."""
        return {*self._recordings.values(), *self._closing.values()}

    async def _end(self, recording: Recording) -> None:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await recording.close()
        except TimeoutError:
            recording.give_up()
