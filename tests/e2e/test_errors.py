"""Errors are told in plain words."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.server import ServerProcess
from whipbird.rights import digest_of

from .conftest import OpenPage, StartServer
from .ping_page import FAILED_REQUEST, RECORD_STATES, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refusal_is_shown_with_the_servers_reason(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(
            status=403,
            content_type="application/problem+json",
            body='{"type": "about:blank", "status": 403, "title": "Stream is taken",'
            ' "detail": "Somebody else publishes to it"}',
        ),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("The server refused the connection")
    await expect(ping_page.problem).to_contain_text(
        "It said: Stream is taken. Somebody else publishes to it."
    )
    await expect(ping_page.problem).to_contain_text("POST → HTTP 403")
    await expect(ping_page.state_word).to_have_text("Not connected")
    # Asking again by itself would be useless; a person may.
    await expect(ping_page.countdown).to_be_empty()
    await expect(ping_page.try_now).to_have_text("Try again")
    post = ping_page.page.locator("#timeline tr").nth(1)
    await expect(post).to_contain_text("POST")
    await expect(post.locator(".time")).to_have_text(re.compile(r"^\d+\.\d ms$"))
    await ping_page.page.unroute("**/whip/*")
    await ping_page.try_now.click()
    await ping_page.is_connected()
    await expect(ping_page.problem).to_be_hidden()


async def test_long_words_break(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    detail = "Line 7: a=candidate:" + "x" * 2000
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(
            status=422,
            content_type="application/problem+json",
            body=json.dumps({"title": "Bad offer", "detail": detail}),
        ),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("Line 7")
    for width, height in ((1280, 800), (360, 640)):
        await ping_page.page.set_viewport_size({"width": width, "height": height})
        assert not await ping_page.scrolls_sideways()
        await expect(ping_page.try_now).to_be_in_viewport(ratio=1)
        await expect(ping_page.ping).to_be_in_viewport(ratio=1)


async def test_retries_that_fail_at_once_are_quiet(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.add_init_script(f"({RECORD_STATES})()")
    await ping_page.page.route("**/whip/*", lambda route: route.fulfill(status=503))
    await ping_page.open()
    await expect(ping_page.problem).to_be_visible()
    async with ping_page.page.expect_response("**/whip/*"):
        pass
    await expect(ping_page.countdown).to_contain_text("Trying again in")
    states = ["Starting", "Connecting", "Not connected"]
    assert await ping_page.run("() => window.states") == states
    await expect(ping_page.connect).to_have_text("Stop")


@pytest.mark.parametrize(
    ("seconds", "words"), [(90, "90 s"), (300, "5 min"), (86400, "24 h")]
)
async def test_long_waits_are_told_in_long_units(
    ping_page: PingPage, seconds: int, words: str
) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": f"{seconds}"}),
    )
    await ping_page.open()
    await expect(ping_page.countdown).to_have_text(f"Trying again in {words}")


async def test_a_browser_without_javascript(
    server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(server, java_script_enabled=False)
    await ping_page.open()
    reason = ping_page.page.locator("noscript .problem")
    await expect(reason).to_contain_text("needs JavaScript")
    await expect(reason).to_be_visible()
    await expect(ping_page.ping).to_be_hidden()
    await expect(ping_page.state).to_be_hidden()


async def test_an_error_page_needs_no_javascript(
    server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(
        server, java_script_enabled=False, viewport={"width": 1280, "height": 720}
    )
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open("/no/such/page")
    page = ping_page.page
    parts = [
        page.get_by_role("heading", name="Not found"),
        page.get_by_text("There is nothing at"),
        page.get_by_text("HTTP status 404"),
        page.get_by_role("navigation"),
    ]
    boxes = []
    for part in parts:
        await expect(part).to_be_visible()
        box = await part.bounding_box()
        assert box is not None
        boxes.append(box)
    # One below the other.
    assert len({box["x"] for box in boxes}) == 1
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"]


async def test_an_error_without_details_is_shown_too(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, body="down for maintenance"),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("The server has a problem")
    await expect(ping_page.problem).to_contain_text("HTTP 503")
    await expect(ping_page.countdown).to_have_text(
        re.compile(r"Trying again(…| in \d+ s)")
    )
    await ping_page.page.unroute("**/whip/*")
    await ping_page.is_connected()


@pytest.mark.parametrize("status", [418, 499])
async def test_an_unknown_4xx_is_a_refusal(ping_page: PingPage, status: int) -> None:
    """RFC 9725, section 4.1: unknown codes mean what their hundred means."""
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*", lambda route: route.fulfill(status=status, body="")
    )
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("The server refused the connection")


async def test_a_server_that_speaks_something_else(ping_page: PingPage) -> None:
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=200, content_type="text/html", body="hi"),
    )
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("Not a WHIP server")
    await expect(ping_page.problem).to_contain_text("text/html")


async def test_a_browser_without_webrtc(ping_page: PingPage) -> None:
    await ping_page.page.add_init_script("delete window.RTCPeerConnection")
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("This browser cannot do WebRTC")
    await expect(ping_page.state_word).to_have_text("Not connected")
    await expect(ping_page.try_now).to_be_hidden()
    await expect(ping_page.ping).to_be_disabled()
    await expect(ping_page.auto).to_be_disabled()
    await expect(ping_page.connect).to_be_disabled()


async def test_no_path_for_udp(ping_page: PingPage) -> None:
    async def cut_off(route: Route) -> None:
        response = await route.fetch()
        sdp = await response.text()
        # Neither side can answer the other's checks with a wrong password.
        wrong = re.sub(r"(?m)^a=ice-pwd:\S+", "a=ice-pwd:" + "x" * 24, sdp)
        await route.fulfill(response=response, body=wrong)

    await ping_page.page.route("**/whip/cut-off", cut_off)
    await ping_page.open_connected()
    problem = await ping_page.run(
        """async () => {
            const { WhipClient } = await import('/client/whip-client.js');
            const { explain } = await import('/link/problems.js');
            const client = new WhipClient('/whip/cut-off', { connectTimeout: 500 });
            client.pc.createDataChannel('ping');
            try {
                await client.connect();
            } catch (error) {
                return [error.kind, client.connectionState, explain(error).title];
            }
        }"""
    )
    assert problem == ["ice", "closed", "Nothing gets through to the server"]


async def test_a_token_is_asked_for_and_taken(
    start_server: StartServer, open_page: OpenPage
) -> None:
    server = await start_server("--token", "secret")
    ping_page = await open_page(server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open()
    await expect(ping_page.problem).to_contain_text("The server asks for a token")
    await expect(ping_page.problem).to_contain_text("can give you one")
    page = ping_page.page
    await page.locator("#settings summary").click()
    apply = page.get_by_role("button", name="Apply and reconnect")
    await page.get_by_label("Token").fill("wrong")
    await apply.click()
    await expect(ping_page.problem).to_contain_text(
        "The server does not accept the token"
    )
    await expect(ping_page.problem).to_contain_text("Is there a mistake in it?")
    await expect(ping_page.try_now).to_have_text("Try again")
    await page.get_by_label("Token").fill("secret")
    await apply.click()
    await ping_page.is_connected()
    await expect(ping_page.problem).to_be_hidden()
    # The restart has it, too.
    await ping_page.restart.click()
    await expect(ping_page.restart_note).to_contain_text("New path found")


async def test_the_message_has_a_field_for_the_token(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    """Unknown, permitted too little, right; a reload does not ask again."""
    rules = tmp_path / "rights.toml"
    rules.write_text(
        "".join(
            f'[[tokens]]\nname = "{token}"\nhash = "{digest_of(token)}"\n'
            f'actions = ["{action}"]\n'
            for token, action in (("viewer", "watch"), ("speaker", "publish"))
        )
    )
    server = await start_server("--rights-file", str(rules))
    ping_page = await open_page(server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open()
    page, problem = ping_page.page, ping_page.problem
    await expect(problem).to_contain_text("The server asks for a token")
    field = page.get_by_label("Enter it here")
    for token, said in (
        ("guess", "The server does not accept the token"),
        ("viewer", "The token does not permit this"),
    ):
        await field.fill(token)
        await field.press("Enter")
        await expect(problem).to_contain_text(said)
        await expect(field).to_have_value("")
    await expect(problem).to_contain_text('the right "publish" for this stream')
    await field.fill("speaker")
    await page.get_by_role("button", name="Use it").click()
    await ping_page.is_connected()
    await expect(problem).to_be_hidden()
    assert "speaker" not in page.url
    await page.reload()
    await ping_page.is_connected()


@pytest.mark.parametrize(
    ("limit", "status"), [("--post-rate", 429), ("--max-sessions", 503)]
)
async def test_a_server_that_asks_to_wait_is_asked_again(
    start_server: StartServer, open_page: OpenPage, limit: str, status: int
) -> None:
    server = await start_server(limit, "1")
    first = await open_page(server)
    await first.open_connected()
    second = await open_page(server)
    second.expects(FAILED_REQUEST)
    await second.open()
    await expect(second.problem).to_contain_text("The server asks to wait")
    await expect(second.problem).to_contain_text(f"POST → HTTP {status}")
    await expect(second.problem).to_contain_text(
        re.compile(r"next try should not come before \d+ s are over")
    )
    await expect(second.countdown).to_have_text(re.compile(r"Trying again in \d+ s"))
    await expect(second.state_word).to_have_text("Not connected")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_without_a_time_is_short(ping_page: PingPage, status: int) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route("**/whip/*", lambda route: route.fulfill(status=status))
    await ping_page.open()
    await expect(ping_page.countdown).to_have_text(
        re.compile(r"Trying again(…| in \d+ s)")
    )
    await ping_page.page.unroute("**/whip/*")
    await ping_page.is_connected()


async def test_a_server_that_never_answers(ping_page: PingPage) -> None:
    await ping_page.page.route("**/whip/silent", lambda route: None)
    await ping_page.open_connected()
    problem = await ping_page.run(
        """async () => {
            const { WhipClient } = await import('/client/whip-client.js');
            const client = new WhipClient('/whip/silent', { fetchTimeout: 200 });
            client.pc.createDataChannel('ping');
            return client.connect().catch((error) => [error.kind, error.method]);
        }"""
    )
    assert problem == ["timeout", "POST"]
