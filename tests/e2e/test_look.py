"""Small screens, dark screens, keyboards, screen readers."""

import asyncio
import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Route, ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL_PHONE: ViewportSize = {"width": 320, "height": 568}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}

AXE_OPTIONS: dict[str, Any] = {
    "resultTypes": ["violations"],
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
}


async def assert_accessible(ping_page: PingPage) -> None:
    results = await Axe().run(ping_page.page, options=AXE_OPTIONS)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("viewport", [PHONE, SMALL_PHONE], ids=["phone", "small"])
async def test_fits_a_phone(
    server: ServerProcess, open_page: OpenPage, viewport: ViewportSize
) -> None:
    ping_page = await open_page(
        server, viewport=viewport, is_mobile=True, has_touch=True
    )
    await ping_page.open_connected()
    await ping_page.ping_once()
    await expect(ping_page.ping).to_be_in_viewport(ratio=1)
    await expect(ping_page.rtt).to_be_in_viewport(ratio=1)
    await expect(ping_page.state).to_be_in_viewport(ratio=1)
    assert not await ping_page.scrolls_sideways()
    for summary in await ping_page.page.locator("summary").all():
        await summary.tap()
    assert not await ping_page.scrolls_sideways()
    await ping_page.connect.tap()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    assert not await ping_page.scrolls_sideways()


async def test_an_error_leaves_ping_in_sight_on_a_phone(
    server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(server, viewport=PHONE)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_be_in_viewport(ratio=1)
    await expect(ping_page.ping).to_be_in_viewport(ratio=1)
    assert not await ping_page.scrolls_sideways()
    # Its words can be put away, and are there again for another problem.
    words = ping_page.page.locator("#problem-text")
    await ping_page.page.get_by_role("button", name="Less").click()
    await expect(words).to_be_hidden()
    await expect(ping_page.try_now).to_be_in_viewport(ratio=1)
    await ping_page.page.get_by_role("button", name="More").click()
    await expect(words).to_be_visible()
    await ping_page.page.get_by_role("button", name="Less").click()
    await ping_page.page.unroute("**/whip/*")
    await ping_page.page.route("**/whip/*", lambda route: route.fulfill(status=403))
    await ping_page.try_now.click()
    await expect(words).to_be_visible()
    await ping_page.page.set_viewport_size(SMALL_PHONE)
    assert not await ping_page.scrolls_sideways()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_ping_stays_where_it_is(
    own_server: ServerProcess, open_page: OpenPage, viewport: ViewportSize
) -> None:
    ping_page = await open_page(own_server, viewport=viewport)
    ping_page.expects(FAILED_REQUEST)
    page = ping_page.page
    release = asyncio.Event()

    async def slow(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await page.route("**/whip/*", slow)
    await ping_page.open()
    place = await ping_page.ping.bounding_box()
    release.set()
    await ping_page.is_connected()
    assert await ping_page.ping.bounding_box() == place
    await ping_page.ping_once()
    assert await ping_page.ping.bounding_box() == place
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    assert await ping_page.ping.bounding_box() == place
    if viewport == PHONE:
        # There is room above it on a desktop; here the problem comes from below.
        await ping_page.connect.click()
        await ping_page.is_connected()
        await own_server.kill()
        await expect(ping_page.problem).to_be_visible()
        assert await ping_page.ping.bounding_box() == place


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_long_values_have_room(
    server: ServerProcess, open_page: OpenPage, viewport: ViewportSize
) -> None:
    ping_page = await open_page(server, viewport=viewport)
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.run(
        """async () => {
            const { showFigures, showReading } = await import('/views/reading.js');
            showReading(99.9, '');
            showFigures({ min: 99.9, average: 99.9, p95: 99.9, max: 1999,
                answered: 99999, lost: 9999, late: 9999 });
        }"""
    )
    for width in (viewport["width"], 960, 640, 320):
        await ping_page.page.set_viewport_size({"width": width, "height": 800})
        crowded = await ping_page.run(
            """() => [...document.querySelectorAll('.figures dd, .rtt')]
                .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)
            """
        )
        assert crowded == []
        assert not await ping_page.scrolls_sideways()


async def test_follows_light_and_dark(
    server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(server, color_scheme="light")
    await ping_page.open_connected()
    await ping_page.ping_once()
    colours = """() => [
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('#graph text')).fill,
    ].map((colour) => colour.match(/\\d+/g).slice(0, 3)
        .reduce((sum, part) => sum + Number(part), 0))"""
    light_ground, light_text = await ping_page.run(colours)
    await ping_page.page.emulate_media(color_scheme="dark")
    dark_ground, dark_text = await ping_page.run(colours)
    assert light_ground > 600
    assert dark_ground < 150
    assert light_text < dark_text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_accessible_while_connected(
    server: ServerProcess,
    open_page: OpenPage,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    ping_page = await open_page(server, color_scheme=scheme, viewport=viewport)
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.size.fill("nonsense")
    await ping_page.ping.click()
    await expect(ping_page.size_problem).to_be_visible()
    for summary in await ping_page.page.locator("summary").all():
        await summary.click()
    await assert_accessible(ping_page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_accessible_with_an_error(
    server: ServerProcess, open_page: OpenPage, scheme: str
) -> None:
    ping_page = await open_page(server, color_scheme=scheme)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_be_visible()
    await assert_accessible(ping_page)


#: Shows what cannot be had quickly: an interruption, and a search in each state.
INTERRUPTED = """async ([state, error]) => {
    const { CONNECTION_WORDS, showState } = await import('/views/view.js');
    const { WhipError } = await import('/client/whip-error.js');
    const recovery = {
        state, cause: 'silence', times: { answered: 123.4, found: 4567.8 },
        error: error ? new WhipError('http', { title: error, status: 503 }) : null,
    };
    showState({
        phase: 'interrupted', active: true, established: true, problem: null, recovery,
        client: { connectionState: 'disconnected' },
    }, CONNECTION_WORDS);
}"""
SEARCHES = [
    ["restarting", None],
    ["pausing", "Later"],
    ["offline", "Gone"],
    ["found", None],
    ["refused", "x" * 300],
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_accessible_while_interrupted(
    server: ServerProcess,
    open_page: OpenPage,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    ping_page = await open_page(server, color_scheme=scheme, viewport=viewport)
    await ping_page.open_connected()
    await ping_page.restart.click()
    await expect(ping_page.restart_note).to_contain_text("New path found")
    await assert_accessible(ping_page)
    await ping_page.run(INTERRUPTED, SEARCHES[0])
    await expect(ping_page.state).to_have_text(
        re.compile("Connection interrupted\\s+looking for a new path…")
    )
    await assert_accessible(ping_page)


@pytest.mark.parametrize(
    "viewport", [DESKTOP, PHONE, SMALL_PHONE], ids=["desktop", "phone", "small"]
)
async def test_an_interruption_moves_nothing(
    server: ServerProcess, open_page: OpenPage, viewport: ViewportSize
) -> None:
    ping_page = await open_page(server, viewport=viewport)
    await ping_page.open_connected()
    place = await ping_page.ping.bounding_box()
    for search in SEARCHES:
        await ping_page.run(INTERRUPTED, search)
        assert await ping_page.ping.bounding_box() == place
        await expect(ping_page.state).to_be_in_viewport(ratio=1)
        await expect(ping_page.connect).to_be_in_viewport(ratio=1)
        assert not await ping_page.scrolls_sideways()


async def test_every_control_shows_its_focus(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    seen: list[str] = []
    for _ in range(40):
        await ping_page.page.keyboard.press("Tab")
        name, outline = await ping_page.run(
            """() => {
                const { id, tagName, textContent } = document.activeElement;
                const style = getComputedStyle(document.activeElement);
                return [
                    tagName === 'BODY' ? '' : id || textContent.trim().split(' ')[0],
                    style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
                ];
            }"""
        )
        if not name or name in seen:
            break
        assert outline >= 2, name
        seen.append(name)
    links = ["ping-link", "publish-link", "watch-link", "streams-link"]
    controls = ["connect", "ping-now", "auto", "interval", "size"]
    assert seen[:10] == ["Whipbird", *links, *controls]
    assert {"reset", "restart", "Path", "Offer", "Answer", "Settings"} <= set(seen)


async def test_everything_works_from_the_keyboard(ping_page: PingPage) -> None:
    keyboard = ping_page.page.keyboard
    await ping_page.open_connected()
    for _ in range(7):
        await keyboard.press("Tab")
    await expect(ping_page.ping).to_be_focused()
    await keyboard.press("Enter")
    await expect(ping_page.answered).to_have_text("1")
    await keyboard.press("Space")
    await expect(ping_page.answered).to_have_text("2")
    await expect(ping_page.page.locator("#announcer")).to_contain_text(
        "Round-trip time"
    )

    await keyboard.press("Tab")
    await expect(ping_page.auto).to_be_focused()
    await keyboard.press("Space")
    await expect(ping_page.auto).to_be_checked()
    await expect(ping_page.answered).to_have_text("3")
    await keyboard.press("Space")
    await expect(ping_page.auto).not_to_be_checked()

    await ping_page.connect.focus()
    await keyboard.press("Enter")
    await expect(ping_page.state_word).to_have_text("Disconnected")


async def test_still_for_those_who_ask_for_it(
    server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(server, reduced_motion="reduce")
    await ping_page.page.route("**/whip/*", lambda route: None)
    await ping_page.open()
    await expect(ping_page.state_word).to_have_text("Connecting")
    animation = await ping_page.run(
        "() => getComputedStyle(document.querySelector('.state-icon')).animationName"
    )
    assert animation == "none"


async def test_nothing_comes_from_elsewhere(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.ping_once()
    assert all(request.url.startswith(ping_page.url) for request in ping_page.requests)
