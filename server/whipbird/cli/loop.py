"""The event loop of the commands, and their interruption by signals."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from ..workers.terminal import has_terminal

# What ends a program: Ctrl+C, the system's services, and Ctrl+Break on Windows.
_ENDING = ("SIGINT", "SIGTERM", "SIGBREAK")


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on the best event loop there is.

    Returns:
        The exit code that the coroutine returns.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop of uvloop, if installed: its sockets cost less CPU.

    The default loop of Windows cannot watch sockets; there it is the selector loop.
    """
    try:
        import uvloop
    except ImportError:
        if sys.platform == "win32":
            return asyncio.SelectorEventLoop()
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextlib.contextmanager
def interruptions(interrupt: Callable[[], object]) -> Iterator[None]:
    """Call a function in the running loop whenever the program is told to end.

    After the block, a signal ends it at once.
    """
    loop = asyncio.get_running_loop()
    numbers = [signal.Signals[name] for name in _ENDING if hasattr(signal, name)]
    with contextlib.ExitStack() as stack:
        try:
            for number in numbers:
                loop.add_signal_handler(number, interrupt)
                stack.callback(loop.remove_signal_handler, number)
        except NotImplementedError:
            stack.enter_context(_wake_for_signals(loop))
            for number in numbers:
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(interrupt))
        try:
            yield
        finally:
            stack.close()
            for number in numbers:
                signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def reloads(
    reload: Callable[[], object], hang_up: Callable[[], object]
) -> Iterator[None]:
    """Call a function in the running loop at each SIGHUP, where there is that signal.

    Args:
        hang_up: called instead when the terminal of the program has been closed: the
            system sends the same signal then.
    """
    loop, had_terminal = asyncio.get_running_loop(), has_terminal()

    def hear() -> None:
        (hang_up if had_terminal and not has_terminal() else reload)()

    with contextlib.ExitStack() as stack:
        number = getattr(signal, "SIGHUP", None)
        if number is not None:
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, hear)
                stack.callback(loop.remove_signal_handler, number)
        yield


@contextlib.contextmanager
def _wake_for_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let a signal end the loop's wait: Windows waits on, and handles it afterwards."""
    readable, writable = socket.socketpair()
    with readable, writable:
        readable.setblocking(False)
        writable.setblocking(False)
        loop.add_reader(readable.fileno(), readable.recv, 64)
        before = signal.set_wakeup_fd(writable.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(readable.fileno())


async def until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends, or cancel it when the user interrupts it.

    Raises:
        Exception: what the work raises.
    """
    stop = asyncio.Event()
    with interruptions(stop.set):
        running = asyncio.create_task(work)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
