"""The pictures in the Streams view: renewed, and kept if there is no new one."""

import asyncio
from base64 import b64decode

import pytest
from playwright.async_api import Locator, expect

from .counter_publisher import CounterPublisher
from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Lets a test say that it is later than it is.
_CLOCK = """
window.ahead = 0;
const now = performance.now.bind(performance);
performance.now = () => now() + ahead;
"""

#: Milliseconds; longer than from one picture to the next.
LATER = 11_000

#: ... and longer than from one look at what is due to the next.
LOOKS = 1_200

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
    """Open the view.

    Returns:
        What it shows of a stream.
    """
    await frame.page.add_init_script(_CLOCK)
    await frame.open("/#streams")
    heading = frame.page.get_by_role("heading", name=stream, exact=True)
    return frame.page.locator("article").filter(has=heading)


def picture_of(stream: str) -> str:
    """Matches the URL of a stream's picture."""
    return f"**/api/streams/{stream}/snapshot.jpg"


def asked(frame: PingPage, stream: str) -> int:
    """How often the picture of a stream was asked for."""
    path = picture_of(stream).removeprefix("**")
    return sum(request.url.endswith(path) for request in frame.requests)


async def later(frame: PingPage) -> None:
    """Make it so much later that there are other pictures."""
    await frame.run("(time) => { ahead += time; }", LATER)


async def until_read(canvas: Locator, beyond: int) -> int:
    """Wait until there is a picture with a number greater than one."""
    async with asyncio.timeout(60):
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
    await frame.page.route(
        picture_of(counter.stream), lambda route: route.fulfill(body=picture)
    )
    await later(frame)
    assert await until_read(canvas, number) == WHITE
    assert asked(frame, counter.stream) == 2
    address = f"{frame.url}/watch/{counter.stream}"
    await expect(article.locator(".thumbnail")).to_have_attribute("href", address)


async def test_the_last_picture_stays(
    frame: PingPage, counter: CounterPublisher
) -> None:
    await counter.start()
    article = await open_streams(frame, counter.stream)
    await expect(article.locator("canvas")).to_be_visible()
    answers = [404, 429, 503, 200]
    picture = picture_of(counter.stream)
    # The last one says that it is a picture, and is none.
    await frame.page.route(
        picture, lambda route: route.fulfill(status=answers.pop(0), body="{}")
    )
    for count in range(2, 6):
        async with frame.page.expect_response(picture):
            await later(frame)
        await expect(article.locator(".since")).to_contain_text("Live for")
        await expect(article.locator("canvas")).to_be_visible()
        assert asked(frame, counter.stream) == count
    # It is not asked for again at once.
    await frame.page.wait_for_timeout(LOOKS)
    assert asked(frame, counter.stream) == count
    await expect(frame.page.locator("#streams-problem")).to_be_empty()


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
    await later(frame)
    await page.wait_for_timeout(LOOKS)
    assert asked(frame, counter.stream) == 1
    async with page.expect_response(picture_of(counter.stream)):
        await frame.run(hide, False)
    await page.locator("#publish-link").click()
    await later(frame)
    await page.wait_for_timeout(LOOKS)
    assert asked(frame, counter.stream) == 2
    async with page.expect_response(picture_of(counter.stream)):
        await page.locator("#streams-link").click()
    # Nor while it is out of sight.
    await frame.run("() => { document.body.style.paddingTop = '10000px'; }")
    await later(frame)
    await page.wait_for_timeout(LOOKS)
    assert asked(frame, counter.stream) == 3


async def test_what_has_no_picture(frame: PingPage, counter: CounterPublisher) -> None:
    await counter.start(picture=False)
    article = await open_streams(frame, counter.stream)
    await expect(article.locator(".thumbnail")).to_have_text("Sound only")
    await frame.page.wait_for_timeout(LOOKS)
    assert asked(frame, counter.stream) == 0
