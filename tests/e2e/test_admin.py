"""The Admin view: what operators see, and end."""

import re

import aiohttp
import pytest
from playwright.async_api import ViewportSize, expect

from tests import offers

from .conftest import OpenPage, OpenPublisher, StartServer
from .ping_page import FAILED_REQUEST
from .test_look import DESKTOP, SMALL_PHONE, assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "secret"


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", DESKTOP), ("dark", SMALL_PHONE)]
)
async def test_sessions_are_listed_and_ended(
    start_server: StartServer,
    open_page: OpenPage,
    open_publisher: OpenPublisher,
    scheme: str,
    viewport: ViewportSize,
) -> None:
    server = await start_server("--token", TOKEN)
    publisher = await open_publisher(server)
    await publisher.publish_with_token(TOKEN, codec="VP8")

    frame = await open_page(server, color_scheme=scheme, viewport=viewport)
    frame.expects(FAILED_REQUEST)
    await frame.open("/#admin")
    page = frame.page
    await expect(page.locator("#admin-problem")).to_contain_text("asks for a token")
    # Where the message is.
    token = page.get_by_label("Enter it to go on")
    await assert_accessible(frame)
    await token.fill(TOKEN)
    await token.press("Enter")
    await expect(token).to_be_hidden()
    rows = page.locator("#sessions tr")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text(publisher.stream)
    await expect(rows).to_contain_text("connected")
    await expect(rows).to_contain_text(re.compile(r"\d\sms"))
    await expect(page.locator("#admin-note")).to_have_text("1 session is open.")
    load = page.locator("#admin-load")
    await expect(load).to_contain_text(re.compile(r"Whipbird \S+, up for \d+ .*core"))
    await expect(page.locator("#admin-limits")).to_have_text("No limit was hit.")
    # A link would send no token.
    await expect(page.locator("#admin-metrics")).to_be_hidden()
    assert not await frame.scrolls_sideways()
    await assert_accessible(frame)

    page.once("dialog", lambda dialog: dialog.accept())
    async with page.expect_response(
        lambda response: response.request.method == "DELETE"
    ) as ended:
        await page.get_by_role("button", name="End session").click()
    assert (await ended.value).status == 204
    assert "ended by an operator" in server.output


async def test_one_of_many_sessions_is_found(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = await start_server("--max-client-connecting", "20")
    frame = await open_page(server, viewport=SMALL_PHONE)
    await frame.open("/#admin")
    page = frame.page
    find = page.get_by_label("Find by stream, address, id, state or chat name")
    note = page.locator("#admin-note")
    rows = page.locator("#sessions tr")
    await expect(note).to_have_text("No sessions are open.")
    await expect(find).to_be_hidden()
    async with aiohttp.ClientSession() as http:
        for n in range(12):
            headers = {"Content-Type": "application/sdp"}
            url = f"{server.url}/whip/show-{n}"
            async with http.post(
                url, data=offers.CHROMIUM_DATA, headers=headers
            ) as response:
                assert response.status == 201
    await expect(rows).to_have_count(12)
    await find.fill("SHOW-1")
    await expect(rows).to_have_count(3)
    await expect(note).to_have_text("12 sessions are open; 3 with “SHOW-1”.")
    await find.fill("show-1 nobody")
    await expect(rows).to_have_count(0)
    await expect(note).to_have_text("12 sessions are open; none with “show-1 nobody”.")
    assert not await frame.scrolls_sideways()
    await assert_accessible(frame)
    await find.fill("")
    await expect(rows).to_have_count(12)


async def test_limits_that_were_hit(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = await start_server("--post-rate", "2")
    frame = await open_page(server)
    frame.expects(FAILED_REQUEST)
    await frame.open("/#admin")
    await frame.run(
        """async () => {
            for (let n = 0; n < 9; n += 1) await fetch('/whip/x', { method: 'POST' });
        }"""
    )
    await expect(frame.page.locator("#admin-limits")).to_contain_text(
        re.compile(r"Limits hit: .*\(\d+\)\.")
    )
    await expect(frame.page.locator("#admin-metrics")).to_be_visible()


async def test_operators_at_another_port(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = await start_server("--admin-listen", "127.0.0.1:0")
    frame = await open_page(server)
    frame.expects(FAILED_REQUEST)
    await frame.open("/#admin")
    await expect(frame.page.locator("#admin-problem")).to_contain_text(
        "an address of its own"
    )
