"""Errors of publishing are explained, with a remedy."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.server import ServerProcess

from .browser import find_chromium, launch_flags
from .conftest import OpenPublisher, OpenViewer, StartServer
from .ping_page import FAILED_REQUEST, PingPage
from .publish_page import PublishPage, layers, size

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A host that is neither localhost nor on HTTPS.
ELSEWHERE = "whipbird.internal"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def refusing_browser() -> AsyncIterator[Browser]:
    """A browser whose user lets no page have a camera, a microphone or a screen."""
    flags = [flag for flag in launch_flags() if not flag.startswith("--use-fake-ui")]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=[
                *flags,
                "--use-fake-ui-for-media-stream=deny",
                f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
            ],
        )
        yield browser
        await browser.close()


async def refused(browser: Browser, url: str) -> PublishPage:
    """A page that may have nothing, not opened yet."""
    return PublishPage(PingPage(await browser.new_page(), url), "refused")


async def is_ready_again(publisher: PublishPage) -> None:
    await expect(publisher.start).to_have_text("Start")
    await expect(publisher.source).to_be_enabled()
    assert publisher.frame.whip_requests("POST") == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Camera", "may not use the camera or the microphone. Allow both"),
        ("Screen", "No screen was chosen"),
    ],
)
async def test_permission_denied(
    server: ServerProcess, refusing_browser: Browser, source: str, words: str
) -> None:
    publisher = await refused(refusing_browser, server.url)
    await publisher.open()
    await publisher.choose(source)
    await publisher.start.click()
    await expect(publisher.problem).to_contain_text(words)
    await is_ready_again(publisher)
    assert publisher.frame.unexpected_problems() == []
    await publisher.page.close()


@pytest.mark.parametrize("source", ["Camera", "Screen"])
async def test_a_page_that_browsers_do_not_trust(
    server: ServerProcess, refusing_browser: Browser, source: str
) -> None:
    url = server.url.replace("127.0.0.1", ELSEWHERE)
    publisher = await refused(refusing_browser, url)
    await publisher.open()
    assert not await publisher.frame.run("() => isSecureContext")
    await publisher.choose(source)
    await publisher.start.click()
    await expect(publisher.problem).to_contain_text("only over https:// or from localh")
    await is_ready_again(publisher)
    await publisher.page.close()


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        ("Camera", "NotFoundError", "There is no camera, or no microphone"),
        ("Camera", "NotReadableError", "Another program may have it"),
        ("Camera", "AbortError", "The browser gives no picture: out of order"),
        ("Screen", "NotReadableError", "The system does not let the browser see"),
    ],
)
async def test_what_a_browser_may_say(
    publisher: PublishPage, source: str, name: str, words: str
) -> None:
    await publisher.open()
    await publisher.frame.run(
        """(name) => {
            const fail = () => Promise.reject(new DOMException('out of order', name));
            navigator.mediaDevices.getUserMedia = fail;
            navigator.mediaDevices.getDisplayMedia = fail;
        }""",
        name,
    )
    await publisher.choose(source)
    await publisher.start.click()
    await expect(publisher.problem).to_contain_text(words)
    await is_ready_again(publisher)
    # The test pattern needs nobody's permission.
    await publisher.choose("Test pattern")
    await publisher.start.click()
    await publisher.is_on_air()
    await expect(publisher.problem).to_be_empty()


async def test_a_browser_that_cannot_share_its_screen(publisher: PublishPage) -> None:
    await publisher.open()
    await publisher.frame.run(
        "() => { navigator.mediaDevices.getDisplayMedia = undefined; }"
    )
    await publisher.choose("Screen")
    await publisher.start.click()
    await expect(publisher.problem).to_contain_text("cannot share its screen")


async def test_stop_while_the_browser_asks(publisher: PublishPage) -> None:
    await publisher.open()
    await publisher.frame.run(
        """() => {
            const { mediaDevices } = navigator;
            const ask = mediaDevices.getUserMedia.bind(mediaDevices);
            mediaDevices.getUserMedia = async (wish) => {
                await new Promise((resolve) => { window.allow = resolve; });
                window.media = await ask(wish);
                return window.media;
            };
        }"""
    )
    await publisher.choose("Camera")
    await publisher.start.click()
    note = publisher.page.locator("#preview-note")
    await expect(note).to_have_text("The browser asks for permission…")
    await publisher.start.click()
    await expect(publisher.start).to_have_text("Start")
    await publisher.frame.run("() => allow()")
    await publisher.page.wait_for_function(
        "() => window.media?.getTracks().every((t) => t.readyState === 'ended')"
    )
    await is_ready_again(publisher)


async def test_a_screen_that_is_not_shared_any_more(publisher: PublishPage) -> None:
    await publisher.publish("Screen")
    await publisher.preview.evaluate(
        """(video) => {
            // As the browser's own button does.
            const [track] = video.srcObject.getVideoTracks();
            track.stop();
            track.dispatchEvent(new Event('ended'));
        }"""
    )
    await expect(publisher.problem).to_have_text(
        "Sharing the screen was ended. Start shares it again."
    )
    await expect(publisher.start).to_have_text("Start")
    await publisher.until_free()


async def test_a_name_that_is_taken(
    server: ServerProcess, publisher: PublishPage, open_publisher: OpenPublisher
) -> None:
    await publisher.publish()
    second = await open_publisher(server)
    second.frame.expects(FAILED_REQUEST)
    second.stream = publisher.stream
    await second.open()
    await second.choose()
    await second.start.click()
    problem = second.frame.problem
    await expect(problem).to_contain_text("Somebody else publishes this stream")
    await expect(problem).to_contain_text("Wait for the end of it, or choose another")
    await expect(problem).to_contain_text("POST → HTTP 409")
    # It goes on trying until it is stopped.
    await expect(second.frame.countdown).to_contain_text("Trying again in")
    await expect(second.start).to_have_text("Stop")
    await second.start.click()
    await expect(second.start).to_have_text("Start")
    await expect(problem).to_be_hidden()
    tries = len(second.frame.whip_requests("POST"))
    await second.start.click()
    await expect(problem).to_contain_text("Somebody else publishes this stream")
    assert len(second.frame.whip_requests("POST")) == tries + 1
    # The first one is not disturbed, and its end makes room.
    await publisher.frames_advance()
    await publisher.stop()
    await second.is_on_air()
    await expect(problem).to_be_hidden()
    assert len(second.frame.whip_requests("POST")) > tries + 1


async def test_a_tab_that_has_crashed_makes_room(
    own_server: ServerProcess, open_publisher: OpenPublisher, open_viewer: OpenViewer
) -> None:
    """Nobody tells the server. Who publishes next waits, and viewers stay."""
    first = await open_publisher(own_server)
    await first.publish()
    viewer = await open_viewer(own_server, first.stream)
    await viewer.open()
    await viewer.plays()
    second = await open_publisher(own_server)
    second.frame.expects(FAILED_REQUEST)
    second.stream = first.stream
    await second.open()
    await second.choose()
    protocol = await first.page.context.new_cdp_session(first.page)
    async with first.page.expect_event("crash"):
        # The page does not live to answer it.
        crashing = asyncio.ensure_future(protocol.send("Page.crash"))
    crashing.cancel()
    await second.start.click()
    await second.is_on_air()
    await second.frames_advance()
    await expect(second.frame.problem).to_be_hidden()
    await own_server.logged("silent, and replaced by another publisher")
    await viewer.plays()
    assert len(viewer.requests("POST")) == 1


async def test_a_token(
    start_server: StartServer, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(await start_server("--token", "secret"))
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.open()
    await publisher.choose()
    await publisher.start.click()
    problem = publisher.frame.problem
    await expect(problem).to_contain_text("The server asks for a token")
    await publisher.page.locator("#settings summary").click()
    await expect(publisher.page.get_by_label("Stream name")).to_be_hidden()
    await publisher.page.get_by_label("Token").fill("secret")
    await publisher.page.get_by_role("button", name="Apply", exact=True).click()
    await publisher.start.click()
    await publisher.is_on_air()
    # The received figures require the token.
    row = publisher.figures().locator("tr", has_text="Resolution")
    await expect(row.locator("td").nth(1)).to_have_text(size(320, 180))


async def test_a_server_that_comes_back_gets_the_stream_again(
    own_server: ServerProcess, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(own_server)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.publish("Camera")
    await publisher.until_received(layers)
    await own_server.terminate()
    await expect(publisher.frame.state_word).to_have_text("Connection lost")
    await expect(publisher.start).to_have_text("Stop")
    await own_server.start()
    await publisher.is_on_air()
    await publisher.until_received(layers)
    await expect(publisher.frame.problem).to_be_hidden()


async def test_who_is_driven_out_stays_away(
    start_server: StartServer, open_publisher: OpenPublisher
) -> None:
    server = await start_server("--takeover")
    first = await open_publisher(server)
    first.frame.expects(FAILED_REQUEST)
    await first.publish()
    second = await open_publisher(server)
    second.stream = first.stream
    await second.publish()
    await expect(first.frame.problem).to_contain_text(
        "Another publisher has taken over"
    )
    await expect(first.frame.state_word).to_have_text("Not publishing")
    await expect(first.start).to_have_text("Start")
    await second.frames_advance()
    assert len(first.frame.whip_requests("POST")) == 1
