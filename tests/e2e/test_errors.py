"""Errors are told in plain words."""

import re

import pytest
from playwright.async_api import Route, expect

from .ping_page import FAILED_REQUEST, PingPage

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
    await ping_page.page.unroute("**/whip/*")
    await ping_page.try_now.click()
    await ping_page.is_connected()
    await expect(ping_page.problem).to_be_hidden()


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
    await ping_page.ping.click()
    await expect(ping_page.problem).to_be_visible()


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
            const { WhipClient } = await import('/whip-client.js');
            const { explain } = await import('/problems.js');
            const client = new WhipClient('/whip/cut-off', { connectTimeout: 500 });
            client.pc.createDataChannel('ping');
            try {
                await client.connect();
            } catch (error) {
                return [error.kind, client.connectionState, explain(error).title];
            }
        }"""
    )
    assert problem == ["ice", "closed", "No UDP packet gets through to the server"]


async def test_a_server_that_never_answers(ping_page: PingPage) -> None:
    await ping_page.page.route("**/whip/silent", lambda route: None)
    await ping_page.open_connected()
    problem = await ping_page.run(
        """async () => {
            const { WhipClient } = await import('/whip-client.js');
            const client = new WhipClient('/whip/silent', { fetchTimeout: 200 });
            client.pc.createDataChannel('ping');
            return client.connect().catch((error) => [error.kind, error.method]);
        }"""
    )
    assert problem == ["timeout", "POST"]
