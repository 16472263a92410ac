"""A process of a test, and what it writes."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# Seconds for what takes one of them on a machine that is not busy.
LIMIT = 120.0


class Program:
    """A process of a test.

    Args:
        process: with pipes for its input and its output; its errors go there, too.

    Attributes:
        output: what it has written so far.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._changed.set())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._lines.append(line.decode(errors="replace").rstrip("\n"))
            self._changed.set()
        await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return not self._reading.done()

    @property
    def output(self) -> str:
        return "\n".join(self._lines)

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object that the output is, or its last line."""
        text = self.output if self.output.startswith("{") else self._lines[-1]
        result: dict[str, Any] = json.loads(text)
        return result

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def count(self, text: str) -> int:
        """The lines that have a text in them."""
        return sum(text in line for line in self._lines)

    async def writes(self, text: str, times: int = 1, limit: float = LIMIT) -> None:
        """Wait until so many lines have a text in them.

        Raises:
            AssertionError: when it ends, or takes longer.
        """
        await self._until(lambda: self.count(text) >= times, limit)
        assert self.count(text) >= times, f"it never wrote {text!r}:\n{self.output}"

    async def ended(self, limit: float = LIMIT) -> int:
        """Wait for the end.

        Returns:
            The exit code.

        Raises:
            AssertionError: when it takes longer.
        """
        await self._until(lambda: False, limit)
        assert self._process.returncode is not None, f"it runs on:\n{self.output}"
        return self._process.returncode

    async def _until(self, condition: Callable[[], object], limit: float) -> None:
        """Wait for a condition, the end of the process, or the limit."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not condition() and not self._reading.done():
                    self._changed.clear()
                    await self._changed.wait()

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as its user does.

        Returns:
            The exit code.
        """
        self._process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        """End it abruptly, if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self._reading
