"""The folder of recordings: names that are safe, and what is in it."""

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

# How many lengths are remembered.
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of a recording.

    Attributes:
        stream: the name of the stream that is in it.
        started: when it was begun.
        size: in octets.
        changed: when it was last written to, in nanoseconds; with the size it tells
            whether it is the same.
    """

    path: Path
    stream: str
    started: datetime
    size: int
    changed: int

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.name


class RecordingFolder:
    """The folder that recordings are written to, and read from.

    Whatever has another name than a recording, or is no file, is not seen.

    Args:
        path: the folder; it is made when it is first written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._lengths: dict[tuple[str, int, int], float | None] = {}

    def prepare(self) -> None:
        """Make the folder, and see whether files can be made in it.

        Raises:
            OSError: when not.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13), str(self._path))

    def create(
        self, stream: str, started: datetime, number: int, suffix: str
    ) -> tuple[str, int]:
        """Make a file of a name that no other has.

        Args:
            number: that of the file in its recording, from 1.

        Returns:
            Its name, and a descriptor to write to.

        Raises:
            OSError: when it cannot be made.
            ValueError: when there is no such name of a stream.
        """
        self.prepare()
        time = started.astimezone(UTC).strftime(_TIME)
        while True:
            name = f"{stream}_{time}_{number:03}.{suffix}"
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is no name of a recording")
            with contextlib.suppress(FileExistsError):
                return name, os.open(self._path / name, _FLAGS, _MODE)
            number += 1

    def remove(self, name: str) -> None:
        """Remove a file that nothing was written to."""
        with contextlib.suppress(OSError):
            os.unlink(self._path / name)

    def __iter__(self) -> Iterator[RecordedFile]:
        """All recordings, the newest first.

        Raises:
            OSError: when the folder cannot be read; one that is not there is empty.
        """
        try:
            names = os.listdir(self._path)
        except FileNotFoundError:
            names = []
        found = [file for file in map(self.get, names) if file is not None]
        return iter(sorted(found, key=lambda f: (f.started, f.name), reverse=True))

    def get(self, name: str) -> RecordedFile | None:
        """Find a recording; None when there is no such file, or it is none."""
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
        """How many seconds a file has that is no longer written, if that is in it.

        It opens the file when it sees it for the first time.
        """
        key = (file.name, file.size, file.changed)
        if key not in self._lengths:
            if len(self._lengths) >= _MAX_REMEMBERED:
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
