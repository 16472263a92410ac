"""Errors of watching are explained, with a remedy."""

import re

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher, OpenViewer, StartServer
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage
from .watch_page import WatchPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("status", "headers", "words", "state"),
    [
        (406, {}, "This browser cannot play the stream", "Not connected"),
        (503, {"Retry-After": "60"}, "The server asks to wait", "Not connected"),
        (500, {}, "The server has a problem", "Not connected"),
    ],
)
async def test_a_server_that_refuses(
    server: ServerProcess,
    open_viewer: OpenViewer,
    status: int,
    headers: dict[str, str],
    words: str,
    state: str,
) -> None:
    viewer = await open_viewer(server, "refused")
    viewer.frame.expects(FAILED_REQUEST)
    await viewer.page.route(
        "**/whep/*",
        lambda route: route.fulfill(
            status=status,
            headers={"Content-Type": "application/problem+json", **headers},
            body='{"title": "No way", "detail": "The stream has H265."}',
        ),
    )
    await viewer.open()
    await expect(viewer.frame.problem).to_contain_text(words)
    await expect(viewer.frame.problem).to_contain_text("No way. The stream has H265.")
    await expect(viewer.frame.problem).to_contain_text(f"POST → HTTP {status}")
    await expect(viewer.frame.state_word).to_have_text(state)
    await expect(viewer.note).to_have_text("No connection.")


async def test_a_server_where_nobody_may_wait(
    start_server: StartServer, open_publisher: OpenPublisher, open_viewer: OpenViewer
) -> None:
    server = await start_server("--no-wait-for-publisher")
    publisher = await open_publisher(server)
    viewer = await open_viewer(server, publisher.stream)
    viewer.frame.expects(FAILED_REQUEST)
    await viewer.open()
    problem = viewer.frame.problem
    await expect(problem).to_contain_text("Nobody publishes this stream now")
    await publisher.publish()
    # It comes back by itself.
    await viewer.plays()
    await expect(problem).to_be_hidden()


async def test_a_token(
    start_server: StartServer, open_publisher: OpenPublisher, open_viewer: OpenViewer
) -> None:
    server = await start_server("--token", "secret")
    viewer = await open_viewer(server, "guarded")
    viewer.frame.expects(FAILED_REQUEST)
    await viewer.open()
    await expect(viewer.frame.problem).to_contain_text("The server asks for a token")
    await viewer.frame.enter_token("secret")
    # A new token is tried at once.
    await expect(viewer.frame.state_word).to_have_text("Connected")
    await expect(viewer.note).to_contain_text("Nobody publishes “guarded” yet.")


async def test_a_codec_that_the_browser_cannot_play(
    server: ServerProcess, open_viewer: OpenViewer
) -> None:
    viewer = await open_viewer(server, "foreign")
    layer = {"rid": None, "codec": "H261", "bitrate": 1, "packets": 1, "lost": 0}
    stream = {
        "name": "foreign",
        "state": "connected",
        "duration": 1,
        "tracks": [{"kind": "video", "layers": [layer]}],
    }
    await viewer.page.route(
        re.compile(r"/api/streams\?name=foreign$"),
        lambda route: route.fulfill(json={"streams": [stream]}),
    )
    await viewer.open()
    await expect(viewer.note).to_have_text(
        "“foreign” is sent as H261, which this browser cannot play."
    )


async def test_what_is_no_stream_name_is_said(
    server: ServerProcess, open_viewer: OpenViewer
) -> None:
    viewer = await open_viewer(server, "not%20a%20name")
    await viewer.open()
    problem = viewer.page.locator("#watch-stream-problem")
    await expect(viewer.name).to_have_value("not a name")
    await expect(problem).to_contain_text("a to z, digits")
    await expect(viewer.note).to_contain_text("Nothing is watched.")
    assert viewer.requests("POST") == []
    await viewer.name.fill("a-name")
    await viewer.name.press("Enter")
    await expect(viewer.note).to_contain_text("Nobody publishes “a-name” yet.")
    await expect(problem).to_be_empty()
    assert viewer.page.url.endswith("/#watch/a-name")


async def test_a_server_that_comes_back_is_watched_again(
    own_server: ServerProcess, open_publisher: OpenPublisher, open_viewer: OpenViewer
) -> None:
    publisher = await open_publisher(own_server)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.publish("Camera")
    viewer = await open_viewer(own_server, publisher.stream)
    viewer.frame.expects(FAILED_REQUEST)
    await viewer.open()
    await viewer.plays()
    await own_server.terminate()
    await expect(viewer.frame.problem).to_contain_text("The server cannot be reached")
    await own_server.start()
    await publisher.is_on_air()
    await viewer.plays(limit=40)
    await expect(viewer.frame.problem).to_be_hidden()


async def test_frames_go_on_over_a_restart_of_ice(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await viewer.plays()
    await viewer.frame.restart.click()
    await expect(viewer.frame.restart_note).to_contain_text("New path found")
    await viewer.plays()
    assert len(viewer.requests("POST")) == 1


async def test_a_browser_that_does_not_play_by_itself(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewer = await open_viewer(server, publisher.stream)
    await viewer.page.add_init_script(
        """{
            // Browsers ask for the same, but take what this test does for a press, too.
            let pressed = false;
            addEventListener('click', () => { pressed = true; }, true);
            const { play } = HTMLMediaElement.prototype;
            HTMLMediaElement.prototype.play = function () {
                return pressed ? play.call(this)
                    : Promise.reject(new DOMException('no', 'NotAllowedError'));
            };
        }"""
    )
    await viewer.open()
    button = viewer.page.get_by_role("button", name="Play", exact=True)
    await expect(button).to_be_visible()
    await button.click()
    await expect(button).to_be_hidden()
    await viewer.plays()


async def test_nobody_watches_from_behind(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    viewer = WatchPage(await open_page(own_server), "left")
    await viewer.open()
    await expect(viewer.frame.state_word).to_have_text("Connected")
    await viewer.page.locator("#streams-link").click()
    await own_server.wait_for_sessions(0)
    await viewer.page.locator("#watch-link").click()
    # It goes on, without being told again what with.
    await expect(viewer.frame.state_word).to_have_text("Connected")
    await expect(viewer.name).to_have_value("left")
    assert viewer.page.url.endswith("/#watch/left")
    # A stopped viewer stays stopped.
    await viewer.start.click()
    await expect(viewer.frame.state_word).to_have_text("Not watching")
    await viewer.page.locator("#streams-link").click()
    await viewer.page.locator("#watch-link").click()
    await expect(viewer.frame.state_word).to_have_text("Not watching")
    await expect(viewer.start).to_have_text("Watch")
    assert await own_server.open_sessions() == 0
