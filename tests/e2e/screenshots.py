"""Writes the README's pictures of the page: python -m tests.e2e.screenshots"""

import asyncio
import re
from typing import Literal

from playwright.async_api import Browser, async_playwright, expect

from tests.server import ROOT, ServerProcess

from .browser import find_chromium, launch_flags
from .ping_page import PingPage

IMAGES = ROOT / "docs" / "images"
SIZE_LIMIT = 200_000


async def take(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> bytes:
    """A picture of the page while it pings."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 720}, color_scheme=scheme
    )
    ping_page = PingPage(await context.new_page(), url)
    await ping_page.open_connected("/?stream=demo")
    await ping_page.ping_automatically()
    await expect(ping_page.answered).to_have_text(re.compile(r"^[3-9]\d$"))
    await ping_page.run("() => document.activeElement.blur()")
    picture = await ping_page.page.screenshot()
    await context.close()
    return picture


async def take_all() -> dict[str, bytes]:
    """The pictures by file name."""
    server = ServerProcess()
    try:
        await server.start()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=find_chromium(playwright.chromium.executable_path),
                args=launch_flags(),
            )
            pictures = {
                "ping-light.png": await take(browser, server.url, "light"),
                "ping-dark.png": await take(browser, server.url, "dark"),
            }
            await browser.close()
            return pictures
    finally:
        await server.stop()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, picture in asyncio.run(take_all()).items():
        if len(picture) > SIZE_LIMIT:
            raise SystemExit(f"{name} would have {len(picture)} bytes")
        (IMAGES / name).write_bytes(picture)


if __name__ == "__main__":
    main()
