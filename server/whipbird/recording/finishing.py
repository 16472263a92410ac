"""Completes files that are not written any more, in a thread beside the recordings."""

import asyncio
import errno
import logging
import os
import struct
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path

from .descriptors import open_file, read_at, write_at
from .mp4 import Abandoned, move_index
from .mp4_boxes import DamagedFileError
from .retention import free_octets

logger = logging.getLogger(__name__)

# The suffix of a copy that is being made.
COPY = ".part"

# Matroska: the identifier and size of Duration (RFC 9559 section 5.1.2.10) as FFmpeg
# writes it, a number of milliseconds; and the octets in which it is looked for.
_DURATION = b"\x44\x89\x88"
_HEAD = 4096


class Finisher:
    """Moves the index of ended files to their front, one file after another.

    A file is complete before that. So it does not matter if it is given up.

    Attributes:
        min_free: octets of the file system that stay free beside a copy.
        on_finished: called with the path of each file that is complete, in a thread.
    """

    def __init__(self, min_free: int = 0) -> None:
        self.on_finished: Callable[[Path], object] | None = None
        self.min_free = min_free
        self._files: dict[str, Future[None]] = {}
        self._one_at_a_time = threading.Lock()
        self._is_abandoned = threading.Event()

    def __contains__(self, name: str) -> bool:
        """Whether a file waits, or is being completed."""
        return name in self._files

    def submit(self, path: Path, picture_until: float) -> Future[None]:
        """Complete a file; may be called in any thread.

        Args:
            path: the file.
            picture_until: the end of its last picture, in seconds from its beginning.

        Returns:
            What is done when the file is complete, or stays as it is.
        """
        future: Future[None] = Future()
        self._files[path.name] = future
        # A daemon: a slow disk must not keep the process from exiting.
        thread = threading.Thread(
            target=self._run,
            args=(path, picture_until, future),
            name=f"finishing {path.name}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system allows no more threads
            logger.warning("%s is not finished: %s", path.name, error)
            self._end(path, future)
        return future

    async def wait(self, names: Iterable[str]) -> None:
        """Wait until files are completed."""
        for name in names:
            future = self._files.get(name)
            if future is not None:
                # Whoever waits may be cancelled, but not the work.
                await asyncio.shield(asyncio.wrap_future(future))

    def abandon(self) -> None:
        """Leave all files as they are: the server ends."""
        self._is_abandoned.set()

    def _run(self, path: Path, picture_until: float, future: Future[None]) -> None:
        try:
            with self._one_at_a_time:
                if not self._is_abandoned.is_set():
                    self._finish(path, picture_until)
        except Abandoned:
            logger.info("%s keeps its index at the end", path.name)
        except (DamagedFileError, OSError) as error:
            logger.warning(
                "%s stays as it is, since it cannot be finished: %s", path.name, error
            )
        except Exception:
            logger.exception("%s is not finished", path.name)
        finally:
            self._end(path, future)

    def _finish(self, path: Path, picture_until: float) -> None:
        if path.suffix == ".mp4":
            needed = path.stat().st_size + self.min_free
            if free_octets(path.parent) < needed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            new = path.with_name(path.name + COPY)
            move_index(path, new, picture_until, self._is_abandoned.is_set)
        else:
            _extend_matroska(path, picture_until)

    def _end(self, path: Path, future: Future[None]) -> None:
        try:
            # Before those go on who wait for it, perhaps to end the server.
            if self.on_finished is not None:
                self.on_finished(path)
        finally:
            del self._files[path.name]
            future.set_result(None)


def _extend_matroska(path: Path, until: float) -> None:
    """Write the duration of a Matroska file, if the last picture lasts longer.

    Raises:
        DamagedFileError: when it ends within its duration; it is as it was.
        OSError: when it cannot be read or written.
    """
    descriptor = open_file(path, os.O_RDWR)
    try:
        offset = read_at(descriptor, _HEAD, 0).find(_DURATION)
        if offset < 0:
            return
        offset += len(_DURATION)
        octets = read_at(descriptor, 8, offset)
        if len(octets) < 8:
            raise DamagedFileError("it ends within its header")
        (duration,) = struct.unpack(">d", octets)
        if until * 1000 > duration:
            write_at(descriptor, struct.pack(">d", until * 1000), offset)
    finally:
        os.close(descriptor)
