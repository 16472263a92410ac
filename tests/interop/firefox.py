"""Firefox, in a process of its own, with the server's page."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from . import npm
from .players import NOTE_CONNECTIONS

PACKAGE = "puppeteer-core@24.43.1"
DRIVER = Path(__file__).with_name("firefox.mjs")

# Seconds for a call, and for the start and the end of Firefox; a machine that has much
# else to do takes long.
LIMIT = 90.0
# Octets of a line; that of an SDP has several thousand.
LINE_LIMIT = 1 << 20

#: How a page is asked again and again: frames of hidden pages are not drawn.
_POLLING = {"polling": 100}


def find() -> str:
    """Firefox. Skips the test where it is not installed."""
    program = shutil.which("firefox-esr")
    if program is None:
        pytest.skip("firefox-esr is not installed")
    return program


class FirefoxError(Exception):
    """A call has failed; the message is that of the driver."""


class Firefox:
    """A running Firefox; see `running`.

    Attributes:
        version: for example ``firefox/140.0``.
        problems: what went wrong on its pages, as they and the browser have said.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.version = ""
        self.pid: int | None = None
        self.problems: list[str] = []
        self._process = process
        self._calls = count(1)
        self._pages = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._started = self._answer_of(0)
        self._reading = asyncio.create_task(self._read())

    def _answer_of(self, number: int) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        return answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "problem" in message:
                self.problems.append(message["problem"])
                continue
            answer = self._answers.pop(message["id"])
            if answer.done():  # nobody waits any more
                continue
            if "error" in message:
                answer.set_exception(FirefoxError(message["error"]))
            else:
                answer.set_result(message["value"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(FirefoxError("the driver has ended"))

    async def start(self) -> None:
        """Wait until it runs."""
        started = await asyncio.wait_for(self._started, LIMIT)
        self.version = started["version"]
        self.pid = started["pid"]

    async def call(self, page: int, method: str, *arguments: object) -> Any:
        """Call a method of a page.

        Raises:
            FirefoxError: when it fails.
        """
        assert self._process.stdin is not None
        number = next(self._calls)
        answer = self._answer_of(number)
        line = {"id": number, "page": page, "method": method, "args": arguments}
        self._process.stdin.write(f"{json.dumps(line)}\n".encode())
        return await asyncio.wait_for(answer, 2 * LIMIT)

    def page(self) -> "FirefoxPage":
        """A new page, in a window of its own."""
        return FirefoxPage(self, next(self._pages))

    async def end(self) -> None:
        """End it; by force, if it does not end in time."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), LIMIT)
        except TimeoutError:
            self._process.kill()
            if self.pid is not None:
                # Its own group, with the processes of its pages.
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            raise
        finally:
            await self._reading


class FirefoxPage:
    """A page in Firefox; what its scripts see has `connections`, all that it makes."""

    def __init__(self, firefox: Firefox, number: int) -> None:
        self._firefox = firefox
        self._number = number

    async def open(self, url: str, *scripts: str) -> None:
        """Open a page, in which scripts run before its own."""
        for script in (NOTE_CONNECTIONS, *scripts):
            await self._call("evaluateOnNewDocument", script)
        await self._call("goto", url)

    async def close(self) -> None:
        await self._call("close")

    async def click(self, selector: str) -> None:
        await self._call("click", selector)

    async def type(self, selector: str, text: str) -> None:
        """Type into a field; a line break is the Enter key."""
        await self._call("type", selector, text)

    async def select(self, selector: str, value: str) -> None:
        """Select an option by its value."""
        await self._call("select", selector, value)

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON has it."""
        return await self._call("evaluate", expression)

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            AssertionError: with what the page shows, when that takes too long.
        """
        try:
            await self._call("waitForFunction", expression, _POLLING)
        except FirefoxError as error:
            shown = await self.run("document.body.innerText")
            problems = self._firefox.problems
            text = f"never {expression} ({error}): {problems}\n{shown}"
            raise AssertionError(text) from None

    async def text(self, selector: str) -> str:
        """The text of an element."""
        return str(await self.run(f"document.querySelector('{selector}').textContent"))

    async def shows(self, selector: str, text: str) -> None:
        """Wait until an element has exactly this text."""
        await self.until(
            f"document.querySelector('{selector}')?.textContent === {json.dumps(text)}"
        )

    async def _call(self, method: str, *arguments: object) -> Any:
        return await self._firefox.call(self._number, method, *arguments)


@asynccontextmanager
async def running(
    cache: npm.Cache | None,
    namespace: str | None = None,
    *,
    enter: Sequence[str] = (),
    preferences: Mapping[str, bool] = MappingProxyType({}),
) -> AsyncIterator[Firefox]:
    """Run Firefox without a window, with a fresh profile.

    Skips the test where Firefox or Node is missing.

    Args:
        namespace: the network namespace that it runs in; None for that of the tests.
        enter: a command in front of the program, which enters one without a name.
        preferences: further ones, as in ``about:config``.
    """
    if namespace:
        enter = ("ip", "netns", "exec", namespace)
    program = find()
    library = npm.install(cache, PACKAGE)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Firefox may still write into it while it is removed.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        job = Path(folder) / "job.json"
        job.write_text(
            json.dumps(
                {
                    "library": str(library),
                    "program": program,
                    "folder": profile,
                    "timeout": 1000 * LIMIT,
                    "preferences": dict(preferences),
                }
            )
        )
        process = await asyncio.create_subprocess_exec(
            *(*enter, "node", str(DRIVER), str(job)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
        )
        firefox = Firefox(process)
        try:
            await firefox.start()
            yield firefox
        finally:
            await firefox.end()
