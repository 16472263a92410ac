"""Chromium and Firefox in a namespace, and their pages."""

import json
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Browser as Playwrights
from playwright.async_api import Page, Playwright, Route
from yarl import URL

from tests.e2e.browser import find_chromium, launch_flags
from tests.interop import firefox as interop
from tests.interop.npm import TestsCache

from ..servers import Endpoint
from .lab import enter

_SCRIPT = Path(__file__).with_name("page.js")
# Seconds for a session to be set up, and for the first picture.
_TIMEOUT = 40.0


class Tab(Protocol):
    """A page of the bench's, in the origin of the server."""

    async def watch(self, endpoint: Endpoint) -> None:
        """Watch a stream, and return with its first picture."""

    async def publish(self, endpoint: Endpoint) -> None:
        """Publish a pretended camera, and return when it is connected."""

    async def look(self) -> dict[str, Any]:
        """The statistics, and when the pictures since the last look were shown."""


class Browser(Protocol):
    """A browser that runs."""

    def tab(self, server: str) -> AbstractAsyncContextManager[Tab]:
        """Open a page in the origin of a server."""


@asynccontextmanager
async def chromium(
    playwright: Playwright, namespace: str, trusted: str, *, goes_first: bool = False
) -> AsyncIterator[Playwrights]:
    """Start a Chromium in a namespace, and end it when done.

    Args:
        trusted: an origin whose pages may use the camera, which is pretended.
        goes_first: see ``lab.enter``.
    """
    found = find_chromium(playwright.chromium.executable_path)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "chromium"
        entering = enter(namespace, goes_first=goes_first)
        program.write_text(f'#!/bin/sh\nset -- {found} "$@"\n{entering}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=[
                *launch_flags(),
                "--autoplay-policy=no-user-gesture-required",
                f"--unsafely-treat-insecure-origin-as-secure={trusted}",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()


class Chromium:
    """A Chromium.

    Args:
        browser: as Playwright has it.
    """

    def __init__(self, browser: Playwrights) -> None:
        self._browser = browser

    @asynccontextmanager
    async def tab(self, server: str) -> AsyncIterator[Tab]:
        """Open a page in the origin of a server, which does not see these requests."""
        context = await self._browser.new_context()
        context.set_default_timeout(_TIMEOUT * 1000)
        origin = URL(server).origin()
        try:
            page = await context.new_page()
            await page.route(str(origin / "bench"), _serve_page)
            await page.route(str(origin / "bench.js"), _serve_script)
            await page.goto(str(origin / "bench"))
            yield _ChromiumTab(page)
        finally:
            await context.close()


class _ChromiumTab:
    def __init__(self, page: Page) -> None:
        self._page = page

    async def watch(self, endpoint: Endpoint) -> None:
        await self._run("watch", endpoint)

    async def publish(self, endpoint: Endpoint) -> None:
        await self._run("publish", endpoint)

    async def look(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._page.evaluate(
            "async () => (await import('/bench.js')).look()"
        )
        return found

    async def _run(self, action: str, endpoint: Endpoint) -> None:
        await self._page.evaluate(
            f"async ([url, token]) => (await import('/bench.js')).{action}(url, token)",
            [endpoint.url, endpoint.token],
        )


async def _serve_page(route: Route) -> None:
    await route.fulfill(content_type="text/html", body="<!doctype html><body>")


async def _serve_script(route: Route) -> None:
    await route.fulfill(content_type="text/javascript", body=_SCRIPT.read_text())


@asynccontextmanager
async def firefox(namespace: str) -> AsyncIterator[Browser]:
    """Start a Firefox in a namespace, and end it when done."""
    async with interop.running(
        TestsCache(), namespace, preferences=_INSECURE_CAMERA
    ) as running:
        yield _Firefox(running)


# A page that is served over HTTP may use the camera, which is pretended.
_INSECURE_CAMERA = {
    "media.devices.insecure.enabled": True,
    "media.getusermedia.insecure.enabled": True,
}


class _Firefox:
    def __init__(self, running: interop.Firefox) -> None:
        self._running = running

    @asynccontextmanager
    async def tab(self, server: str) -> AsyncIterator[Tab]:
        """Open a page in the origin of a server: an empty one of the server's."""
        page = self._running.page()
        try:
            await page.open(str(URL(server).origin() / "healthz"))
            script = _SCRIPT.read_text().replace("export ", "")
            await page.run(
                f"globalThis.bench = (() => {{ {script}\n"
                "return { watch, publish, look }; })(), null"
            )
            yield _FirefoxTab(page)
        finally:
            await page.close()


class _FirefoxTab:
    def __init__(self, page: interop.FirefoxPage) -> None:
        self._page = page

    async def watch(self, endpoint: Endpoint) -> None:
        await self._run("watch", endpoint.url, endpoint.token)

    async def publish(self, endpoint: Endpoint) -> None:
        await self._run("publish", endpoint.url, endpoint.token)

    async def look(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._run("look")
        return found

    async def _run(self, action: str, *arguments: str | None) -> Any:
        given = ", ".join(map(json.dumps, arguments))
        return await self._page.run(f"bench.{action}({given})")
