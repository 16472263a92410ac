"""The Streams view: what is live, as it comes and goes."""

import re

import pytest
from playwright.async_api import Dialog, Locator, Page, Route, expect

from tests.server import ServerProcess

from .conftest import OpenPage, OpenPublisher, StartServer
from .ping_page import FAILED_REQUEST, PingPage
from .publish_page import NBSP, size
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")


def article(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator("article").filter(has=heading)


async def open_streams(ping_page: PingPage) -> Page:
    # A stream may end before its picture is asked for.
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open("/#streams")
    return ping_page.page


async def test_nothing_is_live(own_server: ServerProcess, open_page: OpenPage) -> None:
    ping_page = await open_page(own_server)
    page = await open_streams(ping_page)
    await expect(page.locator("#streams-note")).to_have_text("Nothing is live now.")
    await expect(page.locator("article")).to_have_count(0)
    # What to do next is said.
    await expect(page.locator("#streams-endpoint")).to_have_text(
        f"{own_server.url}/whip/mystream"
    )
    await expect(
        page.get_by_role("link", name=re.compile("test pattern"))
    ).to_have_attribute("href", "#publish")
    # No connection is made to look at it.
    assert ping_page.whip_requests("POST") == []
    await expect(ping_page.state).to_be_hidden()


async def test_streams_come_and_go(
    own_server: ServerProcess, open_page: OpenPage, open_publisher: OpenPublisher
) -> None:
    page = await open_streams(await open_page(own_server))
    note = page.locator("#streams-note")
    await expect(note).to_have_text("Nothing is live now.")

    second = await open_publisher(own_server)
    second.stream = "second"
    await second.publish("Test pattern", "320x180", codec="VP8", sound=True)
    stream = article(page, "second")
    await expect(stream).to_contain_text(re.compile(r"Live for \d+ s"))
    await expect(note).to_have_text("1 stream is live.")

    first = await open_publisher(own_server)
    first.stream = "first"
    await first.publish("Test pattern", "320x180", codec="VP9")
    await expect(note).to_have_text("2 streams are live.")
    await expect(page.locator("article h3")).to_have_text(["first", "second"])

    rows = stream.locator("tbody tr")
    await expect(rows.nth(0)).to_contain_text(size(320, 180))
    await expect(rows.nth(0)).to_contain_text(re.compile(rf"\d{NBSP}[kM]b/s"))
    await expect(rows.nth(0)).to_contain_text(re.compile(rf"\d{NBSP}fps"))
    await expect(rows.nth(0)).to_contain_text(f"0{NBSP}%")
    await expect(rows.locator("th")).to_have_text(["Video", "Audio"])
    await expect(rows.locator("td:nth-child(2)")).to_have_text(["VP8", "Opus"])
    await expect(article(page, "first")).to_contain_text("VP9")

    await second.stop()
    await expect(stream).to_have_count(0)
    await expect(note).to_have_text("1 stream is live.")


async def test_each_layer_has_its_row(ping_page: PingPage) -> None:
    def layer(rid: str | None, codec: str, **more: object) -> dict[str, object]:
        received = {"packets": 98, "lost": 4, "recovered": 2, "bitrate": 64_000}
        return {"rid": rid, "codec": codec, **received, **more}

    sizes = {"q": (320, 180), "f": (1280, 720), "h": (640, 360)}
    video = [
        layer(rid, "H264", width=width, height=height, frame_rate=29.97)
        for rid, (width, height) in sizes.items()
    ]
    tracks = [
        {"kind": "audio", "layers": [layer(None, "opus", channels=2)]},
        {"kind": "video", "layers": video},
    ]
    stream = {"name": "a", "state": "connected", "duration": 61.5, "tracks": tracks}
    stream["viewers"] = 2
    waiting = {**stream, "name": "b", "state": "connecting", "duration": 0.2}
    waiting["viewers"] = 1
    waiting["tracks"] = [{"kind": "video", "layers": []}]
    await ping_page.page.route(
        "**/api/streams",
        lambda route: route.fulfill(json={"streams": [stream, waiting]}),
    )
    page = await open_streams(ping_page)
    rows = article(page, "a").locator("tbody tr")
    names = ["Video f", "Video h", "Video q", "Audio"]
    await expect(rows.locator("th")).to_have_text(names)
    picture = f"{size(1280, 720)}, 30{NBSP}fps"
    loss = f"2.0{NBSP}%"
    cells = ["H.264", picture, f"64{NBSP}kb/s", loss]
    await expect(rows.nth(0).locator("td")).to_have_text(cells)
    cells = ["Opus", "", f"64{NBSP}kb/s", loss]
    await expect(rows.nth(3).locator("td")).to_have_text(cells)
    await expect(article(page, "a")).to_contain_text("Live for 1 min 1 s, 2 viewers")
    # A new stream has few figures.
    await expect(article(page, "b")).to_contain_text(
        "Live for 0 s, 1 viewer, connecting"
    )
    await expect(article(page, "b").locator("tbody")).to_have_text("Videonothing yet")


async def test_what_is_looked_at_is_left_alone(
    server: ServerProcess, ping_page: PingPage, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(server)
    await publisher.publish("Test pattern", "320x180", sound=True)
    page = await open_streams(ping_page)
    stream = article(page, publisher.stream)
    since = stream.locator(".since")
    await expect(since).to_contain_text("Live for")
    heading = stream.locator("h3")
    # A selection in a name is kept when other figures change.
    await heading.evaluate("(h) => getSelection().selectAllChildren(h)")
    text = await since.inner_text()
    await expect(since).not_to_have_text(text)
    selected = await page.evaluate("() => getSelection().toString()")
    assert selected == publisher.stream


async def test_errors_in_words_and_out_of_them(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    page = await open_streams(ping_page)
    note, problem = page.locator("#streams-note"), page.locator("#streams-problem")
    await expect(note).to_have_text("Nothing is live now.")
    await own_server.terminate()
    await expect(problem).to_contain_text("The server cannot be reached")
    await expect(note).to_be_empty()
    await own_server.start()
    await expect(note).to_have_text("Nothing is live now.")
    await expect(problem).to_be_empty()
    await page.route(
        "**/api/streams", lambda route: route.fulfill(status=200, body="<html>")
    )
    await expect(problem).to_contain_text("unexpected response")


async def test_a_token_is_asked_for_and_taken(
    start_server: StartServer, open_page: OpenPage
) -> None:
    ping_page = await open_page(await start_server("--token", "secret"))
    page = await open_streams(ping_page)
    problem = page.locator("#streams-problem")
    await expect(problem).to_contain_text("The server asks for a token")
    # Where the message is; it is kept while the tab is open.
    field = ping_page.page.get_by_label("Enter it to go on")
    await field.fill("secret")
    await field.press("Enter")
    await expect(field).to_be_hidden()
    await ping_page.page.reload()
    await expect(page.locator("#streams-note")).to_have_text("Nothing is live now.")
    await expect(problem).to_be_empty()


async def test_it_asks_only_while_it_is_looked_at(ping_page: PingPage) -> None:
    page = await open_streams(ping_page)
    await expect(page.locator("#streams-note")).to_have_text(re.compile("live"))
    await page.get_by_role("link", name="Ping", exact=True).click()
    await ping_page.is_connected()
    ping_page.requests.clear()
    # Four pings take three seconds, longer than from one question to the next.
    await ping_page.ping_automatically("every 1 s")
    await expect(ping_page.answered).to_have_text("4")
    asked = [r for r in ping_page.requests if "/api/" in r.url]
    assert asked == []


async def test_what_will_hurt_viewers_is_said(ping_page: PingPage) -> None:
    def finding(code: str, severity: str) -> dict[str, object]:
        return {
            "code": code,
            "severity": severity,
            "kind": "video",
            "rid": None,
            "text": f"There is {code}.",
            "advice": {"OBS": "Change it there.", "all": "Or here."},
        }

    found = [finding("b-frames", "problem"), finding("jitter", "warning")]
    layer = {"rid": None, "codec": "H264", "bitrate": 1_000_000, "recovered": 0}
    sent = [(1000, 0), (1990, 10), (2890, 110)]
    asked = 0

    async def streams(route: Route) -> None:
        nonlocal asked
        packets, lost = sent[min(asked, 2)]
        asked += 1
        video = layer | {"packets": packets, "lost": lost}
        stream = {
            "name": "a",
            "state": "connected",
            "duration": 61.5,
            "viewers": 0,
            "tracks": [{"kind": "video", "layers": [video]}],
            "health": found if asked < 3 else found[1:],
        }
        await route.fulfill(json={"streams": [stream]})

    await ping_page.page.route("**/api/streams", streams)
    page = await open_streams(ping_page)
    items = article(page, "a").locator(".health li")
    await expect(items).to_have_count(2)
    await expect(items.first).to_contain_text("Problem: There is b-frames.")
    await items.nth(0).locator("summary").click()
    await expect(items.first.locator("dl")).to_have_text(
        "OBSChange it there.AnywhereOr here."
    )
    await assert_accessible(ping_page)
    trends = article(page, "a").locator(".trends dd")
    await expect(trends.nth(0)).to_have_text(f"1.00{NBSP}Mb/s")
    # Of the packets since the last look, one in ten was lost.
    await expect(trends.nth(1)).to_have_text(f"10{NBSP}%")
    await expect(trends.nth(2)).to_have_text("0")
    await expect(items).to_have_count(1)


async def test_one_of_many_streams_is_found(ping_page: PingPage) -> None:
    streams = [
        {"name": f"show-{n}", "state": "connected", "duration": 9, "tracks": []}
        for n in range(12)
    ]
    for stream in streams:
        stream["health"] = [
            {
                "code": "jitter",
                "severity": "warning",
                "kind": kind,
                "rid": None,
                "text": "Uneven.",
                "advice": {},
            }
            for kind in ("video", "audio")
        ]
    await ping_page.page.route(
        "**/api/streams", lambda route: route.fulfill(json={"streams": streams})
    )
    page = await open_streams(ping_page)
    find = page.get_by_label("Find by name")
    await find.fill("W-1")
    await expect(page.locator("article:visible h3")).to_have_text(
        ["show-1", "show-10", "show-11"]
    )
    await expect(page.locator("#streams-note")).to_have_text(
        "12 streams are live. 3 of them are shown."
    )
    # The same of two tracks: it says of which.
    items = article(page, "show-1").locator(".health strong")
    await expect(items).to_have_text(["Warning (video):", "Warning (audio):"])
    await assert_accessible(ping_page)
    # Who searches does not lose the field.
    streams[9:] = []
    await expect(page.locator("#streams-note")).to_have_text(
        "9 streams are live. 1 of them is shown."
    )
    await expect(page.locator("article:visible h3")).to_have_text(["show-1"])
    await find.fill("")
    await expect(page.locator("article:visible")).to_have_count(9)
    await find.press("Tab")
    await expect(find).to_be_hidden()
    await expect(page.locator("article:visible")).to_have_count(9)


async def test_stopping_a_publisher(
    own_server: ServerProcess, open_page: OpenPage, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(own_server)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.publish("Test pattern", "320x180", codec="VP8")
    page = await open_streams(await open_page(own_server))
    stop = page.get_by_role("button", name=f"Stop the publisher of {publisher.stream}")
    asked: list[str] = []

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    page.once("dialog", answer)
    async with page.expect_response("**/publisher") as response:
        await stop.click()
    assert (await response.value).status == 204
    assert publisher.stream in asked[0]
    await own_server.logged("ended by an operator")
