"""Lines of a log, written in a thread: nobody waits for whoever reads them."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

# Characters that wait at most; then further lines are dropped.
MAX_WAITING = 1024 * 1024

# Seconds between two writes: a busy log is written in few and large pieces. This much
# of it may be lost when the process is killed.
PAUSE = 0.01

# Seconds that are waited at the end for what was not written yet.
GRACE = 2.0


class LineWriter:
    """Writes lines to a stream that may stop, as a pipe does that nobody reads.

    Args:
        stream: where they are written.
        describe: returns a line that says how many lines were dropped.
        max_waiting: how many characters may wait.

    Attributes:
        stream: where they are written.
        dropped: lines that were not written so far.
    """

    def __init__(
        self,
        stream: TextIO,
        describe: Callable[[int], str],
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.dropped = 0
        self.stream = stream
        self._describe = describe
        self._max_waiting = max_waiting
        # Those that wait; the characters of these and of those being written.
        self._waiting: deque[str] = deque()
        self._size = 0
        self._told = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Add a line, or drop it when too much waits; it does not wait."""
        with self._lock:
            if self._size + len(line) > self._max_waiting:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._size += len(line)
            if self._thread is None:
                self._start()
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Wait until all is written, but not long."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(GRACE)

    def _start(self) -> None:
        # A daemon: a pipe that nobody reads must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait()
            self._wake.clear()
            is_last = self._closing.is_set()
            while self._write_waiting():
                pass
            self._closing.wait(PAUSE)

    def _write_waiting(self) -> bool:
        """Write what waits.

        Returns:
            Whether there was anything.
        """
        with self._lock:
            lines = list(self._waiting)
            self._waiting.clear()
            dropped = self.dropped - self._told
            self._told = self.dropped
        if not lines and not dropped:
            return False
        text = "".join(lines)
        size = len(text)
        if dropped:
            text += self._describe(dropped)
        is_written = _write(self.stream, text)
        with self._lock:
            self._size -= size
            if not is_written:
                # Whoever read it has gone: there is nobody to be told.
                self.dropped = self._told = self.dropped + len(lines)
        return True


def _write(stream: TextIO, text: str) -> bool:
    """Write to a stream; return whether it took all."""
    descriptor = None
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = stream.fileno()
    try:
        if descriptor is None:
            stream.write(text)
            stream.flush()
            return True
        # Not through the stream, whose lock the interpreter needs to exit.
        data = memoryview(text.encode(stream.encoding or "utf-8", "backslashreplace"))
        while data:
            data = data[os.write(descriptor, data) :]
    except (OSError, ValueError):
        return False
    return True
