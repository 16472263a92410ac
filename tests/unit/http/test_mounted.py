"""The application as a part of another one, below a path."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from tests import offers
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.http.paths import public_path
from whipbird.sdp.link import parse_links

Client = TestClient[web.Request, web.Application]

SDP = {"Content-Type": "application/sdp"}
ORIGIN = "https://studio.example"


@pytest.fixture
def mounted() -> web.Application:
    return create_app(
        Settings.model_validate({"trusted_proxies": ["loopback"], "hsts": 60} | TLS)
    )


TLS = {"tls_self_signed": True}


@pytest.fixture
async def client(mounted: web.Application) -> AsyncIterator[Client]:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    parent = web.Application()
    parent.router.add_get("/", hello)
    parent.add_subapp("/webrtc/", mounted)
    async with TestClient(TestServer(parent)) as client:
        yield client


async def opened(client: Client, path: str, offer: str, **headers: str) -> URL:
    """The URL of a new session, and of its extensions: all below the path."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await client.post(path, data=offer, headers={**SDP, **named})
    assert response.status == 201, await response.text()
    session = response.url.join(URL(response.headers["Location"]))
    kind = path.split("/")[2]
    assert session.path.startswith(f"/webrtc/{kind}/live/")
    for value in response.headers.getall("Link", ()):
        for link in parse_links([value]):
            target = response.url.join(URL(link.target))
            assert target.path.startswith(f"{session.path}/")
    return session


@pytest.mark.parametrize("slash", ["", "/"])
async def test_sessions(client: Client, mounted: web.Application, slash: str) -> None:
    publisher = await opened(client, f"/webrtc/whip/live{slash}", offers.CHROMIUM_MEDIA)
    viewer = await opened(client, f"/webrtc/whep/live{slash}", offers.CHROMIUM_VIEWER)
    assert mounted[STORE].count().total() == 2
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": '"x"'}
    body = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\n"
    for session in (publisher, viewer):
        assert (await client.get(session.path)).status == 204
        patched = await client.patch(session.path, data=body, headers=fragment)
        assert patched.status == 412
    events = await client.post(f"{viewer.path}/sse")
    assert events.status == 201
    stream = events.url.join(URL(events.headers["Location"]))
    assert stream.path.startswith(f"{viewer.path}/sse/")
    assert (await client.delete(stream.path)).status == 200
    chosen = await client.post(f"{viewer.path}/layer", json={})
    assert chosen.status == 200
    for session in (publisher, viewer):
        assert (await client.delete(session.path)).status == 200
        assert (await client.delete(session.path)).status == 404


async def test_a_prefix_in_front_of_it(client: Client) -> None:
    prefix = {"X-Forwarded-Prefix": "/outer"}
    response = await client.post(
        "/webrtc/whip/live", data=offers.CHROMIUM_DATA, headers={**SDP, **prefix}
    )
    location = response.headers["Location"]
    assert location.startswith("/outer/webrtc/whip/live/")
    path = location.removeprefix("/outer")
    assert (await client.delete(path, headers=prefix)).status == 200


async def test_everything_is_below_the_path(client: Client) -> None:
    for path in (
        *("/", "/app.js", "/metrics", "/healthz", "/api/status", "/api/streams"),
        *("/api/openapi.yaml", "/api/recordings", "/api/sessions"),
        *("//api/streams", "/whip/live", "//whip//live"),
    ):
        response = await client.get(f"/webrtc{path}")
        assert response.status in (200, 204), path
        assert response.headers["Server"] == "Whipbird"
    assert await (await client.get("/")).text() == "hello"
    assert (await client.get("/whip/live")).status == 404
    response = await client.get("/webrtc/nothing")
    assert response.content_type == "application/problem+json"


async def test_the_page_without_a_slash(client: Client) -> None:
    response = await client.get("/webrtc?stream=a", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (308, "webrtc/?stream=a")
    response = await client.get("/webrtc")
    assert response.url.path == "/webrtc/"
    assert "<script" in await response.text()


async def test_names(client: Client) -> None:
    for path in ("/whip/a/b", "/whep/a/b/c", "/api/streams/a/b"):
        response = await client.post(f"/webrtc{path}")
        assert response.status == 404
        assert (await response.json())["title"] == "Not a stream name"
    session = await opened(client, "/webrtc/whip/live", offers.CHROMIUM_DATA)
    assert (await client.post(session.path)).status == 405


async def test_preflights(client: Client) -> None:
    response = await client.options(
        "/webrtc/whip/live",
        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"},
    )
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_the_client_of_a_proxy(client: Client, mounted: web.Application) -> None:
    told = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    response = await client.post(
        "/webrtc/whip/live", data=offers.CHROMIUM_DATA, headers={**SDP, **told}
    )
    assert response.headers["Strict-Transport-Security"] == "max-age=60"
    (session,) = mounted[STORE].newest(0, 9)[0]
    assert session.stats.client == "198.51.100.7"


async def test_what_the_parent_finds_out_about_a_client_counts() -> None:
    """A middleware of the parent may know better than the connection."""

    @web.middleware
    async def known(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(
            request.clone(remote="198.51.100.9")
        )
        return response

    mounted = create_app(Settings())
    parent = web.Application(middlewares=[known])
    parent.add_subapp("/webrtc", mounted)
    async with TestClient(TestServer(parent)) as client:
        await opened(client, "/webrtc/whip/live", offers.CHROMIUM_DATA)
        (session,) = mounted[STORE].newest(0, 9)[0]
        assert session.stats.client == "198.51.100.9"


async def test_probes_are_not_redirected() -> None:
    settings = Settings.model_validate({"tls_redirect": True} | TLS)
    parent = web.Application()
    parent.add_subapp("/webrtc", create_app(settings))
    async with TestClient(TestServer(parent)) as client:
        assert (await client.get("/webrtc/healthz")).status == 200
        response = await client.get("/webrtc/whip/healthz", allow_redirects=False)
        assert response.status == 308


@pytest.mark.parametrize("path", ["/whip/{}/{}", "/a/whep/{}/{}", "/a//whip//{}//{}/"])
async def test_ids_are_not_logged(path: str) -> None:
    secret = "abcdefgh" + "s3cret" * 4
    shown: list[str] = []

    async def show(request: web.Request) -> web.Response:
        shown.append(public_path(request))
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", show)
    async with TestClient(TestServer(app)) as client:
        await client.get(path.format("live-stream", secret))
    assert shown == [path.format("live-stream", "abcdefgh")]


@pytest.mark.parametrize("path", ["watch/live", "embed/a+b/", "watch", "watch/"])
async def test_the_page_of_a_stream_is_below_it(client: Client, path: str) -> None:
    response = await client.get(f"/webrtc/{path}", allow_redirects=False)
    if response.status == 303:
        target = response.url.join(URL(response.headers["Location"]))
        assert (target.path, target.fragment) == ("/webrtc/", "watch")
        return
    found = re.search('<base href="([^"]+)">', await response.text())
    assert found is not None
    assert response.url.join(URL(found[1])).path == "/webrtc/"
