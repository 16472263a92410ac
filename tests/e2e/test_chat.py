"""The chat and the events of a stream, as viewers and the publisher see them."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher
from .publish_page import PublishPage
from .stage_page import StagePage
from .test_look import assert_accessible
from .test_stage import DESKTOP, LANDSCAPE, LAYOUT_SHIFT, PHONE, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def talking() -> AsyncIterator[ServerProcess]:
    """A server whose streams have a chat."""
    server = ServerProcess("--chat")
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def on_air(talking: ServerProcess, open_publisher: OpenPublisher) -> PublishPage:
    publisher = await open_publisher(talking, viewport=DESKTOP)
    await publisher.publish("Test pattern", "320x180")
    return publisher


class Feed:
    """The feed on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.button = page.locator("#show-feed")
        self.unread = page.locator("#unread")
        self.log = page.get_by_role("log")
        self.messages = self.log.locator(".message")
        self.name = page.get_by_label("Your name")
        self.text = page.get_by_role("textbox", name="Message")
        self.send = page.get_by_role("button", name="Send")
        self.note = page.locator(".chat-note")
        self.floating = page.locator(".floating span")

    async def say(self, text: str, name: str | None = None) -> None:
        if name is not None:
            await self.name.fill(name)
        await self.text.fill(text)
        await self.text.press("Enter")

    def reaction(self, word: str) -> Locator:
        return self.page.get_by_role("button", name=word, exact=True)


async def open_feed(stage: StagePage) -> Feed:
    feed = Feed(stage.page)
    await feed.button.click()
    await expect(feed.text).to_be_enabled()
    return feed


async def test_two_viewers_and_the_publisher(
    talking: ServerProcess, open_page: OpenPage, on_air: PublishPage
) -> None:
    path = f"/watch/{on_air.stream}"
    first = await open_stage(talking, open_page, path)
    ada = await open_feed(first)
    second = await open_stage(talking, open_page, path)
    await second.plays()
    # It is closed there: the button says how many messages are new.
    quiet = Feed(second.page)
    await expect(quiet.button).to_have_accessible_name("Chat")

    # Nobody has a name yet.
    await ada.say("Hello")
    await expect(ada.note).to_have_text("Others need a name to answer to.")
    await expect(ada.name).to_be_focused()
    await ada.say("Hello <b>all</b>", "Ada")
    await expect(ada.messages).to_have_count(1)
    await expect(ada.messages.locator(".said")).to_have_text("Hello <b>all</b>")
    await expect(ada.text).to_have_value("")
    host = Feed(on_air.page)
    await expect(host.messages.locator("b")).to_have_text("Ada")
    await host.say("Welcome")
    await expect(ada.messages).to_have_count(2)
    answer = ada.messages.nth(1)
    await expect(answer.locator("b")).to_have_text(on_air.stream)
    await expect(answer.locator(".host")).to_have_text("Host")
    await expect(ada.log.locator(".host")).to_have_count(1)
    await expect(quiet.unread).to_have_text("2")
    await expect(quiet.button).to_have_accessible_name("Chat, 2 new messages")
    await assert_accessible(second.frame)
    await second.page.keyboard.press("c")
    await expect(quiet.messages).to_have_count(2)
    await expect(quiet.unread).to_be_hidden()
    await assert_accessible(second.frame)

    # Nobody else may be called as the publisher is.
    await ada.say("I am the publisher", on_air.stream.upper())
    await expect(ada.note).to_have_text("This name is the publisher's.")
    await expect(ada.text).to_have_value("I am the publisher")

    await ada.reaction("Applause").click()
    for one in (ada, quiet, host):
        await expect(one.floating).to_have_text("👏")
    await expect(ada.floating).to_have_count(0)

    # Who comes late, or again, has what was said, once, and remembers its name.
    await first.page.reload()
    await expect(ada.button).to_have_attribute("aria-expanded", "false")
    await ada.button.click()
    await expect(ada.messages).to_have_count(2)
    await expect(ada.unread).to_be_hidden()
    await expect(ada.name).to_have_value("Ada")
    # With Escape the focus goes back to where it was opened.
    await ada.text.press("Escape")
    await expect(ada.button).to_be_focused()
    assert not await first.page.locator("#feed").is_visible()
    assert await second.frame.run(LAYOUT_SHIFT) <= 0.05


async def test_what_is_refused_is_said(
    talking: ServerProcess, open_page: OpenPage
) -> None:
    stage = await open_stage(talking, open_page, "/watch/hurry")
    feed = await open_feed(stage)
    await feed.name.fill("Ada")
    # At once: while a busy machine presses keys, the next one may be said again.
    await feed.page.evaluate(
        """() => {
            const text = document.querySelector('.chat-text');
            for (let number = 0; number < 6; number += 1) {
                text.value = String(number);
                text.form.requestSubmit();
            }
        }"""
    )
    await expect(feed.note).to_contain_text("5 at once, and then one each 2 s.")
    await expect(feed.text).to_have_value("5")
    await expect(feed.messages).to_have_count(5)
    await expect(feed.text).to_have_attribute("maxlength", "500")
    await expect(feed.name).to_have_attribute("maxlength", "32")


@pytest.mark.parametrize("viewport", [PHONE, LANDSCAPE], ids=["phone", "landscape"])
async def test_a_phone_has_all_of_it(
    talking: ServerProcess,
    open_page: OpenPage,
    viewport: ViewportSize,
) -> None:
    stage = await open_stage(
        talking,
        open_page,
        "/watch/phone",
        viewport=viewport,
        is_mobile=True,
        has_touch=True,
        reduced_motion="reduce",
    )
    # A page that is still busy may take a short touch for a long one, which is no tap.
    await expect(stage.words).to_have_text("phone is not live yet")
    feed = Feed(stage.page)
    await feed.button.tap()
    await expect(feed.text).to_be_enabled()
    # Below the picture, or beside it.
    picture = await stage.page.locator("#tiles").bounding_box()
    panel = await stage.page.locator("#feed").bounding_box()
    assert picture is not None
    assert panel is not None
    if viewport == PHONE:
        assert picture["y"] + picture["height"] == pytest.approx(panel["y"], abs=1)
        assert panel["width"] == viewport["width"]
    else:
        assert picture["x"] + picture["width"] == pytest.approx(panel["x"], abs=1)
        assert panel["height"] == viewport["height"]
    await feed.say("Hello", "Ada")
    await expect(feed.messages).to_have_count(1)
    for part in (feed.messages, feed.name, feed.text, feed.send):
        await expect(part).to_be_in_viewport(ratio=1)
    assert not await stage.frame.scrolls_sideways()
    await assert_accessible(stage.frame)
    # Nothing moves for who does not want that.
    await feed.reaction("Heart").tap()
    await expect(feed.floating).to_have_text("❤️")
    name = "(e) => getComputedStyle(e).animationName"
    assert await feed.floating.evaluate(name) == "none"
    await stage.page.get_by_role("button", name="Close").tap()
    await expect(feed.button).to_be_in_viewport(ratio=1)


async def test_several_streams_have_one_feed(
    talking: ServerProcess, open_page: OpenPage
) -> None:
    stage = await open_stage(talking, open_page, "/watch/left+right?feed=1")
    both = Feed(stage.page)
    await expect(both.text).to_be_enabled()
    heading = stage.page.locator("#feed-heading")
    await expect(heading).to_have_text("Chat on left")
    alone = await open_feed(await open_stage(talking, open_page, "/watch/right"))
    await both.say("to the left", "Ada")
    await alone.say("on the right", "Grace")
    await expect(both.messages).to_have_count(2)
    streams = both.messages.locator(".stream")
    assert sorted(await streams.all_inner_texts()) == ["left", "right"]
    await expect(alone.messages).to_have_count(1)
    await stage.page.locator(".tile").nth(1).click(position={"x": 20, "y": 400})
    await expect(heading).to_have_text("Chat on right")
    await both.say("to the right")
    await expect(alone.messages).to_have_count(2)
    await assert_accessible(stage.frame)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_publishers_chat_is_accessible(
    talking: ServerProcess, open_publisher: OpenPublisher, scheme: str
) -> None:
    publisher = await open_publisher(talking, color_scheme=scheme, viewport=DESKTOP)
    await publisher.publish("Test pattern", "320x180")
    host = Feed(publisher.page)
    await expect(host.name).to_have_value(publisher.stream)
    await host.say("Hello")
    await expect(host.messages).to_have_count(1)
    await expect(host.text).to_be_in_viewport(ratio=1)
    # Its parts have their room, beside the other kind of chat on this page.
    widths = [
        (await part.bounding_box() or {"width": 0})["width"]
        for part in (host.text, host.log.locator(".host"))
    ]
    assert widths[0] > 150
    assert 20 < widths[1] < 80
    await assert_accessible(publisher.frame)
    await publisher.page.locator("#streams-link").click()
    await expect(host.log).to_be_hidden()


async def test_events_without_a_chat(
    server: ServerProcess, open_page: OpenPage, publisher: PublishPage
) -> None:
    """A chat is off by default; what happens is told all the same, when asked for."""
    stage = await open_stage(server, open_page, f"/watch/{publisher.stream}")
    await expect(stage.words).to_contain_text("is not live yet")
    feed = Feed(stage.page)
    await expect(feed.button).to_have_accessible_name("Events")
    assert not [r for r in stage.frame.requests if "/feed." in r.url]
    await stage.page.keyboard.press("c")
    happenings = feed.log.locator(".happening")
    await expect(happenings).to_have_text([re.compile("The show has not begun yet")])
    await publisher.publish("Test pattern", "320x180")
    await stage.plays()
    await expect(happenings.nth(1)).to_contain_text("The show begins.")
    await expect(happenings.nth(2)).to_contain_text("1 viewer")
    other = await open_stage(server, open_page, f"/watch/{publisher.stream}?feed=1")
    live = Feed(other.page).log.locator(".happening")
    await expect(live.nth(0)).to_contain_text("Live since")
    # A number that changes has one line.
    await expect(happenings.nth(2)).to_contain_text("2 viewers")
    await expect(feed.text).to_be_hidden()
    await assert_accessible(stage.frame)
    await publisher.stop()
    await expect(happenings.nth(3)).to_contain_text("The show has ended.")
    # The publisher's page has none either.
    await expect(publisher.page.locator("#publish-chat")).to_be_hidden()


async def test_a_frame_has_none_unless_asked(
    talking: ServerProcess, open_page: OpenPage
) -> None:
    stage = await open_stage(talking, open_page, "/embed/framed")
    await expect(stage.words).to_contain_text("is not live yet")
    feed = Feed(stage.page)
    await expect(feed.button).to_be_hidden()
    await stage.page.keyboard.press("c")
    await expect(stage.page.locator("#feed")).to_be_hidden()
    assert not [r for r in stage.frame.requests if "/feed." in r.url]
    await stage.frame.open("/embed/framed?feed=1")
    await expect(feed.text).to_be_enabled()
    await stage.frame.open("/watch/framed?feed=0")
    await expect(stage.words).to_contain_text("is not live yet")
    await expect(feed.button).to_be_hidden()


async def test_it_is_loaded_again_when_that_has_failed(
    talking: ServerProcess, open_page: OpenPage
) -> None:
    frame = await open_page(talking, viewport=DESKTOP)
    frame.expects("^Failed to load resource")
    failing = True

    async def fail(route: Route) -> None:
        await (route.abort() if failing else route.continue_())

    await frame.page.route("**/assets/feed.*.css", fail)
    stage = StagePage(frame, "/watch/lost")
    await stage.open()
    feed = Feed(frame.page)
    await feed.button.click()
    panel = frame.page.locator("#feed")
    await expect(panel).to_contain_text("could not be loaded")
    failing = False
    await feed.button.click()
    await feed.button.click()
    await expect(feed.text).to_be_enabled()
