"""ICE restarts on the page: asked for, and by itself when the path is lost."""

import re

import pytest
from playwright.async_api import Route, expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST, RECORD_STATES, PingPage
from .restart_lab import restarts

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOUND = re.compile(r"New path found in (\d+) ms: PATCH (\d+), ICE (\d+)\.$")
SESSION = "**/whip/*/*"

#: Lets a test say what the browser reports of the connection: `window.pretend(state)`.
PRETEND = """() => {
    const Native = RTCPeerConnection;
    const connections = [];
    window.RTCPeerConnection = class extends Native {
        constructor(...args) {
            super(...args);
            connections.push(this);
        }
    };
    window.pretend = (state) => {
        const connection = connections.at(-1);
        if (state) {
            Object.defineProperty(connection, 'connectionState',
                { configurable: true, get: () => state });
        } else {
            delete connection.connectionState;
        }
        connection.dispatchEvent(new Event('connectionstatechange'));
    };
}"""


async def open_pretending(ping_page: PingPage) -> None:
    await ping_page.page.add_init_script(f"({PRETEND})()")
    await ping_page.page.add_init_script(f"({RECORD_STATES})()")
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")


async def test_the_button_finds_a_new_path(ping_page: PingPage) -> None:
    page = ping_page.page
    await ping_page.open_connected()
    await expect(page.locator("#trickle")).to_contain_text("complete")
    await expect(ping_page.restart_note).to_be_empty()
    await expect(ping_page.restart_note).to_have_role("status")
    await ping_page.ping_once()
    port = re.compile(r"^local +udp .*:(\d+)$", re.MULTILINE)
    await page.locator("summary", has_text="Path").click()
    before = port.search(await page.locator("#pair").inner_text())
    assert before is not None

    for _ in range(2):
        await ping_page.restart.click()
        await expect(ping_page.restart_note).to_have_text(FOUND)
        total, patch, ice = map(
            int, FOUND.findall(await ping_page.restart_note.inner_text())[0]
        )
        # To the digit: everybody can check it.
        assert total == patch + ice
        await expect(page.locator("#pair")).not_to_contain_text(f":{before[1]}")
        await expect(ping_page.restart).to_be_focused()
    await ping_page.ping_once()
    await expect(ping_page.answered).to_have_text("2")
    await expect(ping_page.lost).to_have_text("0")
    await expect(ping_page.state_word).to_have_text("Connected")
    # The trickled candidates are those of the current ICE session.
    await expect(page.locator("#trickle")).to_contain_text("complete")
    assert len(restarts(ping_page)) == 2
    assert len(ping_page.whip_requests("POST")) == 1


async def test_the_button_needs_a_connection(ping_page: PingPage) -> None:
    await ping_page.page.route("**/whip/*", lambda route: None)
    await ping_page.open()
    await expect(ping_page.state_word).to_have_text("Connecting")
    await expect(ping_page.restart).to_be_disabled()
    await expect(ping_page.restart).to_have_attribute(
        "title", re.compile("new network")
    )
    await ping_page.page.unroute("**/whip/*")
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    await expect(ping_page.restart).to_be_disabled()
    await ping_page.connect.click()
    await ping_page.is_connected()
    await expect(ping_page.restart).to_be_enabled()
    await ping_page.restart.focus()
    await ping_page.page.keyboard.press("Enter")
    await expect(ping_page.restart_note).to_have_text(FOUND)
    # Nothing is told of a session that is over.
    await ping_page.connect.click()
    await expect(ping_page.restart).to_be_disabled()
    await ping_page.connect.click()
    await ping_page.is_connected()
    await expect(ping_page.restart_note).to_be_empty()


async def test_pressed_twice_the_later_one_counts(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.restart.dblclick()
    await expect(ping_page.restart_note).to_have_text(FOUND)
    await ping_page.ping_once()
    await expect(ping_page.state_word).to_have_text("Connected")
    assert len(ping_page.whip_requests("POST")) == 1


async def test_a_refusal_is_told_and_changes_nothing(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)

    async def refuse(route: Route) -> None:
        if route.request.headers.get("if-match") != "*":
            await route.continue_()
            return
        await route.fulfill(
            status=422,
            content_type="application/problem+json",
            body='{"title": "No restarts", "detail": "Open a new session instead"}',
        )

    await ping_page.page.route(SESSION, refuse)
    await ping_page.page.add_init_script(f"({RECORD_STATES})()")
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.restart.click()
    await expect(ping_page.restart_note).to_have_text(
        "No new path. The server said: No restarts. Open a new session instead. "
        "The connection goes on as it was."
    )
    await ping_page.ping_once()
    await expect(ping_page.problem).to_be_hidden()
    states = ["Starting", "Connecting", "Connected"]
    assert await ping_page.run("() => window.states") == states
    assert len(restarts(ping_page)) == 1
    assert len(ping_page.whip_requests("POST")) == 1


@pytest.mark.parametrize("state", ["disconnected", "failed"])
async def test_an_interruption_starts_one_by_itself(
    ping_page: PingPage, state: str
) -> None:
    await open_pretending(ping_page)
    await ping_page.ping_once()
    await ping_page.run("(state) => pretend(state)", state)
    await expect(ping_page.state_word).to_have_text("Connection interrupted")
    # At once: what stays interrupted is mended again after a while.
    await ping_page.page.wait_for_function(
        """(note) => {
            const text = (id) => document.getElementById(id).textContent;
            const found = new RegExp(note).test(text('restart-note')) &&
                text('state-hint') === 'a new path is found';
            if (found) pretend(null);
            return found;
        }""",
        arg=rf"^Nothing came through\. {FOUND.pattern}",
        timeout=60_000,
    )
    await expect(ping_page.state_word).to_have_text("Connected")
    await expect(ping_page.state_hint).to_be_empty()
    await ping_page.ping_once()
    await expect(ping_page.answered).to_have_text("2")
    assert len(restarts(ping_page)) == 1
    assert len(ping_page.whip_requests("POST")) == 1
    await expect(ping_page.problem).to_be_hidden()


async def test_a_first_failure_is_followed_by_another_try(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    await open_pretending(ping_page)

    async def fail_once(route: Route) -> None:
        if route.request.headers.get("if-match") != "*":
            await route.continue_()
        elif len(restarts(ping_page)) == 1:
            await route.fulfill(status=503)
        else:
            await expect(ping_page.restart_note).to_have_text(
                "Nothing came through. Looking for a new path…"
            )
            await route.continue_()

    await ping_page.page.route(SESSION, fail_once)
    await ping_page.run("() => pretend('disconnected')")
    await expect(ping_page.restart_note).to_have_text(
        "Nothing came through. No new path yet. Looking again in a moment…"
    )
    await expect(ping_page.state_hint).to_have_text("looking again in a moment…")
    await expect(ping_page.restart_note).to_have_text(re.compile(FOUND.pattern))
    await ping_page.run("() => pretend(null)")
    await expect(ping_page.state_word).to_have_text("Connected")
    assert len(restarts(ping_page)) == 2
    assert len(ping_page.whip_requests("POST")) == 1


async def test_a_mismatch_of_the_two_sides_is_mended_by_another_restart(
    ping_page: PingPage,
) -> None:
    """RFC 9725 section 4.3.3: a client that detects it must restart again."""
    await ping_page.open_connected()

    async def mistake(route: Route) -> None:
        if route.request.headers.get("if-match") != "*" or len(restarts(ping_page)) > 1:
            await route.continue_()
            return
        response = await route.fetch()
        body = re.sub("a=ice-pwd:.*", "a=ice-pwd:" + "x" * 24, await response.text())
        await route.fulfill(response=response, body=body)

    await ping_page.page.route(SESSION, mistake)
    await ping_page.restart.click()
    await expect(ping_page.restart_note).to_have_text(FOUND, timeout=60_000)
    assert len(restarts(ping_page)) == 2
    await ping_page.ping_once()
    assert len(ping_page.whip_requests("POST")) == 1


async def test_a_path_that_comes_back_by_itself_ends_the_search(
    ping_page: PingPage,
) -> None:
    ping_page.expects(FAILED_REQUEST)
    await open_pretending(ping_page)

    async def fail(route: Route) -> None:
        if route.request.headers.get("if-match") == "*":
            await route.fulfill(status=503, headers={"Retry-After": "4"})
        else:
            await route.continue_()

    await ping_page.page.route(SESSION, fail)
    await ping_page.run("() => pretend('disconnected')")
    await expect(ping_page.state_hint).to_have_text("looking again in a moment…")
    await ping_page.run("() => pretend(null)")
    await expect(ping_page.state_word).to_have_text("Connected")
    await expect(ping_page.restart_note).to_be_empty()
    await ping_page.ping_once()
    assert len(restarts(ping_page)) == 1
    assert len(ping_page.whip_requests("POST")) == 1


@pytest.mark.parametrize("status", [503, 422])
async def test_without_a_new_path_there_is_a_new_session(
    own_server: ServerProcess, open_page: OpenPage, status: int
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await open_pretending(ping_page)
    await ping_page.ping_once()

    async def fail(route: Route) -> None:
        if route.request.headers.get("if-match") == "*":
            await route.fulfill(status=status)
        else:
            await route.continue_()

    await ping_page.page.route(SESSION, fail)
    await ping_page.run("() => pretend('failed')")
    await expect(ping_page.state_word).to_have_text("Connection lost")
    await expect(ping_page.problem).to_contain_text("The connection was lost")
    await ping_page.is_connected()
    await ping_page.ping_once()
    await expect(ping_page.answered).to_have_text("2")
    assert len(ping_page.whip_requests("POST")) == 2
    # In doubt once more; a clear refusal is taken as such.
    assert len(restarts(ping_page)) == (2 if status == 503 else 1)
    await own_server.wait_for_sessions(1)


async def test_a_session_that_the_server_forgot_is_replaced_at_once(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await own_server.kill()
    await own_server.start()
    async with ping_page.page.expect_request(
        lambda request: request.method == "POST", timeout=60_000
    ):
        await ping_page.restart.click()
    await ping_page.is_connected()
    await expect(ping_page.problem).to_be_hidden()
    await ping_page.ping_once()
    await own_server.wait_for_sessions(1)


NETWORK_CHANGES = {
    "online": "() => { dispatchEvent(new Event('online')); }",
    "wifi to mobile": """() => {
        navigator.connection.type = 'cellular';
        navigator.connection.dispatchEvent(new Event('change'));
    }""",
}
CONNECTION_TYPE = """() => {
    const connection = new EventTarget();
    connection.type = 'wifi';
    Object.defineProperty(navigator, 'connection', { value: connection });
}"""


@pytest.mark.parametrize("change", NETWORK_CHANGES)
async def test_another_network_starts_one_by_itself(
    ping_page: PingPage, change: str
) -> None:
    await ping_page.page.add_init_script(f"({CONNECTION_TYPE})()")
    await ping_page.page.add_init_script(f"({RECORD_STATES})()")
    await ping_page.open_connected()
    await ping_page.ping_once()
    # A new estimate of its speed does not make it another network.
    await ping_page.run(
        "() => { navigator.connection.dispatchEvent(new Event('change')); }"
    )
    assert restarts(ping_page) == []
    await ping_page.run(NETWORK_CHANGES[change])
    await expect(ping_page.restart_note).to_have_text(
        re.compile(rf"^The network has changed\. {FOUND.pattern}")
    )
    await ping_page.ping_once()
    assert len(restarts(ping_page)) == 1
    assert len(ping_page.whip_requests("POST")) == 1
    # It was connected all the time, and nothing else was said.
    states = ["Starting", "Connecting", "Connected"]
    assert await ping_page.run("() => window.states") == states


async def test_a_device_without_network_waits_for_one(ping_page: PingPage) -> None:
    ping_page.expects(FAILED_REQUEST)
    await open_pretending(ping_page)
    await ping_page.page.context.set_offline(True)
    await ping_page.run("() => pretend('disconnected')")
    await expect(ping_page.state_hint).to_have_text("this device is offline")
    await expect(ping_page.restart_note).to_have_text(
        "Nothing came through. Looking again when this device has a network."
    )
    await ping_page.page.context.set_offline(False)
    await expect(ping_page.restart_note).to_have_text(re.compile(FOUND.pattern))
    await ping_page.run("() => pretend(null)")
    await expect(ping_page.state_word).to_have_text("Connected")
    await ping_page.ping_once()
    assert len(ping_page.whip_requests("POST")) == 1


async def test_a_network_ends_the_waiting_for_the_next_try(
    ping_page: PingPage,
) -> None:
    ping_page.expects(FAILED_REQUEST)
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}),
    )
    await ping_page.open()
    await expect(ping_page.countdown).to_have_text(re.compile(r"in (60|5\d) s"))
    await ping_page.page.unroute("**/whip/*")
    await ping_page.run("() => { dispatchEvent(new Event('online')); }")
    await ping_page.is_connected()
