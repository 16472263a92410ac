"""What a first visit costs: requests, octets, time, and nothing that moves."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from tests.server import ServerProcess

from .test_stage import LAYOUT_SHIFT

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_REQUESTS = 12
MOST_OCTETS = 90_000

#: A poor connection: milliseconds of a round trip, and octets per second.
RTT = 300
RATE = 400_000 // 8


class Traffic:
    """The requests of a page, and the octets of their responses with the headers."""

    def __init__(self, session: CDPSession) -> None:
        self.urls: list[str] = []
        self.octets = 0
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)

    def _sent(self, event: dict[str, Any]) -> None:
        self.urls.append(f"{event['request']['method']} {event['request']['url']}")

    def _finished(self, event: dict[str, Any]) -> None:
        self.octets += int(event["encodedDataLength"])


async def settled(page: Page, path: str) -> None:
    """Wait until the page does what it is for."""
    if path.startswith(("/watch", "/embed")):
        await expect(page.locator(".cover-title")).to_contain_text("is not live yet")
    elif path.startswith("/#streams"):
        await expect(page.locator("#streams-note")).to_contain_text("live")
        await expect(page.locator("#recordings-note")).not_to_contain_text("Asking")
    elif path == "/":
        await expect(page.locator("#state-word")).to_have_text("Connected")
    else:
        await expect(page.locator("h1:visible")).to_have_count(1)
    await page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(
    "path", ["/", "/#publish", "/#streams", "/watch/nobody", "/embed/nobody", "/none"]
)
async def test_a_first_visit_costs_little(
    server: ServerProcess, browser: Browser, path: str
) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    traffic = Traffic(session)
    await session.send("Network.enable")
    await page.goto(server.url + path)
    await settled(page, path)
    assert len(traffic.urls) <= MOST_REQUESTS, traffic.urls
    assert 2_000 < traffic.octets <= MOST_OCTETS
    assert await page.evaluate(LAYOUT_SHIFT) <= 0.05

    # A second visit loads the page alone, and learns that it is unchanged.
    traffic.urls.clear()
    await page.goto("about:blank")
    await page.goto(server.url + path)
    await settled(page, path)
    again = [url for url in traffic.urls if "/assets/" in url]
    statuses = await page.evaluate(
        """() => performance.getEntriesByType('resource')
            .filter(({ name }) => name.includes('/assets/'))
            .map(({ transferSize }) => transferSize)"""
    )
    assert len(statuses) >= 2, again
    assert sum(statuses) == 0
    await context.close()


async def test_it_is_connected_soon_on_a_poor_network(
    server: ServerProcess, browser: Browser
) -> None:
    """Three seconds are the aim; a busy machine may take longer, not so many trips."""
    context = await browser.new_context()
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": RTT,
            "downloadThroughput": RATE,
            "uploadThroughput": RATE,
        },
    )
    clock = asyncio.get_running_loop().time
    began = clock()
    await page.goto(server.url, wait_until="commit")
    await page.locator("#state-word", has_text="Connected").wait_for()
    took = clock() - began
    print(f"connected after {took:.2f} s")  # noqa: T201
    assert took < 10
    await context.close()
