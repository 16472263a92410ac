"""Recordings to a file that somebody has named, instead of to a folder of many."""

import errno
import os
from datetime import datetime
from pathlib import Path

from .container import CONTAINERS, Container
from .descriptors import open_file
from .files import RecordingFolder


class NamedFile(RecordingFolder):
    """A recording to one file, and to others beside it when its codecs change.

    The suffix of its name chooses the container: mkv, mp4 or webm. The others are named
    ``talk-2.mkv``, ``talk-3.mkv`` and so on. Files that exist are not overwritten.

    Args:
        path: the file.

    Attributes:
        written: the files that were created, in order.

    Raises:
        ValueError: when the suffix is another one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        suffix = path.suffix.removeprefix(".").lower()
        if suffix not in CONTAINERS:
            raise ValueError(
                f"{path.name} does not end with .{', .'.join(sorted(CONTAINERS))}"
            )
        self._file = path
        self._container = CONTAINERS[suffix]
        self.written: list[Path] = []

    def container(self, codecs: set[str]) -> Container:
        if self._container.codecs is not None and not codecs <= self._container.codecs:
            wrong = ", ".join(sorted(codecs - self._container.codecs))
            raise OSError(
                errno.EINVAL, f"{self._container.suffix} cannot have {wrong}; take mkv"
            )
        return self._container

    def create(
        self, stream: str, started: datetime, number: int, suffix: str
    ) -> tuple[str, int]:
        name = self._file.name
        if number > 1:
            name = f"{self._file.stem}-{number}{self._file.suffix}"
        path = self._file.with_name(name)
        descriptor = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.written.append(path)
        return name, descriptor
