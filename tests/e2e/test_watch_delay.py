"""The delay of a stream: chosen, told, and remembered."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

from .command_publisher import publishing
from .conftest import OpenPage, OpenViewer
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage
from .test_look import assert_accessible
from .watch_page import WatchPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def targets(viewer: WatchPage) -> list[float | None]:
    """What the jitter buffers of the connection are told, in milliseconds."""
    found: list[float | None] = await viewer.frame.run(
        "() => connections.at(-1).getReceivers().map((r) => r.jitterBufferTarget)"
    )
    return found


async def until_delayed(viewer: WatchPage, least: float, most: float) -> None:
    """Wait until the picture's delay is within bounds, in milliseconds.

    Raises:
        AssertionError: with the delays there were, if it does not get there.
    """
    seen: list[Any] = []
    try:
        async with asyncio.timeout(60):
            while not seen or seen[-1] is None or not least <= seen[-1] <= most:
                seen.append(
                    await viewer.frame.run(
                        """() => {
                            const text =
                                document.getElementById('watch-delay-now').textContent;
                            const found = /^([\\d.]+)/.exec(text);
                            return found && Number(found[1]);
                        }"""
                    )
                )
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise AssertionError(f"not from {least} to {most}, but {seen}") from None


async def test_a_delay_is_chosen(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish(sound=True)
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await viewer.plays()
    delay = viewer.page.get_by_label("Delay")
    note = viewer.page.locator("#watch-delay-note")
    await expect(delay).to_have_value("auto")
    await expect(delay).to_have_accessible_description(await note.inner_text())
    await expect(note).to_contain_text("Automatic: ")
    await expect(viewer.page.locator("#watch-delays")).to_contain_text("the picture")

    await delay.select_option("1000")
    assert await targets(viewer) == [1000, 1000]
    await expect(note).to_contain_text("At least 1 s")
    await until_delayed(viewer, 800, 2000)
    await viewer.plays()

    # By keyboard, and on the next visit.
    await viewer.full_screen.focus()
    await viewer.page.keyboard.press("Tab")
    await expect(delay).to_be_focused()
    for _ in range(2):
        await viewer.page.keyboard.press("ArrowUp")
    await expect(delay).to_have_value("200")
    assert await targets(viewer) == [200, 200]
    await viewer.page.reload()
    await viewer.plays()
    await expect(delay).to_have_value("200")
    assert await targets(viewer) == [200, 200]
    await delay.select_option("Shortest")
    assert await targets(viewer) == [0, 0]
    await until_delayed(viewer, 0, 150)


async def test_loss_makes_it_longer(server: ServerProcess, open_page: OpenPage) -> None:
    """And it is none until packets get lost."""
    options = ("--video-codec", "vp8", "--size", "320x180", "--rate", "15")
    async with (
        LossyPath(server.url) as path,
        publishing(f"{server.url}/whip/lossy", *options, "--bitrate", "300k"),
    ):
        frame = await open_page(server)
        frame.url = path.url
        frame.expects(FAILED_REQUEST)
        viewer = WatchPage(frame, "lossy")
        await viewer.open()
        await viewer.plays(limit=60)
        note = viewer.page.locator("#watch-delay-note")
        await expect(note).to_contain_text("as short as possible")
        assert await targets(viewer) == [0, 0]
        path.relay.lose(0.1)
        await expect(note).to_contain_text("so that lost packets", timeout=60_000)
        video, audio = await targets(viewer)
        assert video == audio
        assert video is not None
        # The time of the copies, at least.
        assert 30 <= video <= 500
        await viewer.plays(limit=60)
        await viewer.leave()


async def test_a_choice_that_is_none_any_more(
    server: ServerProcess, open_viewer: OpenViewer
) -> None:
    viewer = await open_viewer(server, "nobody")
    await viewer.page.add_init_script("localStorage['whipbird-delay'] = '123';")
    await viewer.open()
    await expect(viewer.page.get_by_label("Delay")).to_have_value("auto")
    await expect(viewer.frame.state_word).to_have_text("Connected")
    assert await targets(viewer) == [0, 0]


async def test_a_browser_that_sets_no_delay_and_remembers_nothing(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewer = await open_viewer(server, publisher.stream)
    await viewer.page.add_init_script(
        """{
            delete RTCRtpReceiver.prototype.jitterBufferTarget;
            Object.defineProperty(window, 'localStorage', { get() {
                throw new DOMException('no', 'SecurityError');
            } });
        }"""
    )
    await viewer.open()
    await viewer.plays()
    await expect(viewer.page.get_by_label("Delay")).to_be_hidden()
    await expect(viewer.page.locator("#watch-delay-note")).to_have_text(
        "This browser chooses the delay by itself."
    )
    await expect(viewer.figure("Delay")).to_contain_text("ms")
    await assert_accessible(viewer.frame)
