"""The server behind nginx, HAProxy and Caddy, which serve it below ``/webrtc/``.

One server process is behind all of them.
"""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import hdrs
from playwright.async_api import async_playwright
from yarl import URL

from tests import offers
from tests.e2e.browser import find_chromium, launch_flags
from tests.e2e.ping_page import PingPage
from tests.e2e.publish_page import PublishPage
from tests.e2e.watch_page import WatchPage
from tests.echoes import echoes_of
from tests.server import ServerProcess
from tests.waiting import until
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.sdp.link import parse_links

from .reverse_proxies import ReverseProxy, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LIMIT = 60.0

# Those that the server is told of; it trusts 127.0.0.1.
TELLING = ("nginx", "haproxy", "caddy")
MOST_CONNECTING = 2

RELATIVE = {"Prefer": "relative-location"}
SDP = {"Content-Type": "application/sdp", **RELATIVE}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
# What a client makes up.
SPOOFED = {
    "X-Forwarded-For": "203.0.113.1",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "http",
    "Forwarded": "for=203.0.113.1;proto=http;host=evil.example",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess(
        *("--trusted-proxy", "127.0.0.1", "--ice-loopback", "--access-log"),
        *("--tls-self-signed", "--tls-redirect", "--hsts", "60"),
        *("--max-client-connecting", str(MOST_CONNECTING), "--post-rate", "1000"),
    )
    await server.start()
    yield server
    await server.stop()


class Proxies:
    """The proxies in front of a server, each started when it is first needed."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._stack = AsyncExitStack()
        self._running: dict[str, ReverseProxy] = {}

    async def get(self, name: str) -> ReverseProxy:
        if name not in self._running:
            folder = self._folder / name.replace(" ", "-")
            folder.mkdir()
            self._running[name] = await self._stack.enter_async_context(
                running(name, self._server.port, folder)
            )
        return self._running[name]

    async def close(self) -> None:
        await self._stack.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxies(
    server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Proxies]:
    proxies = Proxies(server, tmp_path_factory.mktemp("proxies"))
    yield proxies
    await proxies.close()


@pytest_asyncio.fixture(
    params=(*TELLING, "silent nginx"), scope="module", loop_scope="module"
)
async def proxy(request: pytest.FixtureRequest, proxies: Proxies) -> ReverseProxy:
    return await proxies.get(request.param)


@pytest_asyncio.fixture(params=TELLING, scope="module", loop_scope="module")
async def telling(request: pytest.FixtureRequest, proxies: Proxies) -> ReverseProxy:
    """A proxy that tells who its client is."""
    return await proxies.get(request.param)


def fingerprint(proxy: ReverseProxy) -> bytes | None:
    """That of its certificate; None without TLS."""
    if proxy.certificate is None:
        return None
    der = ssl.PEM_cert_to_DER_cert(proxy.certificate.read_text())
    return hashlib.sha256(der).digest()


@asynccontextmanager
async def http_from(
    address: str, proxy: ReverseProxy | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client at an address of the loopback network."""
    digest = None if proxy is None else fingerprint(proxy)
    connector = aiohttp.TCPConnector(
        local_addr=(address, 0),
        ssl=True if digest is None else aiohttp.Fingerprint(digest),
    )
    async with aiohttp.ClientSession(connector=connector) as http:
        yield http


async def open_session(
    http: aiohttp.ClientSession, url: str, **headers: str
) -> tuple[URL, aiohttp.ClientResponse]:
    async with http.post(
        url, data=offers.CHROMIUM_DATA, headers={**SDP, **headers}
    ) as response:
        assert response.status == 201, await response.text()
    return response.url.join(URL(response.headers[hdrs.LOCATION])), response


async def clients(server: ServerProcess) -> list[str]:
    """The addresses of the clients of all sessions, the newest first."""
    async with http_from("127.0.0.1") as http:
        # As a proxy that has undone TLS.
        url, told = f"{server.url}/api/sessions", {"X-Forwarded-Proto": "https"}
        async with http.get(url, headers=told) as response:
            listed: dict[str, Any] = await response.json()
    return [session["client"] for session in listed["sessions"]]


async def test_all_of_a_session(proxy: ReverseProxy, server: ServerProcess) -> None:
    """Publish, watch, ping, trickle, restart and DELETE, all below the prefix."""
    tls = fingerprint(proxy)
    async with asyncio.timeout(4 * LIMIT):
        async with WhipClient(f"{proxy.url}/whip/live", tls_fingerprint=tls) as source:
            publication = Publication(Pattern((160, 90), 15), source)
            await publication.connect()
            sending = asyncio.create_task(publication.run())
            viewer = WhipClient(f"{proxy.url}/whep/live", tls_fingerprint=tls)
            async with viewer:
                viewer.peer.addTransceiver("video", direction="recvonly")
                await viewer.connect()
                (receiver,) = viewer.peer.getReceivers()
                frame: Any = await receiver.track.recv()
                assert (frame.width, frame.height) == (160, 90)
                locations = [source.location, viewer.location]
                async with http_from("127.0.0.1", proxy) as http:
                    await receive_events(http, viewer)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        async with WhipClient(f"{proxy.url}/whip/ping", tls_fingerprint=tls) as client:
            assert await echoes_of(client, b"ping") == [b"ping"]
            async with http_from("127.0.0.1", proxy) as http:
                await trickle(http, client)
            await client.restart()
            locations.append(client.location)
    for location in locations:
        assert location is not None
        assert str(location).startswith(f"{proxy.url}/wh")
    # Each was ended by its DELETE, which found it.
    assert await clients(server) == []
    for location in locations:
        assert location is not None
        kind, stream, session = location.path.split("/")[-3:]
        ended = f"/{kind}/{stream}/{session[:8]} from 127.0.0.1: 200,"
        assert location is not None

        def is_logged(ended: str = ended) -> bool:
            lines = server.output.splitlines()
            return any("DELETE" in line and ended in line for line in lines)

        # The log may be late.
        await until(is_logged)


async def receive_events(http: aiohttp.ClientSession, viewer: WhipClient) -> None:
    """They do not wait in the proxy."""
    async with http.post(f"{viewer.location}/sse", headers=RELATIVE) as response:
        assert response.status == 201
        events = response.url.join(URL(response.headers[hdrs.LOCATION]))
    assert str(events).startswith(f"{viewer.location}/sse/")
    async with http.get(events) as response:
        assert response.status == 200
        first = await asyncio.wait_for(response.content.readany(), LIMIT)
        assert b"event: " in first


async def trickle(http: aiohttp.ClientSession, client: WhipClient) -> None:
    """Send a candidate that nobody is behind."""
    ufrag, pwd = (
        client.offer.partition(f"a=ice-{name}:")[2].split()[0]
        for name in ("ufrag", "pwd")
    )
    fragment = (
        f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
        "a=candidate:9 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
    )
    assert client.location is not None
    headers = {**FRAGMENT, "If-Match": client.etag or ""}
    async with http.patch(client.location, data=fragment, headers=headers) as response:
        assert response.status == 204, await response.text()


async def test_the_address_of_the_client(
    telling: ReverseProxy, server: ServerProcess
) -> None:
    """In the list of sessions, in the log, and for limits; whatever it makes up."""
    path = urlsplit(telling.url).path
    async with http_from("127.0.0.7", telling) as http:
        sessions = []
        for _ in range(MOST_CONNECTING):
            session, response = await open_session(
                http, f"{telling.url}/whip", **SPOOFED
            )
            assert session.path.startswith(f"{path}/whip/")
            # The client has reached the proxy with TLS.
            assert response.headers["Strict-Transport-Security"] == "max-age=60"
            sessions.append(session)
        async with http.post(
            f"{telling.url}/whip", data=offers.CHROMIUM_DATA, headers=SDP
        ) as refused:
            assert refused.status == 429
        async with http_from("127.0.0.9", telling) as other:
            session, _ = await open_session(other, f"{telling.url}/whip")
            assert await clients(server) == ["127.0.0.9", *2 * ["127.0.0.7"]]
            sessions.append(session)
        for session in sessions:
            async with http.delete(session) as response:
                assert response.status == 200
    assert await clients(server) == []
    assert " from 127.0.0.7: 429, " in server.output
    assert "203.0.113.1" not in server.output


async def test_a_client_that_passes_the_proxy(server: ServerProcess) -> None:
    """What it makes up of a proxy changes nothing."""
    spoofed = {**SPOOFED, "X-Forwarded-Proto": "https"}
    async with http_from("127.0.0.8") as http:
        async with http.post(
            f"{server.url}/whip/live?x=1", headers=spoofed, allow_redirects=False
        ) as response:
            assert response.status == 308
            target = response.headers[hdrs.LOCATION]
            assert target == f"https://127.0.0.1:{server.port}/whip/live?x=1"
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.8", 0), ssl=False)
        async with aiohttp.ClientSession(connector=connector) as https:
            session, response = await open_session(https, target, **spoofed)
            assert session.path.startswith("/whip/live/")
            assert await clients(server) == ["127.0.0.8"]
            async with https.delete(session) as response:
                assert response.status == 200
    assert "203.0.113.1" not in server.output


async def test_everything_is_below_the_prefix(proxy: ReverseProxy) -> None:
    async with http_from("127.0.0.1", proxy) as http:
        for path in (
            *("/", "/metrics", "/healthz", "/api/status", "/api/openapi.yaml"),
            *("/api/streams", "/api/recordings", "/whip/live", "/whip/live/"),
        ):
            async with http.get(proxy.url + path) as response:
                assert response.status in (200, 204), path
        # Without the slash, links of the page would lead elsewhere.
        async with http.get(proxy.url) as response:
            assert response.status == 200
            assert str(response.url) == f"{proxy.url}/"
            assert "<script" in await response.text()
        async with http.post(f"{proxy.url}/whip/a/b", headers=SDP) as response:
            assert response.status == 404
            assert "1 to 64" in (await response.json())["detail"]
        async with http.post(
            f"{proxy.url}/whep/nobody", data=offers.CHROMIUM_VIEWER, headers=SDP
        ) as response:
            assert response.status == 201
            session = str(response.url.join(URL(response.headers[hdrs.LOCATION])))
            links = parse_links(response.headers.getall(hdrs.LINK))
            targets = [str(response.url.join(URL(link.target))) for link in links]
            assert sorted(targets) == [f"{session}/layer", f"{session}/sse"]
        async with http.delete(session) as response:
            assert response.status == 200


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
async def test_plain_http_to_the_proxy(proxies: Proxies, name: str) -> None:
    """They redirect it themselves."""
    proxy = await proxies.get(name)
    path = "/webrtc/whip/live"
    async with http_from("127.0.0.1") as http:
        url = f"http://127.0.0.1:{proxy.plain_port}{path}"
        async with http.get(url, allow_redirects=False) as response:
            assert response.status == 308
            assert response.headers[hdrs.LOCATION].startswith("https://127.0.0.1")
            assert response.headers[hdrs.LOCATION].endswith(path)


async def test_the_page(proxies: Proxies, server: ServerProcess) -> None:
    """In Chromium, with a proxy that takes the prefix off and tells nothing."""
    proxy = await proxies.get("silent nginx")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(playwright.chromium.executable_path),
            args=launch_flags(),
        )
        context = await browser.new_context()
        pages = [PingPage(await context.new_page(), proxy.url) for _ in range(3)]
        pinging, publishing, watching = pages
        await pinging.open_connected()
        await pinging.ping_once()
        await pinging.restart.click()
        publisher = PublishPage(publishing, "page")
        await publisher.publish()
        viewer = WatchPage(watching, "page")
        await viewer.open()
        await viewer.plays(LIMIT)
        await viewer.leave()
        await publisher.stop()
        for page in pages:
            assert page.problems == []
            assert {urlsplit(r.url).path.split("/")[1] for r in page.requests} == {
                "webrtc"
            }
        methods = {request.method for request in pinging.requests}
        assert "PATCH" in methods
        await browser.close()
    assert "/whip/page/" in server.output
