"""How long recorded files are kept."""

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar


class StoredFile(Protocol):
    """What decides about a file: its size in octets, and its end in nanoseconds."""

    @property
    def size(self) -> int: ...
    @property
    def changed(self) -> int: ...


File = TypeVar("File", bound=StoredFile)


@dataclass(frozen=True, slots=True)
class Retention:
    """The limits of a folder of recordings; None means no limit.

    Attributes:
        seconds: the time for which a file is kept after its end.
        octets: the size of all files together.
        free: octets that stay free on the file system.
    """

    seconds: float | None = None
    octets: int | None = None
    free: int | None = None

    def apply(
        self,
        files: Iterable[File],
        total: int,
        free: Callable[[], int],
        delete: Callable[[File], bool],
    ) -> None:
        """Delete the oldest files, as long as a limit is exceeded.

        Args:
            files: the files that may be deleted, the oldest first.
            total: the size of all files, in octets.
            free: returns the free octets of the file system.
            delete: deletes a file; returns whether that succeeded.
        """
        now = time.time()
        for file in files:
            if (
                self._has_expired(file, now)
                or (self.octets is not None and total > self.octets)
                or not self.has_room(free)
            ) and delete(file):
                total -= file.size

    def has_room(self, free: Callable[[], int]) -> bool:
        """Whether enough of the file system is free."""
        return self.free is None or free() >= self.free

    def _has_expired(self, file: StoredFile, now: float) -> bool:
        return self.seconds is not None and now - file.changed / 1e9 > self.seconds


def free_octets(folder: Path) -> int:
    """The octets of a folder's file system that are free for this process."""
    return shutil.disk_usage(folder).free
