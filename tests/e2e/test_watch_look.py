"""Watch on small screens, dark screens, to screen readers and by keyboard."""

import re

import pytest
from playwright.async_api import ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPublisher, OpenViewer
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage
from .test_look import DESKTOP, PHONE, SMALL_PHONE, assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_watch_is_accessible(
    server: ServerProcess,
    publisher: PublishPage,
    open_viewer: OpenViewer,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    viewer = await open_viewer(
        server, publisher.stream, color_scheme=scheme, viewport=viewport
    )
    await viewer.open()
    await expect(viewer.note).to_contain_text("Nobody publishes")
    await assert_accessible(viewer.frame)
    await publisher.publish()
    await viewer.plays()
    await expect(viewer.figure("Delay")).to_contain_text("ms")
    await assert_accessible(viewer.frame)
    await publisher.stop()
    await expect(viewer.note).to_contain_text("has left")
    await assert_accessible(viewer.frame)
    viewer.frame.expects(FAILED_REQUEST)
    await viewer.page.route("**/whep/*", lambda route: route.fulfill(status=406))
    await viewer.start.click()
    await viewer.start.click()
    await expect(viewer.frame.problem).to_be_visible()
    await assert_accessible(viewer.frame)


@pytest.mark.parametrize("viewport", [PHONE, SMALL_PHONE], ids=["phone", "small"])
async def test_watch_fits_a_phone(
    server: ServerProcess, open_viewer: OpenViewer, viewport: ViewportSize
) -> None:
    viewer = await open_viewer(
        server, "w" * 64, viewport=viewport, is_mobile=True, has_touch=True
    )
    await viewer.open()
    await expect(viewer.note).to_contain_text("Nobody publishes")
    assert not await viewer.frame.scrolls_sideways()
    for part in (viewer.video, viewer.mute, viewer.full_screen, viewer.start):
        await expect(part).to_be_in_viewport(ratio=1)
    for link in await viewer.page.locator("nav a:visible").all():
        await expect(link).to_be_in_viewport(ratio=1)
    # As far as figures and names of layers go.
    await viewer.frame.run(
        """async () => {
            const { showIncoming } = await import('/views/watch-figures.js');
            const { showLayerChoice } = await import('/views/layer-choice.js');
            const track = { codec: 'multiopus', packets: 1, width: 15360, height: 8640,
                frameRate: 120, bitrate: 123_456_789, loss: 1, jitter: 9, wait: 9 };
            showIncoming({ video: track, audio: track, rtt: 9 });
            const layers = ['a', 'b'].map((rid) => (
                { rid: rid.repeat(16), width: 15360, height: 8640 }));
            showLayerChoice({ tracks: [{ kind: 'video', layers }] }, '');
        }"""
    )
    await expect(viewer.layer).to_be_visible()
    assert not await viewer.frame.scrolls_sideways()


async def test_sound_and_full_screen_by_keyboard(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await viewer.plays()
    keyboard = viewer.page.keyboard
    await viewer.start.focus()
    await keyboard.press("Tab")
    await expect(viewer.mute).to_be_focused()
    await keyboard.press("Enter")
    await expect(viewer.mute).to_have_text("Mute")
    assert not await viewer.video.evaluate("(video) => video.muted")
    await keyboard.press("Tab")
    await expect(viewer.full_screen).to_be_focused()
    await keyboard.press("Space")
    await expect(viewer.full_screen).to_have_text("Leave full screen")
    full = await viewer.frame.run("() => document.fullscreenElement.id")
    assert full == "player"
    # Its buttons are there, too, and the picture is whole.
    for part in (viewer.video, viewer.mute, viewer.full_screen):
        await expect(part).to_be_in_viewport(ratio=0.99)
    await keyboard.press("Space")
    await expect(viewer.full_screen).to_have_text("Full screen")
    await viewer.plays()


async def test_links_lead_to_it(
    server: ServerProcess, open_publisher: OpenPublisher, open_viewer: OpenViewer
) -> None:
    publisher = await open_publisher(server)
    await publisher.publish()
    address = f"{server.url}/watch/{publisher.stream}"
    whip = f"{server.url}/whip/{publisher.stream}"
    link = publisher.page.get_by_role("link", name=address)
    await expect(link).to_have_attribute("href", address)

    viewer = await open_viewer(server, publisher.stream)
    page = viewer.page
    # Headless browsers have no clipboard of their own to look into.
    await page.add_init_script(
        "navigator.clipboard.writeText = async (text) => { window.copied = text; };"
    )
    await viewer.frame.open("/#streams")
    stream = page.locator("article").filter(has_text=publisher.stream)
    for name, text in (("viewers", address), ("OBS", whip)):
        button = stream.locator(f"button[data-what*='{name}']")
        await expect(button).to_have_text(f"Copy link for {name}")
        await button.click()
        await expect(button).to_have_text("Copied ✓")
        assert await viewer.frame.run("() => copied") == text
    watch = stream.get_by_role("link", name=f"Watch {publisher.stream}")
    # In a window of its own: this one may be on air.
    async with page.expect_popup() as popup:
        await watch.click()
    opened = await popup.value
    await expect(opened).to_have_title(re.compile(publisher.stream))
    await expect(opened.locator(".live")).to_be_visible()
