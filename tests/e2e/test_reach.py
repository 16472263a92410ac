"""Every view by keyboard alone, and on a screen of 320 pixels.

That is a screen of 1280 pixels at 400 %, which WCAG asks for (1.4.10, reflow); at 200 %
(1.4.4) there is more room.
"""

import pytest
from playwright.async_api import ViewportSize, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST, PingPage
from .publish_page import PublishPage
from .stage_page import StagePage
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

NARROW: ViewportSize = {"width": 320, "height": 640}

#: Where the words are that say that the page knows how things are, and the words.
VIEWS = {
    "/#ping": ("#state-word", "Connected"),
    "/#publish/reach": ("#preview-note", "Choose a source"),
    "/#watch": ("#watch-note", "Enter the name of a stream"),
    "/#streams": ("#streams-note", "live"),
    "/#admin": ("#admin-note", "open"),
    "/watch/nobody-there": (".cover-title", "is not live yet"),
    "/watch/nobody-there+nor-there+and-neither": (".cover-title", "is not live yet"),
    "/embed/nobody-there?autoplay=0": (".start", "Play"),
    "/nothing/here": ("h1", "Not found"),
}

#: What can be used now, and a person should get to.
CONTROLS = """() => [...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary')]
    .filter((e) => !e.disabled && e.checkVisibility({ visibilityProperty: true }))"""

#: Notes the element that has the focus. It is null beyond the last one, before the
#: first one; `again` when it had the focus before.
VISIT = """() => {
    const e = document.activeElement;
    if (e === document.body) return null;
    if (e.dataset.visited) return { again: true };
    e.dataset.visited = true;
    const { outlineStyle, outlineWidth } = getComputedStyle(e);
    let opacity = 1;
    for (let each = e; each; each = each.parentElement) {
        opacity *= getComputedStyle(each).opacity;
    }
    return {
        what: e.outerHTML.slice(0, 90),
        outline: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
        opacity,
    };
}"""

MISSED = f"""() => ({CONTROLS})().filter((e) => !e.dataset.visited)
    .map((e) => e.outerHTML.slice(0, 90))"""

#: What stands beyond the edge of the screen, or is cut at the edge of its control.
CUT = f"""() => ({CONTROLS})().filter((e) => {{
    const {{ left, right }} = e.getBoundingClientRect();
    const isText = /^(A|BUTTON|SUMMARY)$/.test(e.tagName);
    return left < 0 || right > innerWidth
        || (isText && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
}}).map((e) => e.outerHTML.slice(0, 90))"""


async def walk(frame: PingPage) -> None:
    """Press Tab until every control had the focus: it is always seen where it is."""
    for _ in range(100):
        await frame.page.keyboard.press("Tab")
        visited = await frame.run(VISIT)
        if visited is None:
            continue
        if "again" in visited:
            break
        assert visited["outline"] >= 2, visited
        assert visited["opacity"] == 1, visited
    assert await frame.run(MISSED) == []


@pytest.mark.parametrize("path", VIEWS)
async def test_nothing_is_out_of_reach(
    server: ServerProcess, open_page: OpenPage, path: str
) -> None:
    frame = await open_page(server, viewport=NARROW, reduced_motion="reduce")
    # There is nothing at some of the addresses.
    frame.expects(FAILED_REQUEST)
    await frame.open(path)
    selector, words = VIEWS[path]
    await expect(frame.page.locator(selector).first).to_contain_text(words)
    assert not await frame.scrolls_sideways()
    assert await frame.run(CUT) == []
    await assert_accessible(frame)
    await walk(frame)


async def test_the_controls_of_what_is_live_are_in_reach(
    server: ServerProcess, open_page: OpenPage, publisher: PublishPage
) -> None:
    """... with a choice of layers, and the panel of figures open."""
    await publisher.publish()
    frame = await open_page(server, viewport=NARROW, reduced_motion="reduce")
    stage = StagePage(frame, f"/watch/{publisher.stream}")
    layers = [
        {"rid": rid, "codec": "VP8", "width": 1280, "height": 720} for rid in ("f", "h")
    ]
    live = {"name": publisher.stream, "state": "connected", "duration": 9, "viewers": 1}
    live["tracks"] = [{"kind": "video", "layers": layers}]
    await frame.page.route(
        "**/api/streams?name=*",
        lambda route: route.fulfill(json={"streams": [live], "upstreams": []}),
    )
    await stage.open()
    await stage.plays()
    await expect(stage.layer).to_be_visible()
    await stage.stats.click()
    assert not await frame.scrolls_sideways()
    assert await frame.run(CUT) == []
    # The word of its first choice is whole.
    room = await stage.layer.evaluate(
        """(select) => {
            const words = document.createElement('span');
            words.style.font = getComputedStyle(select).font;
            words.textContent = select.options[0].text;
            document.body.append(words);
            const needed = words.getBoundingClientRect().width;
            words.remove();
            const { paddingLeft, paddingRight } = getComputedStyle(select);
            const padding = parseFloat(paddingLeft) + parseFloat(paddingRight);
            return select.clientWidth - padding - needed;
        }"""
    )
    assert room >= 0
    await assert_accessible(frame)
    await walk(frame)
