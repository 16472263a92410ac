"""Firefox, on the server's page: it pings, publishes and watches."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.interop.firefox import LIMIT, Firefox, FirefoxPage, running
from tests.server import ServerProcess

from .command_publisher import publishing
from .publish_page import Stream, frames_of, layers, received

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # Several waits, each of which may take long on a busy machine.
    pytest.mark.timeout(7 * LIMIT),
]

OpenPage = Callable[[str], Awaitable[FirefoxPage]]

#: Counts the pictures that are shown; their number is `shown`.
COUNT = """(() => {
    const video = document.querySelector('#watch-video');
    window.shown = 0;
    const count = () => {
        shown += 1;
        video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
})()"""

TRICKLED = (
    r"/candidates in \d+ PATCH/.test(document.querySelector('#trickle').textContent)"
)

#: Whether sound was heard: two thirds of a second of the tone, and no silence, has this
#: energy (https://www.w3.org/TR/webrtc-stats/#dom-rtcinboundrtpstreamstats-totalaudioenergy).
HEARD = """connections.at(-1).getStats().then((report) =>
    [...report.values()].find(({ type, kind }) =>
        type === 'inbound-rtp' && kind === 'audio')?.totalAudioEnergy > 0.01)"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firefox(request: pytest.FixtureRequest) -> AsyncIterator[Firefox]:
    async with running(request.config.cache) as firefox:
        print(firefox.version)  # noqa: T201
        yield firefox


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess()
    try:
        await server.start()
        yield server
        print(server.output)  # noqa: T201
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(firefox: Firefox, server: ServerProcess) -> AsyncIterator[OpenPage]:
    """Opens views of the server's page, by their path."""
    firefox.problems.clear()
    async with AsyncExitStack() as stack:

        async def make(path: str) -> FirefoxPage:
            page = firefox.page()
            await page.open(f"{server.url}/{path}")
            stack.push_async_callback(page.close)
            return page

        yield make
    assert firefox.problems == []


@pytest.fixture
def stream() -> str:
    return f"firefox-{secrets.token_hex(4)}"


async def until_received(
    server: ServerProcess, name: str, condition: Callable[[Stream | None], object]
) -> Stream | None:
    """Wait until a condition holds for what the server says of a stream.

    Raises:
        AssertionError: with what it said last, when that takes too long.
    """
    stream = None
    try:
        async with asyncio.timeout(LIMIT):
            # Nothing in another process to await.
            while not condition(  # noqa: ASYNC110
                stream := await received(server.url, name)
            ):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{name} is {stream}") from None
    return stream


async def publish(
    page: FirefoxPage, size: str, codec: str = "", *, simulcast: bool = False
) -> None:
    """Publish the camera and the microphone."""
    await page.select("#source", "camera")
    await page.select("#resolution", size)
    await page.select("#codec", codec)
    if simulcast:
        await page.click("#simulcast")
    await page.click("#publish-start")


async def plays(page: FirefoxPage, width: int, height: int) -> None:
    """Wait until the picture has this size, and moves."""
    video = "document.querySelector('#watch-video')"
    await page.until(
        f"{video}.videoWidth === {width} && {video}.videoHeight === {height}"
    )
    await page.run(COUNT)
    since = await page.run(f"{video}.currentTime")
    await page.until(f"shown >= 20 && {video}.currentTime > {since}")


async def test_it_pings(open_page: OpenPage) -> None:
    page = await open_page("#ping")
    await page.shows("#state-word", "Connected")
    for number in ("1", "2"):
        await page.click("#ping-now")
        await page.shows("#answered", number)
        assert 0 < float(await page.text("#rtt")) < 1000 * LIMIT
    assert await page.text("#lost") == "0"
    assert (await page.text("#pair")).startswith("local   udp ")


async def test_it_measures(open_page: OpenPage) -> None:
    page = await open_page("#ping")
    await page.shows("#state-word", "Connected")
    await page.click("#lossy")
    await page.click("#auto")
    for panel in ("throughput", "series", "pairs"):
        await page.click(f"#{panel} summary")
    start, brief, result = (
        f"document.querySelector('#throughput-{name}')"
        for name in ("body button", "brief", "result")
    )
    await page.until(f"{start}?.disabled === false")
    await page.click("#throughput-body button")
    # Stopped when the way to the server is being measured, too.
    await page.until(f"/^To the server: .*b.s/.test({brief}.textContent)")
    await page.click("#throughput-body button")
    await page.until(f"/From .*b.s.*To .*b.s/.test({result}.textContent)")
    assert "Data goes directly" in await page.text("#pairs-words")
    assert (await page.text("#pairs-rows tr")).startswith("selected")
    assert "round trips from" in await page.run(
        "document.querySelector('#series-body canvas').getAttribute('aria-label')"
    )


async def restart(page: FirefoxPage) -> None:
    """Press Restart ICE, and wait until there is a new path."""
    await page.click("#restart")
    await page.until(
        "document.querySelector('#restart-note').textContent.includes('found in')"
    )


async def test_it_restarts_ice(open_page: OpenPage) -> None:
    """The same session, and the same channel, on a new path."""
    page = await open_page("#ping")
    await page.shows("#state-word", "Connected")
    await restart(page)
    await page.shows("#state-word", "Connected")
    await page.click("#ping-now")
    await page.shows("#answered", "1")
    assert await page.text("#lost") == "0"


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_it_publishes(
    server: ServerProcess, open_page: OpenPage, stream: str, codec: str
) -> None:
    page = await open_page(f"#publish/{stream}")
    await publish(page, "320x180", f"video/{codec}")

    def comes(found: Stream | None) -> bool:
        audio = layers(found, "audio").get(None)
        return (
            frames_of(found) >= 50
            and audio is not None
            and audio["packets"] >= 50
            # Silence would take a tenth of it.
            and audio["bitrate"] > 10_000
        )

    found = await until_received(server, stream, comes)
    [video] = layers(found).values()
    assert video["codec"] == codec
    assert (video["width"], video["height"]) == (320, 180)
    assert video["key_frames"] >= 1
    [audio] = layers(found, "audio").values()
    assert (audio["codec"], audio["channels"]) == ("opus", 2)
    # What the page says of it, from the browser and from the server.
    await page.until(
        "[...document.querySelectorAll('#layers table')].every(({ rows }) =>"
        " [...rows].some((row) => /Round trip.*ms/.test(row.textContent)))"
    )
    await page.until(TRICKLED)
    table = await page.run("document.querySelector('#layers table').innerText")
    assert f"{codec}\t{codec}" in table
    await page.click("#publish-start")
    await until_received(server, stream, lambda found: found is None)


async def test_it_publishes_layers(
    server: ServerProcess, open_page: OpenPage, stream: str
) -> None:
    """It leaves out the largest one until it is sure of its network."""
    page = await open_page(f"#publish/{stream}")
    await publish(page, "960x540", "video/VP8", simulcast=True)
    sizes = {"q": (240, 135), "h": (480, 270)}

    def come(found: Stream | None) -> bool:
        video = layers(found)
        return all(rid in video and video[rid]["frames"] >= 20 for rid in sizes)

    found = await until_received(server, stream, come)
    video = layers(found)
    assert {rid: (video[rid]["width"], video[rid]["height"]) for rid in sizes} == sizes
    viewer = await open_page(f"#watch/{stream}")
    for rid, size in sizes.items():
        await viewer.until(f"document.querySelector('#watch-layer [value={rid}]')")
        await viewer.select("#watch-layer", rid)
        await plays(viewer, *size)


async def test_it_watches(
    server: ServerProcess, open_page: OpenPage, stream: str
) -> None:
    options = ("--video-codec", "vp8", "--size", "320x180", "--rate", "15")
    endpoint = f"{server.url}/whip/{stream}"
    # It waits for the publisher.
    page = await open_page(f"#watch/{stream}")
    await page.shows("#state-word", "Connected")
    async with publishing(endpoint, *options, "--bitrate", "300k"):
        await plays(page, 320, 180)
        await page.shows("#watch-codec", "VP8, Opus")
        await page.shows("#watch-note", "")
        await page.until(HEARD)
    await page.until(TRICKLED)
    await page.click("#watch-start")
    await server.wait_for_sessions(0, limit=LIMIT)


async def test_one_page_watches_another(
    server: ServerProcess, open_page: OpenPage, stream: str
) -> None:
    publisher = await open_page(f"#publish/{stream}")
    await publish(publisher, "320x180")
    await until_received(server, stream, frames_of)
    viewer = await open_page(f"#watch/{stream}")
    await plays(viewer, 320, 180)
    await viewer.shows("#watch-codec", "VP8, Opus")
    # The same sessions on new paths: the picture goes on.
    for page in (publisher, viewer):
        await restart(page)
    await plays(viewer, 320, 180)
    assert await server.open_sessions() == 2


async def test_it_comes_back_when_the_server_does(
    firefox: Firefox, server: ServerProcess
) -> None:
    page = firefox.page()
    await page.open(f"{server.url}/#ping")
    await page.shows("#state-word", "Connected")
    await server.kill()
    await page.shows("#problem-title", "The server cannot be reached")
    await server.start()
    await page.shows("#state-word", "Connected")
    await page.click("#ping-now")
    await page.shows("#answered", "1")
    await page.close()


async def test_the_page_of_a_stream(
    server: ServerProcess, open_page: OpenPage, stream: str
) -> None:
    options = ("--video-codec", "vp8", "--size", "320x180", "--rate", "15")
    page = await open_page(f"watch/{stream}")
    await page.shows(".cover-title", f"{stream} is not live yet")
    async with publishing(f"{server.url}/whip/{stream}", *options, "--bitrate", "300k"):
        await page.until("document.querySelector('.cover').hidden")
        await page.until("document.querySelector('video').videoWidth === 320")
        await page.shows(".viewers", "1 viewer")
        await page.until("!document.querySelector('#unmute').hidden")
        await page.click("#unmute")
        await page.until("!document.querySelector('video').muted")
        await page.until(HEARD)
    await page.shows(".cover-title", f"{stream} has stopped")


async def enter(page: FirefoxPage, field: str) -> None:
    """Type the token where it is asked for, and press Enter."""
    await page.until(f"document.querySelector('{field}')?.checkVisibility()")
    await page.type(field, "secret\n")


async def test_it_asks_for_a_token(firefox: Firefox, stream: str) -> None:
    server = ServerProcess("--token", "secret")
    page, other, third = (firefox.page() for _ in range(3))
    try:
        await server.start()
        await page.open(f"{server.url}/watch/{stream}")
        await page.shows(".cover-title", f"{stream} needs a token")
        await enter(page, ".token-form input")
        await page.shows(".cover-title", f"{stream} is not live yet")
        await page.run("location.reload()")
        # It is kept while the tab is open.
        await page.shows(".cover-title", f"{stream} is not live yet")
        await other.open(f"{server.url}/#streams")
        await enter(other, "#prompt-token")
        await other.shows("#streams-note", "Nothing is live now.")
        # Each tab has its own.
        await third.open(f"{server.url}/#publish/{stream}")
        await third.select("#source", "pattern")
        await third.click("#publish-start")
        await enter(third, "#problem-token")
        await third.shows("#state-word", "On air")
    finally:
        await third.close()
        await other.close()
        await page.close()
        await server.stop()
