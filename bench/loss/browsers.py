"""Chromium in a namespace, and its pages."""

import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Playwright, Route
from yarl import URL

from tests.e2e.browser import find_chromium, launch_flags

from .lab import enter

_SCRIPT = Path(__file__).with_name("page.js")
# Seconds for a session to be set up, and for the first picture.
_TIMEOUT = 40.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to publish or to watch.

    Attributes:
        url: of WHIP or WHEP.
        token: a Bearer token; None for none.
    """

    url: str
    token: str | None = None


@asynccontextmanager
async def chromium(
    playwright: Playwright, namespace: str, trusted: str
) -> AsyncIterator[Browser]:
    """Start a Chromium in a namespace, and end it when done.

    Args:
        trusted: an origin whose pages may use the camera, which is pretended.
    """
    found = find_chromium(playwright.chromium.executable_path)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "chromium"
        program.write_text(f'#!/bin/sh\nset -- {found} "$@"\n{enter(namespace)}\n')
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


class Tab:
    """A page of the bench's, in the origin of the server."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def watch(self, endpoint: Endpoint) -> None:
        """Watch a stream, and return with its first picture."""
        await self._run("watch", endpoint)

    async def publish(self, endpoint: Endpoint) -> None:
        """Publish a pretended camera, and return when it is connected."""
        await self._run("publish", endpoint)

    async def look(self) -> dict[str, Any]:
        """The statistics, and when the pictures since the last look were shown."""
        found: dict[str, Any] = await self._page.evaluate(
            "async () => (await import('/bench.js')).look()"
        )
        return found

    async def _run(self, action: str, endpoint: Endpoint) -> None:
        await self._page.evaluate(
            f"async ([url, token]) => (await import('/bench.js')).{action}(url, token)",
            [endpoint.url, endpoint.token],
        )


@asynccontextmanager
async def tab(browser: Browser, server: str) -> AsyncIterator[Tab]:
    """Open a page in the origin of a server, which does not see these requests."""
    context = await browser.new_context()
    context.set_default_timeout(_TIMEOUT * 1000)
    origin = URL(server).origin()
    try:
        page = await context.new_page()
        await page.route(str(origin / "bench"), _serve_page)
        await page.route(str(origin / "bench.js"), _serve_script)
        await page.goto(str(origin / "bench"))
        yield Tab(page)
    finally:
        await context.close()


async def _serve_page(route: Route) -> None:
    await route.fulfill(content_type="text/html", body="<!doctype html><body>")


async def _serve_script(route: Route) -> None:
    await route.fulfill(content_type="text/javascript", body=_SCRIPT.read_text())
