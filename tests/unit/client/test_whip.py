"""The WHIP client, against servers that do it right and servers that do not."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import hdrs, web
from pytest_aiohttp.plugin import AiohttpServer

from whipbird.app import STORE, UDP_PORT, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.config import Settings
from whipbird.net import HostAddresses
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.parser import parse_description
from whipbird.sdp.role import PUBLISHER

LIMIT = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Well formed, and no answer to anything.
FOREIGN = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=recvonly\r\n"
)


def responding(
    status: int, body: str = "", content_type: str = "application/sdp", **headers: str
) -> Handler:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status,
            body=body.encode(),
            headers={hdrs.CONTENT_TYPE: content_type, **named},
        )

    return handler


async def serve(aiohttp_server: AiohttpServer, handler: Handler) -> str:
    """Start a server that answers every request in one way; return its endpoint."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    server = await aiohttp_server(app)
    return str(server.make_url("/whip/live"))


async def refused(
    url: str, timeout: float = LIMIT, *, connecting: float = LIMIT
) -> WhipError:
    """Connect without success, and return the reason.

    Args:
        timeout: seconds for each response.
        connecting: seconds for the connection that follows.
    """
    async with WhipClient(url, timeout=timeout) as client:
        client.timeout = connecting
        client.peer.createDataChannel("test")
        with pytest.raises(WhipError) as caught:
            async with asyncio.timeout(LIMIT):
                await client.connect()
    return caught.value


async def test_connects(aiohttp_server: AiohttpServer) -> None:
    app = create_app(Settings())
    server = await aiohttp_server(app)
    async with WhipClient(str(server.make_url("/whip/live"))) as client:
        channel = client.peer.createDataChannel("test")
        await client.connect()
        await client.opened(channel)
        assert channel.readyState == "open"
        assert client.location is not None
        assert client.location.path.startswith("/whip/live/")
        assert client.etag is not None
        assert parse_offer(client.offer).media[0].kind == "application"
        assert client.answer.startswith("v=0\r\n")
        session = app[STORE].get(PUBLISHER, "live", client.location.name)
        assert session is not None
        assert session.etag == client.etag
    # It has told the server.
    assert app[STORE].get(PUBLISHER, "live", session.id) is None
    assert client.location is None


async def test_closing_without_connecting() -> None:
    client = WhipClient("http://127.0.0.1:1/whip/live")
    await client.close()
    await client.close()


async def test_without_any_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostAddresses, "current", lambda _: [])
    error = await refused("http://127.0.0.1:1/whip/live")
    assert error.title == "No network"


async def test_sends_the_token_with_every_request(
    aiohttp_server: AiohttpServer,
) -> None:
    """RFC 9725 section 4.7.1."""
    seen: list[tuple[str, str | None]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers.get(hdrs.AUTHORIZATION)))
        return await responding(201, FOREIGN, Location="/session")(request)

    url = await serve(aiohttp_server, handler)
    async with WhipClient(url, token="s3cret") as client:
        client.peer.createDataChannel("test")
        with pytest.raises(WhipError):
            await client.connect()
    assert seen == [("POST", "Bearer s3cret"), ("DELETE", "Bearer s3cret")]


async def test_sends_no_token_when_it_has_none(aiohttp_server: AiohttpServer) -> None:
    """ "the HTTP Authorization header field MUST NOT be sent" (RFC 9725 4.7.1)."""
    seen: list[bool] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(hdrs.AUTHORIZATION in request.headers)
        return web.Response(status=404)

    await refused(await serve(aiohttp_server, handler))
    assert seen == [False]


async def test_posts_a_whole_offer(aiohttp_server: AiohttpServer) -> None:
    """RFC 9725 section 4.2."""
    offers: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        offers.append((request.headers[hdrs.CONTENT_TYPE], await request.text()))
        return web.Response(status=404)

    await refused(await serve(aiohttp_server, handler))
    [(content_type, text)] = offers
    assert content_type == "application/sdp"
    assert parse_offer(text).candidates
    assert "a=end-of-candidates" in text


async def test_follows_a_redirection(aiohttp_server: AiohttpServer) -> None:
    """ "WHIP clients SHALL support HTTP redirections" (RFC 9725 section 4.5)."""
    real = await aiohttp_server(create_app(Settings()))

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(str(real.make_url("/whip/live")))

    async with WhipClient(await serve(aiohttp_server, handler)) as client:
        client.peer.createDataChannel("test")
        await client.connect()
        assert client.location is not None
        # Relative to where it was answered, not to where it was asked.
        assert client.location.port == real.port


async def test_keeps_the_token_when_redirected(aiohttp_server: AiohttpServer) -> None:
    """RFC 9725 section 4.7.1: the token goes to whatever endpoint is asked."""
    seen: list[tuple[str, str | None]] = []

    async def there(request: web.Request) -> web.StreamResponse:
        seen.append((await request.text(), request.headers.get(hdrs.AUTHORIZATION)))
        return web.Response(status=404)

    there_url = await serve(aiohttp_server, there)

    async def here(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=308, headers={hdrs.LOCATION: there_url})

    url = await serve(aiohttp_server, here)
    async with WhipClient(url, token="s3cret") as client:
        client.peer.createDataChannel("test")
        with pytest.raises(WhipError):
            await client.connect()
        assert seen == [(client.offer, "Bearer s3cret")]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirection_that_would_lose_the_offer(
    aiohttp_server: AiohttpServer, status: int
) -> None:
    """RFC 9725 section 4.5: "status codes 301 and 302 MUST NOT be used"."""
    handler = responding(status, Location="/elsewhere")
    error = await refused(await serve(aiohttp_server, handler))
    assert error.status == status
    assert "307" in error.detail


async def test_a_redirection_without_end(aiohttp_server: AiohttpServer) -> None:
    handler = responding(307, Location="/whip/live")
    error = await refused(await serve(aiohttp_server, handler))
    assert (error.title, error.status) == ("Too many redirections", 307)


async def test_offers_multiplexed_rtcp_alone(aiohttp_server: AiohttpServer) -> None:
    """RFC 9725 section 4.4.1: "MUST include the "rtcp-mux-only" attribute in each
    bundled "m=" sections"."""
    server = await aiohttp_server(create_app(Settings()))
    async with WhipClient(str(server.make_url("/whip/live"))) as client:
        client.peer.addTransceiver("audio", direction="sendonly")
        client.peer.addTransceiver("video", direction="sendonly")
        await client.connect()
        for media in parse_description(client.offer).media:
            assert media.has("rtcp-mux-only")


async def test_no_location(aiohttp_server: AiohttpServer) -> None:
    error = await refused(await serve(aiohttp_server, responding(201, FOREIGN)))
    assert (error.title, error.status) == ("Not a WHIP server", 201)
    assert "Location" in error.detail


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://a:99999999/", "//", "\xff"]
)
async def test_a_location_that_is_none(
    aiohttp_server: AiohttpServer, location: str
) -> None:
    """However odd it is, nothing but a WhipError comes of it."""
    handler = responding(201, FOREIGN, Location=location)
    await refused(await serve(aiohttp_server, handler))


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_success_of_another_kind(
    aiohttp_server: AiohttpServer, status: int
) -> None:
    error = await refused(await serve(aiohttp_server, responding(status, "hello")))
    assert (error.title, error.status) == ("Not a WHIP server", status)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="text"),
        pytest.param("<html></html>", id="HTML"),
        pytest.param("v=0\r\n", id="one line"),
        pytest.param("v=x\r\n", id="version"),
        pytest.param(FOREIGN, id="foreign"),
        pytest.param(FOREIGN.replace("m=audio 9", "m=audio x"), id="media line"),
        pytest.param(FOREIGN + "a=setup:x\r\n", id="setup"),
        pytest.param(FOREIGN + "a=fingerprint:x\r\n", id="fingerprint"),
        pytest.param(FOREIGN + "a=candidate:x\r\n", id="candidate"),
        pytest.param(FOREIGN + "a=rtpmap:x\r\n", id="rtpmap"),
        pytest.param(FOREIGN + "a=fmtp:1 x=y\r\n", id="fmtp"),
        pytest.param(FOREIGN + "a=group\r\na=mid\r\n", id="no values"),
        pytest.param(
            FOREIGN.replace(
                "audio 9 UDP/TLS/RTP/SAVPF 0",
                "application 9 UDP/DTLS/SCTP webrtc-datachannel",
            ),
            id="no transport",
        ),
        pytest.param("\0\xff\u2028", id="binary"),
    ],
)
async def test_an_answer_that_is_none(
    aiohttp_server: AiohttpServer, answer: str
) -> None:
    handler = responding(201, answer, Location="/session")
    error = await refused(await serve(aiohttp_server, handler))
    assert (error.title, error.status) == ("Unusable answer", 201)
    # Its author has to find it.
    assert error.detail


async def test_ends_a_session_whose_answer_is_unusable(
    aiohttp_server: AiohttpServer,
) -> None:
    methods: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        methods.append(request.method)
        return await responding(201, "hello", Location="/session")(request)

    await refused(await serve(aiohttp_server, handler))
    assert methods == ["POST", "DELETE"]


async def test_an_answer_in_several_pieces(aiohttp_server: AiohttpServer) -> None:
    """HTTP says nothing of how a body is cut on its way."""
    real = await aiohttp_server(create_app(Settings()))

    async def handler(request: web.Request) -> web.StreamResponse:
        async with aiohttp.request(
            request.method,
            real.make_url(request.path),
            data=await request.read(),
            headers={hdrs.CONTENT_TYPE: request.headers.get(hdrs.CONTENT_TYPE, "")},
        ) as response:
            answer = await response.read()
        relayed = web.StreamResponse(
            status=response.status,
            headers={
                hdrs.LOCATION: response.headers.get(hdrs.LOCATION, ""),
                hdrs.CONTENT_TYPE: response.headers.get(hdrs.CONTENT_TYPE, ""),
            },
        )
        await relayed.prepare(request)
        for start in range(0, len(answer), 200):
            await relayed.write(answer[start : start + 200])
            await asyncio.sleep(0.005)
        return relayed

    async with WhipClient(await serve(aiohttp_server, handler)) as client:
        client.peer.createDataChannel("test")
        await client.connect()
        assert "a=max-message-size" in client.answer


async def test_a_problem_detail(aiohttp_server: AiohttpServer) -> None:
    """RFC 9457."""
    problem = json.dumps({"title": "Too many", "detail": "At most one.", "status": 422})
    handler = responding(422, problem, "application/problem+json")
    error = await refused(await serve(aiohttp_server, handler))
    assert (error.status, error.title, error.detail) == (
        422,
        "Too many",
        "At most one.",
    )
    assert str(error) == "422 Too many: At most one."


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"text"', '{"title": null}', '{"detail": 5}']
)
async def test_a_problem_detail_that_is_none(
    aiohttp_server: AiohttpServer, body: str
) -> None:
    handler = responding(403, body, "application/problem+json")
    error = await refused(await serve(aiohttp_server, handler))
    assert (error.status, error.title) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (404, "Not Found"),
        (418, "I'm a Teapot"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ],
)
async def test_an_error_without_details(
    aiohttp_server: AiohttpServer, status: int, title: str
) -> None:
    handler = responding(status, "<h1>Oh no</h1>", "text/html")
    error = await refused(await serve(aiohttp_server, handler))
    assert error.status == status
    assert error.title.lower() == title.lower()
    assert "<h1>" not in str(error)


async def test_a_redirection_to_itself(aiohttp_server: AiohttpServer) -> None:
    handler = responding(307, Location="/whip/live")
    await refused(await serve(aiohttp_server, handler))


async def test_nobody_there(unused_tcp_port: int) -> None:
    error = await refused(f"http://127.0.0.1:{unused_tcp_port}/whip/live")
    assert (error.title, error.status) == ("Cannot reach the server", None)
    assert str(unused_tcp_port) in error.detail


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/whip", "whip", "", "http:///whip"])
async def test_a_url_of_another_kind(url: str) -> None:
    error = await refused(url)
    assert error.status is None


async def test_a_server_that_hangs_up(unused_tcp_port: int) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", unused_tcp_port):
        error = await refused(f"http://127.0.0.1:{unused_tcp_port}/whip/live")
    assert error.title == "Cannot reach the server"
    assert error.status is None


async def test_a_server_that_speaks_something_else(unused_tcp_port: int) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-bird\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", unused_tcp_port):
        error = await refused(f"http://127.0.0.1:{unused_tcp_port}/whip/live")
    assert error.title == "Cannot reach the server"


async def test_a_slow_server(aiohttp_server: AiohttpServer) -> None:
    never = asyncio.Event()

    async def handler(_request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    error = await refused(await serve(aiohttp_server, handler), timeout=0.2)
    never.set()
    assert (error.title, error.status) == ("No response", None)
    assert "0.2 seconds" in error.detail


async def test_no_connection(aiohttp_server: AiohttpServer) -> None:
    """A server whose media never answers. The error names where it should be."""
    app = create_app(Settings())
    real = await aiohttp_server(app)

    async def handler(request: web.Request) -> web.StreamResponse:
        async with aiohttp.request(
            "POST",
            real.make_url("/whip/live"),
            data=await request.read(),
            headers={hdrs.CONTENT_TYPE: "application/sdp"},
        ) as response:
            answer = await response.text()
            location = real.make_url(response.headers[hdrs.LOCATION])
        async with aiohttp.request("DELETE", location):
            pass
        return await responding(201, answer, Location="/session")(request)

    error = await refused(await serve(aiohttp_server, handler), connecting=1.5)
    assert error.title == "No connection"
    assert error.status is None
    assert f"port {app[UDP_PORT].number}" in error.detail


async def test_closing_never_raises_for_the_server(
    aiohttp_server: AiohttpServer,
) -> None:
    app = create_app(Settings())
    server = await aiohttp_server(app)
    async with WhipClient(str(server.make_url("/whip/live"))) as client:
        channel = client.peer.createDataChannel("test")
        await client.connect()
        await client.opened(channel)
        await server.close()


async def test_a_channel_that_is_never_opened(aiohttp_server: AiohttpServer) -> None:
    server = await aiohttp_server(create_app(Settings()))
    async with WhipClient(str(server.make_url("/whip/live")), timeout=0.1) as client:
        channel = client.peer.createDataChannel("test")
        # Nothing was posted.
        with pytest.raises(WhipError) as caught:
            await client.opened(channel)
    assert caught.value.title == "No data channel"
