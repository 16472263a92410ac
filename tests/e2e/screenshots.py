"""Writes the pictures of the page in docs: python -m tests.e2e.screenshots"""

import asyncio
import re
import tempfile
from typing import Any, Literal

from playwright.async_api import Browser, async_playwright, expect

from tests.server import ROOT, ServerProcess

from .browser import find_chromium, launch_flags
from .command_publisher import publishing
from .ping_page import PingPage
from .publish_page import PublishPage, layers
from .stage_page import StagePage
from .watch_page import WatchPage

IMAGES = ROOT / "docs" / "images"
SIZE_LIMIT = 260_000


Scheme = Literal["light", "dark"]


async def open_page(browser: Browser, url: str, **options: Any) -> PingPage:
    size = {"width": 1280, "height": 720}
    context = await browser.new_context(**{"viewport": size, **options})
    return PingPage(await context.new_page(), url)


async def take(ping_page: PingPage) -> bytes:
    """A picture of a page, without anything marked in it, or under the mouse."""
    await ping_page.page.mouse.move(0, 0)
    await ping_page.run("() => document.activeElement.blur()")
    return await ping_page.page.screenshot()


async def take_ping(browser: Browser, url: str, scheme: Scheme) -> bytes:
    """A picture of the page while it pings."""
    ping_page = await open_page(browser, url, color_scheme=scheme)
    await ping_page.open_connected("/?stream=demo")
    await ping_page.ping_automatically()
    await expect(ping_page.answered).to_have_text(re.compile(r"^[3-9]\d$"))
    picture = await take(ping_page)
    await ping_page.page.context.close()
    return picture


async def take_publishing(browser: Browser, url: str) -> dict[str, bytes]:
    """Pictures of the page while it publishes, and of what is live then."""
    viewport = {"width": 1280, "height": 1310}
    publisher = PublishPage(await open_page(browser, url, viewport=viewport), "demo")
    await publisher.publish("Test pattern", "1280x720", bitrate=2500, simulcast=True)
    await publisher.until_received(
        lambda stream: (
            {layer["width"] for layer in layers(stream).values()} == {320, 640, 1280}
            and layers(stream)["f"]["bitrate"] > 1_500_000
        ),
        limit=60,
    )
    # The figures of the page follow.
    rate = publisher.row("Bitrate", "Video, layer f")
    await expect(rate).to_have_text(re.compile("Mb/s.*Mb/s"))
    publishing = await take(publisher.frame)
    await publisher.page.locator("#streams-link").click()
    stream = publisher.page.locator("article")
    await expect(stream.locator("canvas")).to_be_visible()
    await stream.get_by_role("button", name="Record demo").click()
    await expect(stream).to_contain_text("Recording since")
    await expect(stream).to_contain_text(re.compile("Live for 3\\d s"), timeout=60_000)
    await publisher.page.set_viewport_size({"width": 1280, "height": 720})
    streams = await take(publisher.frame)
    await publisher.page.context.close()
    return {"publish.png": publishing, "streams.png": streams}


async def take_watching(browser: Browser, url: str) -> dict[str, bytes]:
    """Pictures of the pages that play a test pattern."""
    viewport = {"width": 1280, "height": 890}
    viewer = WatchPage(await open_page(browser, url, viewport=viewport), "demo")
    stage = StagePage(await open_page(browser, url), "/watch/demo")
    options = ("--rate", "25", "--video-codec", "vp8")
    async with publishing(f"{url}/whip/demo", *options):
        await viewer.open()
        await viewer.plays()
        for name, text in (
            ("Resolution", "1280"),
            ("Bitrate", "Mb/s"),
            ("Delay", "ms"),
        ):
            await expect(viewer.figure(name)).to_contain_text(text)
        # As long as it takes until the bitrate is that of a whole second.
        await viewer.page.wait_for_timeout(5000)
        picture = await take(viewer.frame)
        await stage.open()
        await stage.plays()
        await expect(stage.viewers).to_have_text("2 viewers")
        # The controls are there while the pointer moves.
        await stage.page.mouse.move(640, 500)
        await stage.page.mouse.move(650, 500)
        await stage.page.wait_for_timeout(500)
        page = await stage.page.screenshot()
    await viewer.page.context.close()
    await stage.page.context.close()
    return {"watch.png": picture, "watch-page.png": page}


async def take_all() -> dict[str, bytes]:
    """The pictures by file name."""
    folder = tempfile.TemporaryDirectory()
    server = ServerProcess("--record", folder.name)
    try:
        await server.start()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=find_chromium(playwright.chromium.executable_path),
                args=launch_flags(),
            )
            pictures = {
                "ping-light.png": await take_ping(browser, server.url, "light"),
                "ping-dark.png": await take_ping(browser, server.url, "dark"),
                **await take_publishing(browser, server.url),
                **await take_watching(browser, server.url),
            }
            await browser.close()
            return pictures
    finally:
        await server.stop()
        folder.cleanup()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, picture in asyncio.run(take_all()).items():
        if len(picture) > SIZE_LIMIT:
            raise SystemExit(f"{name} would have {len(picture)} bytes")
        (IMAGES / name).write_bytes(picture)


if __name__ == "__main__":
    main()
