"""What the commands of the bench have in common: how they run, and on which cores."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import uvloop

from whipbird.client import WhipError

from .clients import BenchError
from .servers import ServerError

# What a trial may fail with; the next one is made all the same.
TRIAL_ERRORS = (BenchError, ServerError, TimeoutError, WhipError, ExceptionGroup)

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Cores:
    """Which CPU the client and the server under test have; None for any."""

    client: int | None
    server: int | None

    @classmethod
    def choose(cls) -> "Cores":
        """One for each, where there are two; this process is the client's."""
        available = sorted(os.sched_getaffinity(0))
        if len(available) < 2:
            return cls(None, None)
        os.sched_setaffinity(0, {available[0]})
        return cls(available[0], available[1])

    def __str__(self) -> str:
        if self.client is None:
            return "client and server share one core"
        return f"client on core {self.client}, each server on core {self.server}"


def run(command: Coroutine[Any, Any, int]) -> int:
    """Run a command, and return its exit status.

    What fails is said at the end, not logged. Ended by a signal, it ends its servers.
    """
    logging.disable(logging.CRITICAL)
    with (
        contextlib.suppress(asyncio.CancelledError),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_ended_by_signals(command))
    return INTERRUPTED


async def _ended_by_signals(command: Coroutine[Any, Any, int]) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await command


def say(progress: str) -> None:
    """Show what goes on, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)
