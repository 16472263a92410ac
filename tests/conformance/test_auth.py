"""Bearer authentication (RFC 9725 section 4.7.1, RFC 6750)."""

import asyncio

import pytest
from aiohttp import ClientResponse, hdrs
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from tests import offers
from tests.conformance.exchange import (
    ORIGIN,
    SDP,
    SDP_FRAGMENT,
    Client,
    fragment,
    post,
    problem_of,
    token_list,
)
from whipbird.app import STORE, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.config import Settings

TOKEN = "c2VjcmV0LXRva2Vu"
RIGHT = f"Bearer {TOKEN}"
WRONG = "Bearer d3JvbmctdG9rZW4"

# Every method and resource, whether it exists or not.
REQUESTS = [
    *(
        (method, path)
        for path in ("/whip", "/whip/live", "/whip/not:a:name")
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT")
    ),
    *(
        (method, "/whip/live/session")
        for method in ("GET", "HEAD", "PATCH", "DELETE", "OPTIONS", "POST")
    ),
    ("GET", "/whip/"),
    ("GET", "/whip/live/"),
    ("GET", "/whip/live/session/more"),
    ("GET", "/%77hip/live"),
    ("GET", "/whip/%2e%2e"),
    ("POST", "/whep/live"),
    ("DELETE", "/whep/live/session"),
    *(("POST", f"/whep/live/session/{name}") for name in ("sse", "layer")),
    ("DELETE", "/whep/live/session/sse/events"),
    ("GET", "/api/streams"),
    ("GET", "/api/streams/live"),
    ("GET", "/api/streams/live/snapshot.jpg"),
    *((method, "/api/streams/live/recording") for method in ("GET", "POST", "DELETE")),
    ("GET", "/api/recordings"),
    ("GET", "/api/recordings?ticket=x"),
    ("GET", "/api/recordings/live_20310203T040506Z_001.mp4"),
    ("HEAD", "/api/recordings/live_20310203T040506Z_001.mp4?ticket=x"),
]


@pytest.fixture
async def guarded(aiohttp_client: AiohttpClient) -> Client:
    """An HTTP client of a server that wants a token."""
    return await aiohttp_client(create_app(Settings.model_validate({"token": TOKEN})))


def challenge(response: ClientResponse) -> str:
    """The challenge of a response; there must be one, and no more."""
    (value,) = response.headers.getall(hdrs.WWW_AUTHENTICATE)
    return value


async def request(
    client: Client, method: str, path: str, **headers: str
) -> ClientResponse:
    return await client.request(method, URL(path, encoded=True), headers=headers)


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_every_request_needs_the_token(
    guarded: Client, method: str, path: str
) -> None:
    """Section 4.7.1: "WHIP endpoints and sessions MAY require the HTTP request to be
    authenticated". No answer tells whether there is such a stream or session.
    """
    response = await request(guarded, method, path)
    assert response.status == 401
    assert challenge(response) == 'Bearer realm="whipbird"'
    if method != "HEAD":
        problem = await problem_of(response, 401, "RFC 9725 section 4.7.1")
        assert "Authorization: Bearer" in problem["detail"]
    assert (
        not {"Allow", "Accept-Post", "Accept-Patch", "Link"} & response.headers.keys()
    )


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_a_wrong_token(guarded: Client, method: str, path: str) -> None:
    """RFC 6750 section 3.1: "invalid_token ... The resource SHOULD respond with the
    HTTP 401 (Unauthorized) status code".
    """
    response = await request(guarded, method, path, Authorization=WRONG)
    assert response.status == 401
    assert challenge(response) == 'Bearer realm="whipbird", error="invalid_token"'
    if method != "HEAD":
        problem = await problem_of(response, 401, "RFC 9725 section 4.7.1")
        assert TOKEN not in problem["detail"]


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b"])
async def test_a_malformed_token(guarded: Client, value: str) -> None:
    """RFC 6750 section 3.1: "invalid_request ... or is otherwise malformed. The
    resource server SHOULD respond with the HTTP 400 (Bad Request) status code".
    """
    response = await request(guarded, "GET", "/whip/live", Authorization=value)
    await problem_of(response, 400, "RFC 9725 section 4.7.1")
    assert challenge(response) == 'Bearer realm="whipbird", error="invalid_request"'


async def test_another_scheme(guarded: Client) -> None:
    """RFC 9110 section 11.6.1: a 401 names a scheme that would do."""
    response = await request(guarded, "GET", "/whip/live", Authorization="Digest dTpw")
    await problem_of(response, 401)
    assert challenge(response) == 'Bearer realm="whipbird"'


async def test_a_whole_session_with_the_token(guarded: Client) -> None:
    """Section 4.7.1: "send the HTTP Authorization header field in all HTTP requests
    sent to either the WHIP endpoint or session".
    """
    response = await post(guarded, offers.CHROMIUM_DATA, Authorization=RIGHT)
    assert response.status == 201
    location, etag = response.headers["Location"], response.headers["ETag"]
    for method in ("GET", "HEAD", "OPTIONS"):
        response = await request(guarded, method, location, Authorization=RIGHT)
        assert response.ok
    assert (await request(guarded, "GET", location)).status == 401
    headers = {"Content-Type": SDP_FRAGMENT, "If-Match": etag}
    response = await guarded.patch(location, data=fragment().encode(), headers=headers)
    await problem_of(response, 401)
    headers["Authorization"] = RIGHT
    response = await guarded.patch(location, data=fragment().encode(), headers=headers)
    assert response.status == 204
    # The URL alone does not allow to end the session.
    await problem_of(await guarded.delete(location), 401)
    assert (await request(guarded, "GET", location, Authorization=RIGHT)).ok
    response = await request(guarded, "DELETE", location, Authorization=RIGHT)
    assert response.status == 200


async def test_the_url_of_an_event_stream_is_a_secret(guarded: Client) -> None:
    """Pages read it with ``EventSource``, which sends no token."""
    right = {hdrs.AUTHORIZATION: RIGHT}
    opened = await guarded.post(
        "/whep/live",
        data=offers.CHROMIUM_VIEWER,
        headers={**right, hdrs.CONTENT_TYPE: SDP},
    )
    session = opened.headers[hdrs.LOCATION]
    await problem_of(await guarded.post(f"{session}/sse"), 401)
    made = await guarded.post(f"{session}/sse", headers=right)
    events = made.headers[hdrs.LOCATION]
    await problem_of(await guarded.delete(events), 401)
    await problem_of(await guarded.get(f"{session}/sse/guess"), 404)
    response = await guarded.get(events)
    assert response.status == 200
    assert (await guarded.delete(session, headers=right)).status == 200
    assert await response.read() == b""


async def test_the_scheme_has_no_case(guarded: Client) -> None:
    """RFC 9110 section 11.1: a scheme is "a case-insensitive token"."""
    for scheme in ("bearer", "BEARER"):
        response = await request(
            guarded, "GET", "/whip/live", Authorization=f"{scheme} {TOKEN}"
        )
        assert response.status == 204


@pytest.mark.parametrize("path", ["/whip/live", "/whip/live/session"])
async def test_preflights_need_no_token(guarded: Client, path: str) -> None:
    """Section 4.7.1: "except the preflight OPTIONS requests for CORS"."""
    method = "POST" if path == "/whip/live" else "DELETE"
    response = await guarded.options(
        path,
        headers={
            hdrs.ORIGIN: ORIGIN,
            hdrs.ACCESS_CONTROL_REQUEST_METHOD: method,
            hdrs.ACCESS_CONTROL_REQUEST_HEADERS: "authorization,content-type",
        },
    )
    assert response.status == 200
    allowed = response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS].lower()
    assert "authorization" in token_list(allowed)


async def test_a_page_can_read_the_challenge(guarded: Client) -> None:
    """A page has to tell its user what is missing (Fetch 3.3.2)."""
    for path in ("/whip/live", "/whip/live/session/more"):
        response = await request(guarded, "GET", path, Origin=ORIGIN)
        await problem_of(response, 401)
        assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)
        exposed = response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].lower()
        assert "www-authenticate" in token_list(exposed)


async def test_the_body_is_not_waited_for(guarded: Client) -> None:
    """The refusal comes before the body, and whatever its type."""
    reader, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    try:
        writer.write(
            b"POST /whip/live HTTP/1.1\r\nHost: whip.example\r\n"
            b"Content-Type: text/plain\r\nContent-Length: 60000\r\n\r\n"
        )
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    finally:
        writer.close()
        await writer.wait_closed()


async def test_nothing_is_opened_without_the_token(guarded: Client) -> None:
    assert guarded.app is not None
    response = await post(guarded, offers.CHROMIUM_DATA)
    await problem_of(response, 401)
    response = await post(guarded, offers.CHROMIUM_DATA, Authorization=WRONG)
    await problem_of(response, 401)
    assert guarded.app[STORE].opened == 0


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/status"])
async def test_what_stays_open(guarded: Client, path: str) -> None:
    """The page asks its user for the token; a supervisor has none."""
    assert (await guarded.get(path)).status == 200


async def test_without_a_token_no_authorization_is_looked_at(client: Client) -> None:
    """An encoder may be set to send one that nobody asks for."""
    for value in ("Bearer anything", "Bearer", "Basic dTpw"):
        response = await post(client, offers.CHROMIUM_DATA, Authorization=value)
        assert response.status == 201


def whip_routes() -> list[tuple[str, str]]:
    """Every route below ``/whip`` that the server has, as its own router says."""
    return [
        (route.method, path.format(stream="live", session="session"))
        for route in create_app(Settings()).router.routes()
        if route.resource
        and f"{(path := route.resource.canonical)}/".startswith("/whip/")
    ]


async def test_no_route_is_forgotten(guarded: Client) -> None:
    """Section 4.7.1: "in all HTTP requests sent to either the WHIP endpoint or
    session".
    """
    routes = whip_routes()
    assert len(routes) >= 13
    assert ("PATCH", "/whip/live/session") in routes
    for method, path in routes:
        assert (await request(guarded, method, path)).status == 401, (method, path)


async def test_our_own_client(guarded: Client) -> None:
    """Section 4.7.1: "WHIP clients MUST implement this authentication"."""
    url = str(guarded.make_url("/whip/live"))
    async with WhipClient(url, token=TOKEN) as client:
        client.peer.createDataChannel("test")
        await client.connect()
    for token in (None, "wrong"):
        async with WhipClient(url, token=token) as client:
            client.peer.createDataChannel("test")
            with pytest.raises(WhipError) as caught:
                await client.connect()
            assert caught.value.status == 401


async def test_an_offer_of_another_type_needs_the_token_first(guarded: Client) -> None:
    """Errors in a request are reported only to authorized clients."""
    response = await guarded.post(
        "/whip/live", data=b"hello", headers={hdrs.CONTENT_TYPE: "text/plain"}
    )
    await problem_of(response, 401)
    headers = {hdrs.CONTENT_TYPE: "text/plain", hdrs.AUTHORIZATION: RIGHT}
    response = await guarded.post("/whip/live", data=b"hello", headers=headers)
    await problem_of(response, 415)
    assert response.headers["Accept-Post"] == SDP
