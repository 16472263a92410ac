"""ICE restarts of the WHIP client, and what it makes of answers that are none."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.config import Settings
from whipbird.rtc import DataChannel
from whipbird.sdp.fragment import parse_fragment
from whipbird.sdp.parser import parse_description, parse_sections
from whipbird.sdp.role import PUBLISHER

FRAGMENT = "application/trickle-ice-sdpfrag"


class Patches:
    """A middleware that sees every PATCH, and may answer in the server's stead."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer: web.Response | None = None
        self.held: asyncio.Event | None = None
        # The client's ends of the HTTP connections of all requests.
        self.connections: list[tuple[str, object]] = []

    @web.middleware
    async def see(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        origin = request.transport.get_extra_info("peername")
        self.connections.append((request.method, origin))
        if request.method != hdrs.METH_PATCH:
            return await handler(request)
        self.bodies.append(await request.text())
        self.headers.append(dict(request.headers))
        if self.answer is not None:
            return self.answer
        response = await handler(request)
        if self.held is not None:
            held, self.held = self.held, None
            await held.wait()
        return response


@pytest.fixture
def patches() -> Patches:
    return Patches()


@pytest.fixture
async def app(patches: Patches) -> web.Application:
    app = create_app(Settings())
    app.middlewares.append(patches.see)
    return app


@pytest.fixture
async def client(
    aiohttp_server: AiohttpServer, app: web.Application
) -> AsyncIterator[WhipClient]:
    server = await aiohttp_server(app)
    async with WhipClient(str(server.make_url("/whip/live")), timeout=10) as client:
        yield client


@pytest.fixture
async def channel(client: WhipClient) -> DataChannel:
    """An open channel."""
    channel = client.peer.createDataChannel("test")
    await client.connect()
    await client.opened(channel)
    return channel


async def echo(channel: DataChannel, text: str) -> None:
    """Send a message, and wait for its echo."""
    received: list[object] = []
    channel.on("message", received.append)
    channel.send(text)
    await until(lambda: text in received)


async def test_restarts(
    client: WhipClient, channel: DataChannel, app: web.Application, patches: Patches
) -> None:
    """RFC 9725 section 4.3.3: what the PATCH must have in it."""
    assert client.location is not None
    session = app[STORE].get(PUBLISHER, "live", client.location.name)
    assert session is not None
    etag, before = client.etag, client.peer.local_ice
    await client.restart()
    assert client.etag == session.etag != etag
    [headers], [body] = patches.headers, patches.bodies
    assert headers[hdrs.IF_MATCH] == "*"
    assert headers[hdrs.CONTENT_TYPE] == FRAGMENT
    fragment = parse_fragment(body)
    assert fragment.ice == client.peer.local_ice.ice != before.ice
    assert fragment.candidates == client.peer.local_ice.candidates
    offer, part = parse_description(client.offer), parse_sections(body)
    for name in ("ice-options", "ice-lite", "ice-pacing"):
        offered = [a.value for s in (offer, *offer.media) for a in s.all(name)]
        assert {a.value for a in part.all(name)} == set(offered), name
    assert [m.formats for m in part.media] == [m.formats for m in offer.media]
    await echo(channel, "on the new path")


async def test_leaves_the_http_connection_that_a_change_of_network_may_have_broken(
    client: WhipClient, channel: DataChannel, patches: Patches
) -> None:
    await client.restart()
    await client.restart()
    methods, origins = zip(*patches.connections, strict=True)
    assert methods == ("POST", "PATCH", "PATCH")
    assert len(set(origins)) == 3
    await echo(channel, "on the new path")


async def test_with_a_lite_server(aiohttp_server: AiohttpServer) -> None:
    server = await aiohttp_server(create_app(Settings(ice_lite=True)))
    async with WhipClient(str(server.make_url("/whip/live")), timeout=10) as client:
        channel = client.peer.createDataChannel("test")
        await client.connect()
        await client.opened(channel)
        await client.restart()
        await echo(channel, "on the new path")


async def test_the_tagged_section_alone_is_in_the_body(
    client: WhipClient, patches: Patches
) -> None:
    """RFC 9725 section 4.3.3: "only the offerer-tagged m-line of the bundle group"."""
    client.peer.addTransceiver("audio", direction="sendonly")
    client.peer.addTransceiver("video", direction="sendonly")
    await client.connect()
    await client.restart()
    part = parse_sections(patches.bodies[0])
    group = part.first("group")
    assert group is not None
    assert group.value == "BUNDLE 0 1"
    [media] = part.media
    assert media.kind == "audio"
    assert [a.value for a in media.all("mid")] == ["0"]


@pytest.mark.parametrize(
    ("response", "title"),
    [
        (lambda: web.Response(status=422), "Unprocessable Entity"),
        (lambda: web.Response(status=503), "Service Unavailable"),
        (lambda: web.Response(status=204), "No ICE restart"),
        (lambda: web.Response(text="a=ice-ufrag:x"), "No ICE restart"),
        (
            lambda: web.Response(body=b"m=\r\n", content_type=FRAGMENT),
            "Unusable answer",
        ),
        (
            lambda: web.Response(body=b"a=mid:0\r\n", content_type=FRAGMENT),
            "Unusable answer",
        ),
    ],
)
async def test_a_refused_restart_leaves_the_connection(
    client: WhipClient,
    channel: DataChannel,
    patches: Patches,
    response: object,
    title: str,
) -> None:
    assert callable(response)
    patches.answer = response()
    etag, ice = client.etag, client.peer.local_ice
    with pytest.raises(WhipError) as caught:
        await client.restart()
    assert caught.value.title == title
    assert (client.etag, client.peer.local_ice) == (etag, ice)
    await echo(channel, "still here")
    patches.answer = None
    await client.restart()
    await echo(channel, "and here")


async def test_only_the_last_restart_counts(
    client: WhipClient, channel: DataChannel, patches: Patches
) -> None:
    """RFC 9725 section 4.3.3: "ignore any further HTTP PATCH response received from a
    pending HTTP PATCH request"."""
    patches.held = held = asyncio.Event()
    first = asyncio.create_task(client.restart())
    await until(lambda: patches.bodies)
    await client.restart()
    etag, ice = client.etag, client.peer.local_ice
    held.set()
    with pytest.raises(WhipError, match="Superseded"):
        await first
    assert (client.etag, client.peer.local_ice) == (etag, ice)
    await echo(channel, "on the new path")


async def test_a_restart_without_a_session(client: WhipClient) -> None:
    with pytest.raises(WhipError, match="No session"):
        await client.restart()


async def test_a_restart_that_finds_no_path(
    client: WhipClient, channel: DataChannel, patches: Patches
) -> None:
    """The server's new credentials are not those that it goes by."""
    patches.answer = web.Response(
        body=b"a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n",
        content_type=FRAGMENT,
    )
    client.timeout = 0.2
    with pytest.raises(WhipError, match="No new path"):
        await client.restart()
    await echo(channel, "still here")
