"""The folder of recordings: safe file names, and the list of files."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av

# Stream, UTC time, number.
_NAME = re.compile(
    r"([A-Za-z0-9._~-]{1,64})_([0-9]{8}T[0-9]{6}Z)_([0-9]{3,9})\.(mp4|webm|mkv)",
    re.ASCII,
)
_TIME = "%Y%m%dT%H%M%SZ"

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o644

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


class RecordingFolder:
    """The folder that recordings are written to and read from.

    Entries that are not files, or do not have the name of a recording, are ignored.

    Args:
        path: the folder; it is created before the first recording.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._lengths: dict[tuple[str, int, int], float | None] = {}

    def prepare(self) -> None:
        """Create the folder if needed, and check that it is writable.

        Raises:
            OSError: when it is not.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13), str(self._path))

    def create(
        self, stream: str, started: datetime, number: int, suffix: str
    ) -> tuple[str, int]:
        """Create a file with a new name.

        Args:
            number: the number of the file in its recording, from 1.

        Returns:
            The file's name, and a descriptor for writing.

        Raises:
            OSError: when it cannot be created.
            ValueError: when the stream's name is not valid.
        """
        self.prepare()
        time = started.astimezone(UTC).strftime(_TIME)
        while True:
            name = f"{stream}_{time}_{number:03}.{suffix}"
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not a valid name of a recording")
            with contextlib.suppress(FileExistsError):
                return name, os.open(self._path / name, _FLAGS, _MODE)
            number += 1

    def remove(self, name: str) -> None:
        """Remove an empty file."""
        with contextlib.suppress(OSError):
            os.unlink(self._path / name)

    def __iter__(self) -> Iterator[RecordedFile]:
        """All recorded files, the newest first; none if the folder does not exist.

        Raises:
            OSError: when the folder cannot be read.
        """
        try:
            names = os.listdir(self._path)
        except FileNotFoundError:
            names = []
        found = [file for file in map(self.get, names) if file is not None]
        return iter(sorted(found, key=lambda f: (f.started, f.name), reverse=True))

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
        return RecordedFile(path, match[1], started, status.st_size, status.st_mtime_ns)

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


def _read_length(path: Path) -> float | None:
    try:
        with av.open(str(path)) as container:
            duration = container.duration
    except (av.FFmpegError, OSError):
        return None
    return None if duration is None else duration / av.time_base
