"""Endpoints that send a client elsewhere (RFC 9725 section 4.5)."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web

from tests.server import ServerProcess

from .conftest import OpenPage, StartServer
from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Connects to an endpoint, and tells how that went.
CONNECT = """async ([endpoint, token]) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const { explain } = await import('/link/problems.js');
    const client = new WhipClient(endpoint, { token });
    client.pc.createDataChannel('ping');
    try {
        await client.connect();
    } catch (error) {
        return { kind: error.kind, ...explain(error) };
    }
    const { location } = client;
    const { etag } = await client.restartIce().then(() => client);
    await client.close();
    return { location, etag };
}"""


class Redirector:
    """A load balancer: sends POST requests on, with a status of the test's choice."""

    def __init__(self) -> None:
        self.status = 307
        self.target = ""
        self.url = ""

    async def preflight(self, request: web.Request) -> web.Response:
        return web.Response(
            headers={
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Headers": "Content-Type, Authorization",
            }
        )

    async def post(self, request: web.Request) -> web.Response:
        return web.Response(
            status=self.status,
            headers={"Access-Control-Allow-Origin": "*", "Location": self.target},
        )


@pytest_asyncio.fixture(loop_scope="session")
async def redirector() -> AsyncIterator[Redirector]:
    redirector = Redirector()
    app = web.Application()
    app.router.add_options("/whip/entry", redirector.preflight)
    app.router.add_post("/whip/entry", redirector.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    redirector.url = f"http://{host}:{port}/whip/entry"
    yield redirector
    await runner.cleanup()


async def open_foreign(server: ServerProcess, open_page: OpenPage) -> PingPage:
    """A page that may use endpoints of other origins, which ours does not."""
    ping_page = await open_page(server, bypass_csp=True)
    ping_page.expects(FAILED_REQUEST)
    await ping_page.open_without_application()
    return ping_page


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_leads_to_the_session(
    server: ServerProcess, open_page: OpenPage, redirector: Redirector, status: int
) -> None:
    redirector.status = status
    redirector.target = f"{server.url}/whip/node"
    ping_page = await open_foreign(server, open_page)
    outcome = await ping_page.run(CONNECT, [redirector.url, None])
    # A relative Location is relative to where the redirect led, not where it began.
    assert outcome["location"].startswith(f"{server.url}/whip/node/")
    methods = [
        request.method
        for request in ping_page.requests
        if request.url == outcome["location"]
    ]
    assert methods[-1] == "DELETE"
    assert set(methods) == {"PATCH", "DELETE"}


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_that_loses_the_offer_is_explained(
    server: ServerProcess, open_page: OpenPage, redirector: Redirector, status: int
) -> None:
    redirector.status = status
    redirector.target = f"{server.url}/whip/node"
    ping_page = await open_foreign(server, open_page)
    outcome = await ping_page.run(CONNECT, [redirector.url, None])
    assert outcome["kind"] == "protocol"
    assert outcome["title"] == "The offer was lost in a redirect"
    assert redirector.target in outcome["text"]
    assert "has to use 307 or 308" in outcome["text"]


async def test_an_error_behind_a_redirect_says_where_it_led(
    server: ServerProcess, open_page: OpenPage, redirector: Redirector
) -> None:
    redirector.target = f"{server.url}/whip/no%20name"
    ping_page = await open_foreign(server, open_page)
    outcome = await ping_page.run(CONNECT, [redirector.url, None])
    assert outcome["title"] == "The server refused the connection"
    assert "Not a stream name" in outcome["text"]
    assert outcome["technical"] == (
        f"POST → HTTP 404 (redirected to {redirector.target})"
    )


async def test_a_token_that_a_redirect_loses_is_explained(
    server: ServerProcess,
    start_server: StartServer,
    open_page: OpenPage,
    redirector: Redirector,
) -> None:
    """Browsers take it off the request when it goes to another host (Fetch 4.4)."""
    node = await start_server("--token", "secret")
    redirector.target = f"{node.url}/whip/node"
    assert urlsplit(redirector.target).port != urlsplit(redirector.url).port
    ping_page = await open_foreign(server, open_page)
    outcome = await ping_page.run(CONNECT, [redirector.url, "secret"])
    assert outcome["title"] == "The server does not accept the token"
    assert "browsers send no token on to another host" in outcome["text"]
