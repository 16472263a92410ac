"""The folder of recordings: safe file names, and the list of files."""

import contextlib
import errno
import logging
import os
import re
import stat
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import av

from .container import Container, container_of
from .descriptors import open_file
from .file_locks import FileLocks, only_process
from .finishing import COPY, Finisher
from .retention import Retention, free_octets

logger = logging.getLogger(__name__)

# A name of a stream may begin with a dot, but files with such a name are hidden.
_ESCAPED_DOT = "%2E"

# Stream, UTC time, number.
_NAME = re.compile(
    r"([A-Za-z0-9._~-]{1,64}|%2E[A-Za-z0-9._~-]{0,63})"
    r"_([0-9]{8}T[0-9]{6}Z)_([0-9]{3,9})\.(mp4|webm|mkv)",
    re.ASCII,
)
_TIME = "%Y%m%dT%H%M%SZ"

# File lengths kept in the cache.
_MAX_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A recorded file.

    Attributes:
        stream: the name of its stream.
        started: when it was created.
        size: its size in octets.
        changed: its modification time in nanoseconds; a changed file differs in it
            or in the size.
    """

    path: Path
    stream: str
    started: datetime
    size: int
    changed: int

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.name


class FileIsOpen(Exception):  # noqa: N818 - a state, not a fault
    """The file is being written."""


class RecordingFolder:
    """The folder that recordings are written to and read from.

    Entries that are not files, or do not have the name of a recording, are ignored.

    Args:
        path: the folder; it is created before the first recording.
        retention: which files are kept.

    Attributes:
        finisher: completes files that have ended.
    """

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        self._path = path.absolute()
        self._retention = retention or Retention()
        self.finisher = Finisher(self._retention.free or 0)
        self._lengths: dict[tuple[str, int, int], float | None] = {}
        # Files that are being written.
        self._open: set[str] = set()
        self._locks = FileLocks()
        self._deleting = threading.Lock()

    def is_at(self, path: Path) -> bool:
        """Whether it is the folder with this path."""
        return self._path == path.absolute()

    def retain(self, retention: Retention) -> None:
        """Keep files by other limits from now on."""
        self._retention = retention
        self.finisher.min_free = retention.free or 0

    def check(self) -> None:
        """Check that files can be written, without creating the folder.

        Raises:
            OSError: when they cannot.
        """
        missing = [p for p in (self._path, *self._path.parents) if not p.exists()]
        try:
            self.prepare()
        finally:
            for path in missing:
                with contextlib.suppress(OSError):
                    path.rmdir()

    def prepare(self) -> None:
        """Create the folder if needed, and check that it is writable.

        Copies that were not completed when a process died are removed.

        Raises:
            OSError: when it is not.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._path):
            pass
        for name in os.listdir(self._path):
            original = name.removesuffix(COPY)
            if original != name and self._may_delete(original):
                self.remove(name)

    def create(
        self, stream: str, started: datetime, number: int, suffix: str
    ) -> tuple[str, int]:
        """Create a file with a new name.

        Files that are not to be kept any longer are deleted before.

        Args:
            number: the number of the file in its recording, from 1.

        Returns:
            The file's name, and a descriptor for reading and writing;
            :meth:`finish` or :meth:`remove` must follow.

        Raises:
            OSError: when it cannot be created.
            ValueError: when the stream's name is not valid.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        self.make_room()
        time = started.astimezone(UTC).strftime(_TIME)
        while True:
            name = f"{_escape(stream)}_{time}_{number:03}.{suffix}"
            if not is_name(name):
                raise ValueError(f"{name!r} is not a valid name of a recording")
            with contextlib.suppress(FileExistsError):
                descriptor = open_file(
                    self._path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL
                )
                self._open.add(name)
                self._locks.hold(name, descriptor)
                return name, descriptor
            number += 1

    def container(self, codecs: set[str]) -> Container:
        """The container of a new file with these codecs, by their encoding names.

        Raises:
            OSError: when there is none.
        """
        return container_of(codecs)

    def finish(self, name: str, picture_until: float) -> None:
        """Complete a file that is closed, in another thread.

        Args:
            picture_until: the end of its last picture, in seconds from its beginning.
        """
        finished = self.finisher.submit(self._path / name, picture_until)
        finished.add_done_callback(lambda _: self._locks.release(name))
        self._open.discard(name)

    def remove(self, name: str) -> None:
        """Remove an empty file, or a copy."""
        self._open.discard(name)
        self._locks.release(name)
        with contextlib.suppress(OSError):
            os.unlink(self._path / name)

    def is_open(self, name: str) -> bool:
        """Whether a file is being written, or completed."""
        return name in self._open or name in self.finisher

    def delete(self, name: str) -> bool:
        """Delete a recorded file.

        Returns:
            Whether there was one.

        Raises:
            FileIsOpen: when it is being written.
            OSError: when it cannot be deleted.
        """
        with self._deleting:
            file = self.get(name)
            if file is None:
                return False
            if self.is_open(name) or self._locks.is_held_elsewhere(file.path):
                raise FileIsOpen
            try:
                os.unlink(file.path)
            except FileNotFoundError:
                return False
            return True

    def make_room(self) -> None:
        """Delete the files that are not to be kept any longer, the oldest first.

        Files that are being written are not deleted.

        Raises:
            OSError: when there is less room than there should be, or no folder can be
                made.
        """
        limits = self._retention
        if limits == Retention():
            return
        self._path.mkdir(parents=True, exist_ok=True)
        with self._deleting, only_process(self._path):
            files = list(reversed(list(self)))
            limits.apply(
                [file for file in files if self._may_delete(file.name)],
                sum(file.size for file in files),
                self._free,
                self._expire,
            )
        if not limits.has_room(self._free):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _may_delete(self, name: str) -> bool:
        if not is_name(name) or self.is_open(name):
            return False
        return not self._locks.is_held_elsewhere(self._path / name)

    def _free(self) -> int:
        return free_octets(self._path)

    def _expire(self, file: RecordedFile) -> bool:
        try:
            os.unlink(file.path)
        except OSError as error:
            logger.warning("%s cannot be deleted: %s", file.name, error.strerror)
            return False
        logger.info("%s is deleted: it is not to be kept any longer", file.name)
        return True

    def __iter__(self) -> Iterator[RecordedFile]:
        """All recorded files, the newest first; none if the folder does not exist.

        Raises:
            OSError: when the folder cannot be read.
        """
        found = map(self.get, reversed(self._names()))
        return (file for file in found if file is not None)

    def page(
        self,
        limit: int,
        after: str | None = None,
        streams: Callable[[str], bool] = lambda _: True,
    ) -> list[RecordedFile]:
        """Some of the recorded files, the newest first.

        Only their entries are looked at.

        Args:
            limit: the largest number of files.
            after: the name of the file before the first one; it need not exist any
                more. None for the newest files.
            streams: whether files of a stream are wanted.

        Raises:
            OSError: when the folder cannot be read.
        """
        names = self._names()
        end = len(names)
        if after is not None:
            end = bisect_left(names, _order(after), key=_order)
        wanted = (n for n in reversed(names[:end]) if streams(stream_of(n) or ""))
        found = map(self.get, wanted)
        return list(islice((file for file in found if file is not None), limit))

    def _names(self) -> list[str]:
        """The names of recorded files, the oldest first."""
        try:
            names = os.listdir(self._path)
        except FileNotFoundError:
            return []
        return sorted(filter(is_name, names), key=_order)

    def get(self, name: str) -> RecordedFile | None:
        """Find a recorded file by name; None if there is none."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        try:
            started = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
            path = self._path / name
            status = path.lstat()
        except (ValueError, OSError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        stream = stream_of(name)
        assert stream is not None
        return RecordedFile(path, stream, started, status.st_size, status.st_mtime_ns)

    def length(self, file: RecordedFile) -> float | None:
        """The duration of a finished file in seconds; None if the file has none.

        The file is opened the first time; then the duration is cached.
        """
        key = (file.name, file.size, file.changed)
        if key not in self._lengths:
            if len(self._lengths) >= _MAX_CACHED:
                self._lengths.clear()
            self._lengths[key] = _read_length(file.path)
        return self._lengths[key]


def is_name(name: str) -> bool:
    """Whether a name could be that of a recorded file."""
    return _NAME.fullmatch(name) is not None


def stream_of(name: str) -> str | None:
    """The stream whose recording has a file of this name; None if none could."""
    match = _NAME.fullmatch(name)
    return None if match is None else match[1].replace(_ESCAPED_DOT, ".")


def _escape(stream: str) -> str:
    return _ESCAPED_DOT + stream[1:] if stream.startswith(".") else stream


def _order(name: str) -> tuple[str, str]:
    """A sort key of names: by time."""
    match = _NAME.fullmatch(name)
    assert match is not None
    return match[2], name


def _read_length(path: Path) -> float | None:
    try:
        with av.open(str(path)) as container:
            duration = container.duration
    except (av.FFmpegError, OSError):
        return None
    return None if duration is None else duration / av.time_base
