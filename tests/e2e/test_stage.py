"""The page of a stream: what viewers see, press and hear."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher, StartServer
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage
from .stage_page import StagePage
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: ViewportSize = {"width": 390, "height": 844}
LANDSCAPE: ViewportSize = {"width": 844, "height": 390}
DESKTOP: ViewportSize = {"width": 1280, "height": 720}

#: What moves without having been touched, since the page was opened.
LAYOUT_SHIFT = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
        resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0));
    }).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => resolve(0), 300);
})"""


@pytest_asyncio.fixture(loop_scope="session")
async def on_air(
    server: ServerProcess, open_publisher: OpenPublisher
) -> AsyncIterator[PublishPage]:
    publisher = await open_publisher(server)
    await publisher.publish("Test pattern", "320x180", sound=True)
    yield publisher


async def open_stage(
    server: ServerProcess, open_page: OpenPage, path: str, **options: object
) -> StagePage:
    frame = await open_page(server, **{"viewport": DESKTOP, **options})
    stage = StagePage(frame, path)
    await stage.open()
    return stage


async def test_it_waits_plays_and_goes_on(
    server: ServerProcess, open_page: OpenPage, publisher: PublishPage
) -> None:
    name = publisher.stream
    stage = await open_stage(server, open_page, f"/watch/{name}")
    await expect(stage.words).to_have_text(f"{name} is not live yet")
    await expect(stage.cover.locator("img")).to_be_visible()
    await expect(stage.live).to_be_hidden()
    await assert_accessible(stage.frame)
    await publisher.publish("Test pattern", "320x180", sound=True)
    await stage.plays()
    await expect(stage.live).to_be_visible()
    await expect(stage.viewers).to_have_text("1 viewer")
    await assert_accessible(stage.frame)
    await publisher.start.click()
    await expect(stage.words).to_have_text(f"{name} has stopped")
    await expect(stage.live).to_be_hidden()
    await publisher.start.click()
    await stage.plays()
    assert await stage.frame.run(LAYOUT_SHIFT) <= 0.05


async def test_buttons_and_keys(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    stage = await open_stage(server, open_page, f"/watch/{on_air.stream}")
    page = stage.page
    await stage.plays()
    state = "(video) => [video.paused, video.muted, document.fullscreenElement?.id]"
    assert await stage.video.evaluate(state) == [False, True, None]
    await expect(stage.mute).to_have_accessible_name("Unmute")
    await stage.unmute.click()
    await expect(stage.unmute).to_be_hidden()
    await expect(stage.mute).to_be_focused()
    await expect(stage.mute).to_have_accessible_name("Mute")
    await page.keyboard.press("m")
    await expect(stage.mute).to_have_accessible_name("Unmute")
    await stage.volume.fill("40")
    assert await stage.video.evaluate("(v) => [v.muted, v.volume]") == [False, 0.4]
    await stage.video.click(position={"x": 600, "y": 300})

    await page.keyboard.press("Space")
    await expect(stage.play).to_have_accessible_name("Play")
    assert (await stage.video.evaluate(state))[0] is True
    # Nothing covers the picture that it has stopped at.
    await expect(stage.cover).to_be_hidden()
    await stage.play.click()
    await stage.plays()
    await expect(stage.play).to_have_accessible_name("Pause")

    await page.keyboard.press("f")
    await expect(stage.full_screen).to_have_accessible_name("Leave full screen")
    assert (await stage.video.evaluate(state))[2] == "stage"
    # The picture has all of the screen: the bar stands on it.
    whole = "(e) => [e.clientWidth, e.clientHeight, innerWidth, innerHeight]"
    width, height, *inner = await stage.video.evaluate(whole)
    assert [width, height] == inner
    await stage.video.dblclick(position={"x": 600, "y": 300})
    await expect(stage.full_screen).to_have_accessible_name("Full screen")

    # Keys that are meant for something else do nothing here.
    await stage.share.click()
    await page.get_by_label("Link for viewers", exact=True).press("m")
    assert (await stage.video.evaluate(state))[1] is False
    await assert_accessible(stage.frame)


async def test_the_controls_go_when_nobody_uses_them(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    stage = await open_stage(server, open_page, f"/watch/{on_air.stream}")
    await stage.plays()
    await expect(stage.stage).to_have_class(re.compile("is-quiet"))
    await stage.page.mouse.move(300, 300)
    await expect(stage.stage).not_to_have_class(re.compile("is-quiet"))
    await stage.stats.click()
    await expect(stage.page.locator("#watch-codec")).to_contain_text("VP8")
    await expect(stage.page.locator("#watch-delay-now")).to_contain_text("ms")
    await stage.page.get_by_label("Keep the delay").select_option("500")
    await expect(stage.page.locator("#watch-delay-note")).to_contain_text("0.5 s")
    await assert_accessible(stage.frame)
    await stage.page.keyboard.press("Escape")
    await expect(stage.page.locator("#stats")).to_be_hidden()
    await expect(stage.stats).to_be_focused()


async def test_words_are_legible_while_the_controls_go(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    stage = await open_stage(server, open_page, f"/watch/{on_air.stream}")
    await stage.plays()
    await expect(stage.live).to_be_visible()
    halfway = await stage.page.evaluate(
        """() => {
            const stage = document.getElementById('stage');
            stage.classList.remove('is-quiet');
            for (const each of document.getAnimations()) each.finish();
            stage.classList.add('is-quiet');
            const moving = document.getAnimations().filter(
                (each) => each instanceof CSSTransition);
            for (const each of moving) {
                each.pause();
                each.currentTime = 100;
            }
            return moving.length;
        }"""
    )
    assert halfway
    await assert_accessible(stage.frame)
    await stage.page.evaluate(
        "() => document.getAnimations().forEach((each) => each.finish())"
    )
    for part in (stage.live, stage.page.locator("#bar")):
        await expect(part).not_to_be_in_viewport()


async def test_a_layer_can_be_chosen(
    server: ServerProcess, open_page: OpenPage, publisher: PublishPage
) -> None:
    await publisher.publish("Test pattern", "1280x720", simulcast=True)
    stage = await open_stage(server, open_page, f"/watch/{publisher.stream}")
    await stage.plays()
    option = stage.layer.locator("option[value=q]")
    await expect(option).to_have_count(1)
    await stage.layer.select_option("q")
    await stage.plays()
    await expect(stage.page.locator("#watch-layer")).to_have_value("q")
    await expect(stage.video).to_have_js_property("videoWidth", 320)


@pytest.mark.parametrize("viewport", [PHONE, LANDSCAPE], ids=["phone", "landscape"])
async def test_a_phone_shows_all_of_it(
    server: ServerProcess,
    open_page: OpenPage,
    on_air: PublishPage,
    viewport: ViewportSize,
) -> None:
    stage = await open_stage(
        server,
        open_page,
        f"/watch/{on_air.stream}",
        viewport=viewport,
        is_mobile=True,
        has_touch=True,
    )
    await stage.plays()
    for part in (stage.video, stage.play, stage.full_screen, stage.unmute):
        await expect(part).to_be_in_viewport(ratio=1)
    assert not await stage.frame.scrolls_sideways()
    # Anywhere on the picture.
    await stage.page.touchscreen.tap(viewport["width"] / 2, viewport["height"] / 2)
    assert await stage.video.evaluate("(video) => !video.muted")
    await expect(stage.unmute).to_be_hidden()
    await stage.stats.tap()
    await expect(stage.page.locator("#stats")).to_be_in_viewport(ratio=1)
    assert not await stage.frame.scrolls_sideways()
    await assert_accessible(stage.frame)
    assert await stage.frame.run(LAYOUT_SHIFT) <= 0.05


async def test_several_side_by_side(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    name = on_air.stream
    stage = await open_stage(server, open_page, f"/watch/{name}+nobody+{name}")
    tiles = stage.page.locator(".tile")
    await expect(tiles).to_have_count(2)
    await stage.plays(tiles.nth(0))
    await expect(tiles.nth(1).locator(".cover-title")).to_have_text(
        "nobody is not live yet"
    )
    first, second = [await tile.bounding_box() for tile in await tiles.all()]
    assert first is not None
    assert second is not None
    assert first["y"] == second["y"]
    assert first["width"] == pytest.approx(second["width"], abs=1)
    await expect(tiles.nth(0)).to_have_class(re.compile("is-front"))
    await assert_accessible(stage.frame)


async def test_it_can_be_embedded(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    stage = await open_stage(server, open_page, f"/watch/{on_air.stream}")
    await stage.share.click()
    link = stage.page.get_by_label("Link for viewers", exact=True)
    await expect(link).to_have_value(f"{server.url}/watch/{on_air.stream}")
    code = await stage.page.get_by_label("To show it in a page of yours").input_value()
    assert f'src="{server.url}/embed/{on_air.stream}"' in code
    # A page of this server; its policy concerns what frames it, not what it frames.
    frame = await open_page(server)
    await frame.open("/nothing.html?")
    frame.expects(FAILED_REQUEST)
    await frame.run("(code) => { document.body.innerHTML = code; }", code)
    inner = frame.page.frame_locator("iframe")
    await expect(inner.locator(".live")).to_be_visible()


async def test_an_embedded_one_waits_for_a_click_if_told_to(
    server: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    path = f"/embed/{on_air.stream}?autoplay=0&muted=0"
    stage = await open_stage(server, open_page, path)
    start = stage.cover.get_by_role("button", name="Play")
    await expect(start).to_be_visible()
    assert not [r for r in stage.frame.requests if "/whep/" in r.url]
    await assert_accessible(stage.frame)
    await start.click()
    await stage.plays()
    # A click permits the sound.
    assert await stage.video.evaluate("(video) => !video.muted")


async def test_it_asks_for_a_token(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = await start_server("--token", "secret")
    stage = await open_stage(server, open_page, "/watch/private")
    # The first request has no token, the second one a wrong one.
    stage.frame.expects(FAILED_REQUEST)
    await expect(stage.words).to_have_text("private needs a token")
    await expect(stage.token).to_be_focused()
    await assert_accessible(stage.frame)
    await stage.token.fill("wrong")
    await stage.token.press("Enter")
    await expect(stage.words).to_have_text("This token does not open it")
    await stage.token.fill("secret")
    await stage.token.press("Enter")
    await expect(stage.words).to_have_text("private is not live yet")
    await expect(stage.token).to_be_hidden()
    # It is kept while the tab is open.
    await stage.page.reload()
    await expect(stage.words).to_have_text("private is not live yet")


async def test_a_page_in_words_for_what_is_none(
    server: ServerProcess, open_page: OpenPage
) -> None:
    stage = await open_stage(server, open_page, "/watch/no such name")
    # The page itself has the status 404.
    stage.frame.expects(FAILED_REQUEST)
    heading = stage.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Not a stream name")
    await assert_accessible(stage.frame)
    await stage.page.get_by_role("link", name="What is live").click()
    await expect(stage.page).to_have_url(f"{server.url}/#streams")
    await stage.frame.open("/whip/a-name")
    await expect(stage.page.locator("#publish-stream")).to_have_value("a-name")
