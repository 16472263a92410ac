"""The life of a connection: ended, lost, found again."""

import re

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


#: Playwright is not told of requests that outlive their page. So the page notes those
#: it makes where another one can read them; that they arrive, the server has to say.
NOTE_DELETES = """() => {
    const { fetch } = window;
    window.fetch = (url, init) => {
        if (init?.method === 'DELETE') {
            localStorage.setItem('deletes', `keepalive ${init.keepalive}`);
        }
        return fetch(url, init);
    };
}"""


async def noted_delete(ping_page: PingPage) -> object:
    """The DELETE recorded by a page of the same context."""
    page = await ping_page.page.context.new_page()
    await page.goto(f"{ping_page.url}/favicon.svg")
    return await page.evaluate("() => localStorage.getItem('deletes')")


async def test_disconnect_deletes_the_session(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.open_connected()
    await own_server.wait_for_sessions(1)

    async with ping_page.page.expect_response(
        lambda response: response.request.method == "DELETE"
    ) as deletion:
        await ping_page.connect.click()
    response = await deletion.value
    assert response.status == 200
    assert "if-match" not in response.request.headers
    await own_server.wait_for_sessions(0)
    await expect(ping_page.state_word).to_have_text("Disconnected")
    # The browser's word for it would say the same again.
    await expect(ping_page.page.locator("#state-raw")).to_be_hidden()
    await expect(ping_page.connect).to_have_text("Connect")

    await ping_page.connect.click()
    await ping_page.is_connected()
    await own_server.wait_for_sessions(1)


async def test_closing_the_tab_deletes_the_session(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.page.add_init_script(f"({NOTE_DELETES})()")
    await ping_page.open_connected()
    await own_server.wait_for_sessions(1)
    await ping_page.page.close(run_before_unload=True)
    await own_server.wait_for_sessions(0)
    assert await noted_delete(ping_page) == "keepalive true"


async def test_navigating_away_deletes_the_session_and_back_connects(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.page.add_init_script(f"({NOTE_DELETES})()")
    await ping_page.open_connected()
    await own_server.wait_for_sessions(1)
    await ping_page.page.goto("about:blank")
    await own_server.wait_for_sessions(0)
    assert await noted_delete(ping_page) == "keepalive true"
    await ping_page.page.go_back()
    await ping_page.is_connected()
    await ping_page.ping_once()


async def test_a_page_out_of_the_back_forward_cache_connects_again(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.open_connected()
    # Whether the browser really keeps a page is its own decision: the events are not.
    await ping_page.run(
        "() => { dispatchEvent(new PageTransitionEvent('pagehide',"
        " { persisted: true })); }"
    )
    await own_server.wait_for_sessions(0)
    await expect(ping_page.state_word).to_have_text("Disconnected")
    await ping_page.run(
        "() => { dispatchEvent(new PageTransitionEvent('pageshow',"
        " { persisted: true })); }"
    )
    await ping_page.is_connected()
    await ping_page.ping_once()


async def test_a_killed_server_is_noticed_and_found_again(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await ping_page.ping_automatically()
    await expect(ping_page.answered).not_to_have_text("0")
    await own_server.kill()

    await expect(ping_page.state_word).to_have_text("Connection lost", timeout=60_000)
    await expect(ping_page.problem).to_contain_text(
        re.compile("The connection was lost|The server cannot be reached")
    )
    await expect(ping_page.countdown).to_have_text(
        re.compile(r"Trying again(…| in \d+ s)")
    )
    await expect(ping_page.lost).not_to_have_text("0")
    await expect(ping_page.problem).to_contain_text("The server cannot be reached")

    # Nothing is shown of the session that is gone.
    await expect(ping_page.page.locator("#state-raw")).to_be_hidden()
    for part in ("trickle", "pair-brief", "answer-brief"):
        await expect(ping_page.page.locator(f"#{part}")).to_be_empty()
    await expect(ping_page.page.locator("#answer")).to_contain_text("Nothing received")

    await own_server.start()
    await ping_page.is_connected()
    await expect(ping_page.problem).to_be_hidden()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")
    await ping_page.stop_pinging()
    await ping_page.ping_once()


async def test_a_killed_server_is_noticed_without_any_ping(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await own_server.kill()
    await expect(ping_page.state_word).to_have_text("Connection lost")
    await expect(ping_page.problem).to_be_visible()


async def test_a_server_that_stops_properly_is_noticed_at_once(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await own_server.terminate()
    await expect(ping_page.state_word).to_have_text("Connection lost", timeout=60_000)


async def test_a_frozen_server_is_noticed(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await ping_page.ping_once()
    own_server.freeze()
    await ping_page.ping.click()
    await expect(ping_page.rtt).to_have_text("lost")
    await expect(ping_page.state_word).to_have_text(
        re.compile("Connection lost|Connection interrupted|Connecting")
    )
    own_server.thaw()
    await expect(ping_page.state_word).to_have_text("Connected", timeout=60_000)
    await ping_page.ping_once()


async def test_try_now_cuts_the_waiting_short(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    # Retry-After makes the wait long, so that it cannot end by itself here.
    await ping_page.page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}),
    )
    await ping_page.open()
    await expect(ping_page.countdown).to_have_text(re.compile(r"in (60|5\d) s"))
    await ping_page.page.unroute("**/whip/*")
    await ping_page.try_now.click()
    await ping_page.is_connected()
    await expect(ping_page.ping).to_be_focused()


async def test_stop_ends_the_retries(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await open_page(own_server)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_connected()
    await own_server.terminate()
    await expect(ping_page.state_word).to_have_text("Connection lost")
    # Between two tries it reads "Disconnect"; both end the same.
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    await expect(ping_page.problem).to_be_hidden()
    await expect(ping_page.connect).to_have_text("Connect")


async def test_two_tabs_at_once(own_server: ServerProcess, open_page: OpenPage) -> None:
    first = await open_page(own_server)
    await first.open_connected()
    second = PingPage(await first.page.context.new_page(), own_server.url)
    await second.open_connected()
    await own_server.wait_for_sessions(2)
    await first.ping_once()
    await second.ping_once()
    await first.ping_once()
    await first.connect.click()
    await own_server.wait_for_sessions(1)
    await second.ping_once()
    await expect(second.answered).to_have_text("2")
    assert second.unexpected_problems() == []


async def test_the_stream_name_comes_from_the_address_or_the_settings(
    ping_page: PingPage,
) -> None:
    await ping_page.open_connected("/?stream=my-stream")
    assert ping_page.whip_requests("POST")[0].url.endswith("/whip/my-stream")

    page = ping_page.page
    await page.locator("#settings summary").click()
    await page.get_by_label("Stream name").fill("not a name")
    await page.get_by_role("button", name="Apply and reconnect").click()
    await expect(page.locator("#stream-problem")).to_contain_text("a to z, digits")

    await page.get_by_label("Stream name").fill("other")
    await page.get_by_role("button", name="Apply and reconnect").click()
    await expect(page.locator("#endpoint")).to_contain_text("/whip/other")
    await ping_page.ping_once()
    assert ping_page.whip_requests("POST")[1].url.endswith("/whip/other")
    assert len(ping_page.whip_requests("DELETE")) == 1
    assert page.url.endswith("/?stream=other")


async def test_an_impossible_stream_name_in_the_address_is_said(
    ping_page: PingPage,
) -> None:
    await ping_page.open_connected("/?stream=bad%20name")
    await expect(ping_page.rtt_note).to_contain_text("“bad name” is not a stream name")


async def test_a_view_that_there_is_not_is_said(ping_page: PingPage) -> None:
    await ping_page.open_connected("/#nothing/x")
    await expect(ping_page.rtt_note).to_contain_text("no view “nothing”")


async def test_a_token_goes_with_every_request_and_only_when_given(
    ping_page: PingPage,
) -> None:
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")
    for request in ping_page.requests:
        assert "authorization" not in await request.all_headers()
    (first_session,) = {request.url for request in ping_page.whip_requests("PATCH")}
    ping_page.requests.clear()

    await ping_page.page.locator("#settings summary").click()
    await ping_page.page.get_by_label("Token").fill("secret")
    await ping_page.page.get_by_role("button", name="Apply and reconnect").click()
    await ping_page.ping_once()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    methods = set()
    for request in ping_page.requests:
        if "/whip/" in request.url and request.url != first_session:
            headers = await request.all_headers()
            assert headers["authorization"] == "Bearer secret", request.method
            methods.add(request.method)
    assert methods == {"POST", "PATCH", "DELETE"}
