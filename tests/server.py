"""A real server process for the tests: started, killed, frozen, started again."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import until

ROOT = Path(__file__).parents[1]
# Seconds; a machine that has much else to do takes long to start a process.
START_LIMIT = 120.0
STOP_LIMIT = 60.0


# Below those that the system gives out: a browser's socket may have one of these before
# a server does.
_PORTS = range(10_000, 32_768)


def free_port() -> int:
    """A port that nobody has, neither of TCP nor of UDP."""
    while True:
        port = random.choice(_PORTS)
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("", port))
            udp.bind(("", port))
            return port


class ServerProcess:
    """``whipbird serve`` on a port of its own, which it keeps over restarts.

    Args:
        options: those of the command.
        command: what Python runs as ``whipbird``.
    """

    def __init__(
        self, *options: str, command: Sequence[str] = ("-m", "whipbird")
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self._state = tempfile.TemporaryDirectory()

    async def start(self) -> None:
        """Start the process and wait until it is healthy.

        Raises:
            RuntimeError: with the server's output, when it does not get there.
        """
        # Ignore the developer's own settings of a server.
        env = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
        env["XDG_STATE_HOME"] = self._state.name
        self._process = await asyncio.create_subprocess_exec(
            # Not what lies in the working directory.
            *(sys.executable, "-P", *self._command, "serve"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *self._options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            cwd=tempfile.gettempdir(),
            env=env,
        )
        try:
            async with asyncio.timeout(START_LIMIT):
                while not await self._is_healthy():
                    if self._process.returncode is not None:
                        raise RuntimeError(f"the server ended:\n{self.output}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(f"the server is not healthy:\n{self.output}") from None

    async def terminate(self) -> None:
        """End the process as an operator does."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        try:
            await self.end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()
            raise RuntimeError(f"the server ignored SIGTERM:\n{self.output}") from None

    async def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end.

        Returns:
            The exit code.

        Raises:
            TimeoutError: when it does not end in time.
        """
        assert self._process is not None
        self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), STOP_LIMIT)

    async def wait(self) -> int:
        """Wait until the process has ended; return its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process, if it still runs, and forget its output."""
        try:
            await self.terminate()
            output = self.output
            assert "Traceback" not in output, f"a fault of the server:\n{output}"
        finally:
            self._output.close()
            self._state.cleanup()

    async def kill(self) -> None:
        """End the process abruptly: nobody is told anything."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def freeze(self) -> None:
        """Stop the process where it stands; it keeps its sockets."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """The output of the process so far."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    async def logged(self, text: str) -> None:
        """Wait until the output has a text: the log may be late."""
        await until(lambda: text in self.output)

    async def status(self) -> dict[str, Any]:
        """The status of the server."""
        headers = {}
        if "--token" in self._options:
            token = self._options[self._options.index("--token") + 1]
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(f"{self.url}/api/status") as response,
        ):
            status: dict[str, Any] = await response.json()
            return status

    async def open_sessions(self) -> int:
        """How many sessions the server says it has."""
        return int((await self.status())["sessions"]["open"])

    async def wait_for_sessions(self, count: int, limit: float = 20.0) -> None:
        """Wait until the server has exactly this many sessions.

        Raises:
            AssertionError: when it does not within `limit` seconds.
        """
        seen = -1
        try:
            async with asyncio.timeout(limit):
                # Nothing in another process to await.
                while (seen := await self.open_sessions()) != count:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{seen} sessions open, not {count}") from None

    async def _is_healthy(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self.url}/healthz") as response,
            ):
                return response.status == 200
        except aiohttp.ClientError:
            return False
