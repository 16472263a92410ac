"""Publish and Streams on small screens, dark screens, to screen readers."""

import pytest
from playwright.async_api import ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage
from .test_look import DESKTOP, PHONE, SMALL_PHONE, assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIEWPORTS = pytest.mark.parametrize(
    "viewport", [DESKTOP, PHONE], ids=["desktop", "phone"]
)
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


async def shows_figures(publisher: PublishPage) -> None:
    await expect(publisher.figures().locator("td", has_text="fps")).not_to_have_count(0)


@VIEWPORTS
@SCHEMES
async def test_publish_is_accessible(
    server: ServerProcess,
    open_publisher: OpenPublisher,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    publisher = await open_publisher(server, color_scheme=scheme, viewport=viewport)
    await publisher.open()
    await publisher.bitrate.fill("nonsense")
    await publisher.start.click()
    await expect(publisher.page.locator("#bitrate-problem")).to_be_visible()
    await assert_accessible(publisher.frame)
    await publisher.choose(sound=True)
    await publisher.start.click()
    await publisher.is_on_air()
    await shows_figures(publisher)
    await assert_accessible(publisher.frame)


@SCHEMES
async def test_publish_is_accessible_with_errors(
    server: ServerProcess, open_publisher: OpenPublisher, scheme: str
) -> None:
    publisher = await open_publisher(server, color_scheme=scheme)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.open()
    await publisher.frame.run(
        "() => { navigator.mediaDevices.getDisplayMedia = undefined; }"
    )
    await publisher.choose("Screen")
    await publisher.start.click()
    await expect(publisher.problem).to_be_visible()
    await assert_accessible(publisher.frame)
    await publisher.page.route("**/whip/*", lambda route: route.fulfill(status=409))
    await publisher.choose()
    await publisher.start.click()
    await expect(publisher.frame.problem).to_be_visible()
    await assert_accessible(publisher.frame)


@VIEWPORTS
@SCHEMES
async def test_streams_are_accessible(
    server: ServerProcess,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    publisher = await open_publisher(server)
    await publisher.publish(sound=True)
    ping_page = await open_page(server, color_scheme=scheme, viewport=viewport)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open("/#streams")
    await expect(ping_page.page.locator("article")).not_to_have_count(0)
    await assert_accessible(ping_page)
    await ping_page.page.route(
        "**/api/streams", lambda route: route.fulfill(status=500)
    )
    await expect(ping_page.page.locator("#streams-problem")).to_be_visible()
    await assert_accessible(ping_page)
    await publisher.stop()


@pytest.mark.parametrize("viewport", [PHONE, SMALL_PHONE], ids=["phone", "small"])
async def test_publish_fits_a_phone(
    server: ServerProcess, open_publisher: OpenPublisher, viewport: ViewportSize
) -> None:
    publisher = await open_publisher(
        server, viewport=viewport, is_mobile=True, has_touch=True
    )
    await publisher.open()
    await expect(publisher.start).to_be_in_viewport(ratio=1)
    await expect(publisher.frame.state).to_be_in_viewport(ratio=1)
    assert not await publisher.frame.scrolls_sideways()
    publisher.stream = "a" * 64
    await publisher.name.fill(publisher.stream)
    await publisher.choose(sound=True, simulcast=True)
    await publisher.start.tap()
    await publisher.is_on_air()
    await expect(publisher.figures("Audio")).to_be_visible()
    assert not await publisher.frame.scrolls_sideways()
    await publisher.page.locator("#streams-link").tap()
    rows = publisher.page.locator("article tbody tr")
    await expect(rows.filter(has_text="fps")).not_to_have_count(0)
    assert not await publisher.frame.scrolls_sideways()
    for link in await publisher.page.locator("nav a:visible").all():
        await expect(link).to_be_in_viewport(ratio=1)
    await publisher.page.locator("#publish-link").tap()
    await publisher.stop()


async def test_long_words_of_a_server_do_not_scroll(
    server: ServerProcess, open_page: OpenPage
) -> None:
    # As far as they go.
    ping_page = await open_page(server, viewport=SMALL_PHONE)
    layer = {
        "rid": "r" * 16,
        "codec": "multiopus",
        "bitrate": 123_456_789,
        "packets": 1,
        "lost": 99,
        "recovered": 0,
        "width": 15360,
        "height": 8640,
        "frame_rate": 120,
    }
    stream = {
        "name": "n" * 64,
        "state": "disconnected",
        "duration": 9e6,
        "tracks": [
            {"kind": "video", "layers": [layer]},
            {"kind": "audio", "layers": []},
        ],
    }
    await ping_page.page.route(
        "**/api/streams", lambda route: route.fulfill(json={"streams": [stream]})
    )
    await ping_page.open("/#streams")
    await expect(ping_page.page.locator("article")).to_contain_text(
        "104 d 4 h, disconn"
    )
    assert not await ping_page.scrolls_sideways()


async def test_what_to_change_is_whole(
    server: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(server, viewport=PHONE)
    finding = {
        "code": "format",
        "severity": "problem",
        "kind": "video",
        "rid": None,
        "text": "No browser decodes it.",
        "advice": {"OBS": "Another one.", "FFmpeg": "-pix_fmt yuv420p -profile:v high"},
    }
    stream = {"name": "a", "state": "connected", "duration": 9, "tracks": []}
    stream["health"] = [finding]
    await frame.page.route(
        "**/api/streams", lambda route: route.fulfill(json={"streams": [stream]})
    )
    frame.expects(FAILED_REQUEST)
    await frame.open("/#streams")
    item = frame.page.locator(".health li")
    await item.locator("summary").click()
    ends = "(e) => e.getBoundingClientRect().bottom"
    last = item.locator("dd").last
    await expect(last).to_contain_text("yuv420p")
    # There is some room below it.
    assert await last.evaluate(ends) + 4 <= await item.evaluate(ends)


async def test_stop_does_not_look_like_start(publisher: PublishPage) -> None:
    """Under the pointer neither: it is there when Start was just pressed."""
    colour = "(e) => getComputedStyle(e).backgroundColor"
    await publisher.page.emulate_media(reduced_motion="reduce")
    await publisher.open()
    await publisher.choose()
    calm = await publisher.start.evaluate(colour)
    await publisher.start.hover()
    started = {calm, await publisher.start.evaluate(colour)}
    await publisher.start.click()
    await publisher.is_on_air()
    await publisher.start.hover()
    stopping = await publisher.start.evaluate(colour)
    await publisher.page.mouse.move(0, 0)
    assert not started & {stopping, await publisher.start.evaluate(colour)}
    await publisher.stop()


async def test_start_stays_where_it_is(publisher: PublishPage) -> None:
    await publisher.open()
    await publisher.choose("Camera")
    place = await publisher.start.bounding_box()
    await publisher.start.click()
    await publisher.is_on_air()
    await shows_figures(publisher)
    assert await publisher.start.bounding_box() == place
    await publisher.stop()
    assert await publisher.start.bounding_box() == place
