"""What a first visit costs: requests, octets, time, and nothing that moves."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, Route, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST
from .test_stage import LAYOUT_SHIFT

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_REQUESTS = 12
MOST_OCTETS = 90_000
# Octets of the start page alone, compressed: over 400 kb/s each thousand takes 20 ms.
MOST_PAGE_OCTETS = 24_000
MOST_SHIFT = 0.01


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
    assert await page.evaluate(LAYOUT_SHIFT) < MOST_SHIFT

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


async def test_the_session_waits_for_nothing_but_the_page(
    server: ServerProcess, browser: Browser
) -> None:
    """How long that takes on a poor network: tests/interop/test_first_visit.py."""
    context = await browser.new_context()
    page = await context.new_page()
    # The script of the view never comes.
    await page.route("**/assets/app.*.js", lambda route: route.abort())
    async with page.expect_response(lambda found: "/whip/ping-" in found.url) as answer:
        await page.goto(server.url)
    assert (await answer.value).status == 201
    size = await page.evaluate(
        "() => performance.getEntriesByType('navigation')[0].transferSize"
    )
    assert size <= MOST_PAGE_OCTETS
    await context.close()


@pytest.mark.parametrize("path", ["/#admin", "/#publish"])
async def test_nothing_moves_when_the_scripts_are_late(
    server: ServerProcess, browser: Browser, path: str
) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()

    async def hold_up(route: Route) -> None:
        await asyncio.sleep(0.3)
        await route.continue_()

    await page.route("**/assets/**", hold_up)
    await page.goto(server.url + path)
    await settled(page, path)
    assert await page.evaluate(LAYOUT_SHIFT) < MOST_SHIFT
    await context.close()


async def test_a_view_that_cannot_be_loaded_says_what_to_do(
    server: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(server)
    frame.expects(FAILED_REQUEST)
    await frame.open_connected()
    await frame.page.route("**/assets/**", lambda route: route.abort())
    await frame.page.get_by_role("link", name="Streams", exact=True).click()
    problem = frame.page.locator("#not-loaded")
    await expect(problem).to_contain_text("then reload the page")
    # The other view goes on.
    await frame.page.get_by_role("link", name="Ping", exact=True).click()
    await frame.is_connected()
    await expect(problem).to_be_hidden()
