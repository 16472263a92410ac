"""The event loop of the commands, and their interruption by signals."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine, on uvloop if installed: its sockets cost less CPU.

    Returns:
        The exit code that the coroutine returns.
    """
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends, or cancel it when the user interrupts it.

    Raises:
        Exception: what the work raises.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt(number: int) -> None:
        stop.set()
        # A second signal ends the process at once.
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    running = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
