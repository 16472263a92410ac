"""Files that other processes leave alone: several may record to one folder.

Where the system or the file system has no such locks, nobody is kept out.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .descriptors import open_file

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class FileLocks:
    """The files of one folder that this process writes or completes.

    A lock ends with the process, too.
    """

    def __init__(self) -> None:
        # A descriptor of each, which has the lock: that of the writer is closed before.
        self._held: dict[str, int] = {}

    def hold(self, name: str, descriptor: int) -> None:
        """Keep others from deleting a file that is open here."""
        if fcntl is None:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._held[name] = os.dup(descriptor)

    def release(self, name: str) -> None:
        """Let others do with a file what they like."""
        held = self._held.pop(name, None)
        if held is not None:
            os.close(held)

    def is_held_elsewhere(self, path: Path) -> bool:
        """Whether another process has a file."""
        if fcntl is None or path.name in self._held:
            return False
        with contextlib.suppress(OSError):
            descriptor = open_file(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        return False


@contextlib.contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Wait until no other process is in this block for a folder, and keep them out."""
    descriptor = None
    with contextlib.suppress(OSError):
        if fcntl is not None:
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
