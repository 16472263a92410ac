"""The process that starts the workers, passes signals on to them, and replaces them."""

import contextlib
import gc
import logging
import os
import secrets
import selectors
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..net.outboxes import make_inbox
from ..net.shard import Shard
from .context import (
    MAX_MESSAGE,
    RUNNING,
    Ports,
    Worker,
    WorkerState,
    read_ports,
    write_states,
)
from .terminal import has_terminal

logger = logging.getLogger(__name__)

# Seconds until a worker that has ended is replaced: at first, and at most. They double
# each time, until one has run for so many seconds.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
RECOVERED = 60.0

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_HEARD = (*_STOPPING, signal.SIGHUP, signal.SIGCHLD)


class _Slot:
    """The place of one worker, and the process in it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.control: socket.socket | None = None
        self.is_ready = False
        self.restarts = 0
        self.pause = FIRST_PAUSE
        self.began = 0.0
        # When it is to be started again.
        self.due: float | None = None

    @property
    def state(self) -> WorkerState:
        name = RUNNING if self.is_ready else "starting"
        return WorkerState(self.number, self.pid, name, self.restarts)


class Supervisor:
    """Runs workers until it is told to stop.

    It has no event loop and no threads of its own, so that it can fork: a worker has
    all modules at once, and shares their memory.

    Args:
        count: how many workers.
        work: runs one in its own process, and returns the exit code.
        started: called when all workers have started.
        stopping: called when it is told to stop.
        reloading: called when the settings are to be read again.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Worker], int],
        *,
        started: Callable[[], None],
        stopping: Callable[[], None],
        reloading: Callable[[], None],
    ) -> None:
        self._work = work
        self._started = started
        self._stopping = stopping
        self._reloading = reloading
        self._slots = [_Slot(number) for number in range(count)]
        self._inboxes = [make_inbox() for _ in range(count)]
        self._secret = secrets.token_bytes(32)
        self._ports: Ports | None = None
        self._selector = selectors.DefaultSelector()
        self._has_started = self._is_stopping = False
        self._code = 0
        self._had_terminal = has_terminal()

    def run(self) -> int:
        """Run the workers.

        Returns:
            The exit code: 0 when it was told to stop, and all have ended well.
        """
        with (
            tempfile.TemporaryDirectory(prefix="whipbird-") as folder,
            self._signals() as heard,
        ):
            self._folder = Path(folder)
            # What is here stays, and is shared as long as nobody changes it.
            gc.collect()
            gc.freeze()
            # The first one finds the ports that the others share.
            self._start(self._slots[0])
            while any(s.pid is not None or s.due is not None for s in self._slots):
                for key, _ in self._selector.select(self._until_due()):
                    if key.data is None:
                        for number in heard():
                            self._handle(number)
                    else:
                        self._hear(key.data)
                self._start_due()
        return self._code

    @contextlib.contextmanager
    def _signals(self) -> Iterator[Callable[[], list[int]]]:
        """Note signals; the context is the function that returns them."""
        readable, writable = socket.socketpair()
        with readable, writable:
            readable.setblocking(False)
            writable.setblocking(False)
            for number in _HEARD:
                # One that is ignored or ends the program would not be written.
                signal.signal(number, lambda *_: None)
            signal.set_wakeup_fd(writable.fileno(), warn_on_full_buffer=False)
            self._selector.register(readable, selectors.EVENT_READ, None)

            def heard() -> list[int]:
                with contextlib.suppress(BlockingIOError):
                    return list(dict.fromkeys(readable.recv(4096)))
                return []

            try:
                yield heard
            finally:
                signal.set_wakeup_fd(-1)
                self._selector.close()

    def _handle(self, number: int) -> None:
        if number == signal.SIGCHLD:
            for slot in self._slots:
                self._reap(slot)
        elif number == signal.SIGHUP and (not self._had_terminal or has_terminal()):
            self._reloading()
            self._signal_all(signal.SIGHUP)
        else:
            self._stop()

    def _stop(self) -> None:
        """Tell all workers to stop; the second time, to do so at once.

        The service manager may have sent them SIGTERM, too: it counts once.
        """
        number = signal.SIGINT if self._is_stopping else signal.SIGTERM
        if not self._is_stopping:
            self._is_stopping = True
            self._stopping()
        for slot in self._slots:
            slot.due = None
        self._signal_all(number)

    def _signal_all(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid is not None:
                # It is not reaped yet, so the number is still its own.
                os.kill(slot.pid, number)

    # Workers

    def _start(self, slot: _Slot) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker = Worker(
            shard=Shard(slot.number, len(self._slots)),
            inbox=self._inboxes[slot.number][0],
            outboxes=tuple(writable for _, writable in self._inboxes),
            control=theirs,
            folder=self._folder,
            secret=self._secret,
            ports=self._ports,
        )
        sys.stdout.flush()
        sys.stderr.flush()
        slot.due, slot.began = None, time.monotonic()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(worker)
        theirs.close()
        slot.pid, slot.control, slot.is_ready = pid, ours, False
        self._selector.register(ours, selectors.EVENT_READ, slot)

    def _become(self, worker: Worker) -> None:
        """Be a worker, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _HEARD:
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for slot in self._slots:
                if slot.control is not None:
                    slot.control.close()
            # Signals of the terminal come by the supervisor, and so once.
            os.setsid()
            # The service manager hears the supervisor alone.
            os.environ.pop("NOTIFY_SOCKET", None)
            code = self._work(worker)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            logger.exception("Worker %d has failed", worker.shard.number)
        finally:
            logging.shutdown()
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)

    def _hear(self, slot: _Slot) -> None:
        """Read what a worker says: that it is ready, or its end."""
        if slot.control is None:
            return  # Its end was noted in this turn.
        try:
            octets = slot.control.recv(MAX_MESSAGE)
        except ConnectionError:
            octets = b""  # It has ended, and has not read all.
        if not octets:
            # It ends; SIGCHLD says how.
            self._selector.unregister(slot.control)
            return
        slot.is_ready = True
        self._ports = self._ports or read_ports(octets)
        for other in self._slots:
            if other.pid is None and other.due is None and not self._has_started:
                self._start(other)
        if not self._has_started and all(s.is_ready for s in self._slots):
            self._has_started = True
            self._started()
        self._tell_states()

    def _tell_states(self) -> None:
        """Tell all workers how each of them is."""
        states = write_states([slot.state for slot in self._slots])
        for slot in self._slots:
            if slot.is_ready and slot.control is not None:
                # One that reads nothing hears the next time.
                with contextlib.suppress(OSError):
                    slot.control.send(states, socket.MSG_DONTWAIT)

    def _reap(self, slot: _Slot) -> None:
        """Note the end of a worker, and have it replaced."""
        if slot.pid is None:
            return
        pid, status = os.waitpid(slot.pid, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        was_ready, slot.pid, slot.is_ready = slot.is_ready, None, False
        assert slot.control is not None
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(slot.control)
        slot.control.close()
        slot.control = None
        if self._is_stopping:
            self._code = max(self._code, 1 if code else 0)
            return
        if not self._has_started:
            # It has said why.
            self._code = code if code > 0 else 1
            self._stop()
            return
        self._replace(slot, code, was_ready=was_ready)
        self._tell_states()

    def _replace(self, slot: _Slot, code: int, *, was_ready: bool) -> None:
        now = time.monotonic()
        if was_ready and now - slot.began > RECOVERED:
            slot.pause = FIRST_PAUSE
        slot.restarts += 1
        slot.due = now + slot.pause
        how = f"exit code {code}"
        if code < 0:
            how = signal.Signals(-code).name
        logger.error(
            "Worker %d has ended (%s); it starts again in %g s",
            *(slot.number, how, slot.pause),
        )
        slot.pause = min(2 * slot.pause, LONGEST_PAUSE)

    def _until_due(self) -> float | None:
        """Seconds until a worker is to be started; None when none is."""
        due = [slot.due for slot in self._slots if slot.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.due is not None and slot.due <= now:
                self._start(slot)
