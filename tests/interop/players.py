"""Players of others in Chromium, on a page of another origin than the server's."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Page, Response

from .npm import install

PLAYERS = ("whip-whep", "@eyevinn/webrtc-player")
PACKAGES = ("whip-whep@1.2.0", "@eyevinn/webrtc-player@0.13.0", "esbuild@0.28.2")

SCRIPT = Path(__file__).with_name("players.mjs")
BUNDLE_LIMIT = 60.0

# Paths: of endpoints and sessions; of streams of events; of the choice of a layer.
SESSIONS = "/whep/[^/]+(/[^/]+)?"
EVENTS = SESSIONS + "/sse(/[^/]+)?"
LAYER = SESSIONS + "/layer"

_HTML = """<!doctype html>
<meta charset="utf-8">
<title>Players</title>
<link rel="icon" href="data:,">
<video muted autoplay playsinline></video>
"""

#: Makes `window.connections`: what a player uses, whatever it is called there.
NOTE_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
        super(...args);
        connections.push(this);
    }
};
"""

_PLAY = """async ([name, endpoint, token]) => {
    const { heard, players, shown, watch } = await import('/players.js');
    const video = document.querySelector('video');
    watch(video);
    Object.assign(window, { heard, shown });
    window.player = await players[name](video, endpoint, token);
}"""

_RECEIVED = """async (wanted) => {
    const report = await connections.at(-1).getStats();
    return [...report.values()].find(
        ({ type, kind }) => type === 'inbound-rtp' && kind === wanted) ?? {};
}"""


def bundle(cache: pytest.Cache | None) -> bytes:
    """The players as one module for a page.

    Skips the test where there is no Node.
    """
    folder = install(cache, *PACKAGES)
    command = (folder / "node_modules/.bin/esbuild", SCRIPT, "--bundle", "--format=esm")
    bundled = subprocess.run(
        (*command, "--log-level=warning"),
        check=True,
        stdout=subprocess.PIPE,
        timeout=BUNDLE_LIMIT,
        env=os.environ | {"NODE_PATH": str(folder / "node_modules")},
    )
    return bundled.stdout


@asynccontextmanager
async def serving(players: bytes) -> AsyncIterator[str]:
    """Serve the page with the players, and nothing else.

    Yields:
        Its URL.
    """

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_HTML, content_type="text/html")

    async def script(_: web.Request) -> web.Response:
        return web.Response(body=players, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/players.js", script)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


class PlayerPage:
    """The page, open.

    Attributes:
        problems: what was wrong, as the page and the browser have said.
        responses: of the server.
    """

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self.responses: list[Response] = []
        self._page = page
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def _on_response(self, response: Response) -> None:
        if "/whep/" in response.url:
            self.responses.append(response)

    def statuses(self, method: str, of: str = SESSIONS) -> list[int]:
        """Of the responses to a method.

        Args:
            of: the paths of what was asked for, as a regular expression.
        """
        return [
            response.status
            for response in self.responses
            if response.request.method == method
            and re.fullmatch(of, urlsplit(response.url).path)
        ]

    async def play(self, player: str, endpoint: str, token: str) -> None:
        """Have a player begin."""
        await self._page.evaluate(_PLAY, [player, endpoint, token])

    async def stop(self) -> None:
        """Have it end its session."""
        await self._page.evaluate("() => player.stop()")

    async def close(self) -> None:
        """Have it close its connection."""
        await self._page.evaluate("() => player.close()")

    async def choose(self, layer: dict[str, str]) -> None:
        """Have it ask for a layer, if it can."""
        await self._page.evaluate("(layer) => player.choose(layer)", layer)

    async def connects(self) -> None:
        """Wait until the connection stands."""
        await self._page.wait_for_function(
            "() => connections.at(-1)?.connectionState === 'connected'"
        )

    async def shown(self) -> dict[str, int]:
        """The ``width`` and ``height`` of the last picture, and how many ``pictures``
        were shown.
        """
        shown: dict[str, int] = await self._page.evaluate("() => ({ ...shown })")
        return shown

    async def shows(
        self, *sizes: tuple[int, int], more: int = 10, limit: float = 30.0
    ) -> tuple[int, int]:
        """Wait until as many more pictures were shown that have one of these sizes.

        Returns:
            The width and height of the last one.

        Raises:
            AssertionError: when that does not happen within `limit` seconds.
        """
        since = (await self.shown())["pictures"]
        try:
            async with asyncio.timeout(limit):
                while True:
                    shown = await self.shown()
                    size = shown["width"], shown["height"]
                    if size not in sizes:
                        since = shown["pictures"]
                    elif shown["pictures"] >= since + more:
                        return size
                    await asyncio.sleep(0.05)
        except TimeoutError:
            received = await self.received("video")
            text = f"{shown} of {received}, {self.problems}"
            raise AssertionError(text) from None

    async def hears(self, label: str, message: str) -> None:
        """Wait for a message on one of the server's data channels."""
        await self._page.wait_for_function(
            "(wanted) => heard.some((one) => `${one}` === `${wanted}`)",
            arg=[label, message],
        )

    async def received(self, kind: str) -> dict[str, Any]:
        """The browser's statistics of a kind (``RTCInboundRtpStreamStats``)."""
        received: dict[str, Any] = await self._page.evaluate(_RECEIVED, kind)
        return received


@asynccontextmanager
async def opened(browser: Browser, url: str) -> AsyncIterator[PlayerPage]:
    """Open the page in a context of its own."""
    context = await browser.new_context()
    try:
        await context.add_init_script(NOTE_CONNECTIONS)
        page = await context.new_page()
        player = PlayerPage(page)
        await page.goto(url)
        yield player
    finally:
        await context.close()
