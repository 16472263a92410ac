"""Views: which one is in front, and what it means to come and go."""

import pytest
from playwright.async_api import Page, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIEWS = ["ping", "publish", "watch", "streams"]


async def is_in_front(page: Page, view: str) -> None:
    """Wait until a view is shown, no other is, and the navigation says so."""
    await expect(page.locator(f"#{view}-view")).to_be_visible()
    for other in VIEWS:
        if other != view:
            await expect(page.locator(f"#{other}-view")).to_be_hidden()
    current = page.locator("nav [aria-current]")
    await expect(current).to_have_attribute("aria-current", "page")
    await expect(current).to_have_id(f"{view}-link")
    await expect(page).to_have_title(f"Whipbird {view}")


@pytest.mark.parametrize(
    ("address", "view"),
    [
        ("/", "ping"),
        ("/#ping", "ping"),
        ("/#publish", "publish"),
        ("/#publish/a-name", "publish"),
        ("/#watch", "watch"),
        ("/#streams", "streams"),
        ("/#nothing-like-it", "ping"),
    ],
)
async def test_the_address_tells_the_view(
    ping_page: PingPage, address: str, view: str
) -> None:
    await ping_page.open(address)
    await is_in_front(ping_page.page, view)


async def test_back_and_forward(ping_page: PingPage) -> None:
    page = ping_page.page
    await ping_page.open_connected()
    for view in ("publish", "streams"):
        await page.locator(f"#{view}-link").click()
        await is_in_front(page, view)
    await page.go_back()
    await is_in_front(page, "publish")
    await page.go_back()
    await is_in_front(page, "ping")
    await page.go_forward()
    await is_in_front(page, "publish")


async def test_a_view_is_told_and_entered_by_keyboard(ping_page: PingPage) -> None:
    page = ping_page.page
    await ping_page.open_connected()
    keyboard = page.keyboard
    for _ in range(3):
        await keyboard.press("Tab")
    await expect(page.locator("#publish-link")).to_be_focused()
    await keyboard.press("Enter")
    await is_in_front(page, "publish")
    # Screen readers tell what has focus.
    await expect(page.get_by_role("heading", name="Publish a stream")).to_be_focused()
    await keyboard.press("Tab")
    await expect(page.locator("#publish-start")).to_be_focused()
    await keyboard.press("Tab")
    await expect(page.get_by_label("Source")).to_be_focused()
    await keyboard.press("t")
    await expect(page.get_by_label("Source")).to_have_value("pattern")
    await keyboard.press("Tab")
    await expect(page.get_by_label("With sound")).to_be_focused()
    await keyboard.press("Space")
    await expect(page.get_by_label("With sound")).not_to_be_checked()
    await keyboard.press("Tab")
    await expect(page.get_by_label("Publish as")).to_be_focused()
    await page.get_by_label("Resolution").select_option("320x180")
    await keyboard.press("Enter")
    await expect(ping_page.state_word).to_have_text("On air")
    await page.locator("#publish-start").focus()
    await keyboard.press("Enter")
    await expect(ping_page.state_word).to_have_text("Not publishing")


async def test_nobody_pings_from_behind(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.page.locator("#streams-link").click()
    await own_server.wait_for_sessions(0)
    await ping_page.page.locator("#ping-link").click()
    await ping_page.is_connected()
    await expect(ping_page.answered).to_have_text("1")
    await ping_page.ping_once()
    # A disconnected link stays disconnected.
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    await ping_page.page.locator("#publish-link").click()
    await expect(ping_page.state_word).to_have_text("Not publishing")
    await expect(ping_page.connect).to_be_hidden()
    await ping_page.page.locator("#ping-link").click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    assert await own_server.open_sessions() == 0


async def test_each_view_has_its_own_connection(ping_page: PingPage) -> None:
    page = ping_page.page
    await ping_page.open_connected("/?stream=both")
    await expect(page.locator("#endpoint")).to_contain_text("/whip/both")
    await expect(page.locator("#timeline tr")).to_have_count(6)
    await expect(page.locator("#offer")).to_contain_text("m=application")
    await page.locator("#publish-link").click()
    # The name in the address is for this view, too; there is nothing of it yet.
    await expect(page.get_by_label("Publish as")).to_have_value("both")
    await expect(page.locator("#timeline tr")).to_have_count(5)
    await expect(page.locator("#offer")).to_have_text("Nothing sent yet.")
    await expect(page.locator("#pair")).to_have_text("Not connected yet.")
    await expect(page.locator("#trickle")).to_be_empty()
    await page.locator("#streams-link").click()
    for part in ("connection", "setup", "session", "problem", "endpoint-line"):
        await expect(page.locator(f"#{part}")).to_be_hidden()
    await expect(page.locator("#settings")).to_be_visible()


async def test_a_name_that_is_none_in_the_address_is_said(ping_page: PingPage) -> None:
    await ping_page.open("/#publish/not%20a%20name")
    await expect(ping_page.page.get_by_label("Publish as")).to_have_value("not a name")
    problem = ping_page.page.locator("#publish-stream-problem")
    await expect(problem).to_contain_text("a to z, digits")
