"""The pictures in the Streams view: renewed, and kept when there is no other."""

import asyncio
from base64 import b64decode

import pytest
from playwright.async_api import Locator, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .counter_publisher import CounterPublisher
from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Milliseconds; longer than from one picture to the next.
LATER = 11_000

#: The number in the picture of a `CounterPublisher`.
_READ = """(canvas) => {
    const paint = canvas.getContext('2d');
    let number = 0;
    for (let bit = 0; bit < 16; bit += 1) {
        const [x, y] = [40 * (bit % 8) + 20, 45 * (bit >> 3) + 22];
        if (paint.getImageData(x, y, 1, 1).data[0] > 127) number |= 1 << bit;
    }
    return number;
}"""

#: What a white picture reads as.
WHITE = 0xFFFF

_WHITE = """() => {
    const canvas = Object.assign(
        document.createElement('canvas'), { width: 320, height: 180 });
    const paint = canvas.getContext('2d');
    paint.fillStyle = '#fff';
    paint.fillRect(0, 0, 320, 180);
    return canvas.toDataURL('image/jpeg').split(',')[1];
}"""


@pytest.fixture
def frame(ping_page: PingPage) -> PingPage:
    """A page that may ask for the picture of a stream that has just ended."""
    ping_page.expects(FAILED_REQUEST)
    return ping_page


async def open_streams(frame: PingPage, stream: str) -> Locator:
    """Open the view, with a clock that can be set forward.

    Returns:
        What it shows of a stream.
    """
    await frame.page.clock.install()
    await frame.open("/#streams")
    heading = frame.page.get_by_role("heading", name=stream, exact=True)
    return frame.page.locator("article").filter(has=heading)


def asked(frame: PingPage, stream: str) -> int:
    """How often the picture of a stream was asked for."""
    path = f"/api/streams/{stream}/snapshot.jpg"
    return sum(request.url.endswith(path) for request in frame.requests)


async def until_read(canvas: Locator, beyond: int) -> int:
    """Wait until there is a picture with a number greater than one."""
    async with asyncio.timeout(20):
        while (number := await canvas.evaluate(_READ)) <= beyond:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return int(number)


async def test_a_picture_of_now_and_then_another(
    frame: PingPage, counter: CounterPublisher
) -> None:
    await counter.start()
    article = await open_streams(frame, counter.stream)
    canvas = article.locator("canvas")
    number = await until_read(canvas, 0)
    assert number in await counter.drawn()
    assert asked(frame, counter.stream) == 1
    # The server takes its time to have another one.
    picture = b64decode(await frame.run(_WHITE))
    await frame.page.route("**/snapshot.jpg", lambda route: route.fulfill(body=picture))
    await frame.page.clock.fast_forward(LATER)
    assert await until_read(canvas, number) == WHITE
    assert asked(frame, counter.stream) == 2
    address = f"{frame.url}/#watch/{counter.stream}"
    await expect(article.locator(".thumbnail")).to_have_attribute("href", address)


@pytest.mark.parametrize("status", [404, 429, 503, 200])
async def test_the_last_picture_stays(
    frame: PingPage, counter: CounterPublisher, status: int
) -> None:
    await counter.start()
    article = await open_streams(frame, counter.stream)
    await expect(article.locator("canvas")).to_be_visible()
    # 200, with what is no picture.
    await frame.page.route(
        "**/snapshot.jpg", lambda route: route.fulfill(status=status, body="{}")
    )
    async with frame.page.expect_response("**/snapshot.jpg"):
        await frame.page.clock.fast_forward(LATER)
    await expect(article.locator(".since")).to_contain_text("Live for")
    await expect(article.locator("canvas")).to_be_visible()
    await expect(frame.page.locator("#streams-problem")).to_be_empty()
    # It is not asked for again at once.
    before = asked(frame, counter.stream)
    await frame.page.clock.fast_forward(LATER // 2)
    await expect(article.locator("canvas")).to_be_visible()
    assert asked(frame, counter.stream) == before


async def test_it_is_asked_for_only_while_it_is_looked_at(
    frame: PingPage, counter: CounterPublisher
) -> None:
    await counter.start()
    article = await open_streams(frame, counter.stream)
    await expect(article.locator("canvas")).to_be_visible()
    page = frame.page
    hide = "(is) => Object.defineProperty(document, 'hidden', { get: () => is, "
    hide += "configurable: true })"
    await frame.run(hide, True)
    await page.clock.fast_forward(LATER)
    await page.clock.run_for(3000)
    assert asked(frame, counter.stream) == 1
    async with page.expect_response("**/snapshot.jpg"):
        await frame.run(hide, False)
        await page.clock.run_for(3000)
    await page.locator("#publish-link").click()
    await page.clock.fast_forward(LATER)
    await page.clock.run_for(3000)
    assert asked(frame, counter.stream) == 2
    # Nor while it is out of sight.
    async with page.expect_response("**/snapshot.jpg"):
        await page.locator("#streams-link").click()
    await frame.run("() => { document.body.style.paddingTop = '10000px'; }")
    await page.clock.fast_forward(LATER)
    await page.clock.run_for(3000)
    assert asked(frame, counter.stream) == 3


async def test_what_has_no_picture(
    server: ServerProcess, open_page: OpenPage, counter: CounterPublisher
) -> None:
    await counter.start(picture=False)
    frame = await open_page(server)
    article = await open_streams(frame, counter.stream)
    await expect(article.locator(".thumbnail")).to_have_text("Sound only")
    await frame.page.clock.run_for(3000)
    assert asked(frame, counter.stream) == 0
