"""OPTIONS: what an endpoint and a session take, and CORS."""

import pytest
from aiohttp import hdrs

from tests import offers
from tests.conformance.exchange import (
    ORIGIN,
    SDP,
    SDP_FRAGMENT,
    Client,
    open_session,
    post,
    problem_of,
    token_list,
)

ENDPOINTS = ["/whip", "/whip/live"]


def preflight(method: str, headers: str = "") -> dict[str, str]:
    asked: dict[str, str] = {
        hdrs.ORIGIN: ORIGIN,
        hdrs.ACCESS_CONTROL_REQUEST_METHOD: method,
    }
    if headers:
        asked[hdrs.ACCESS_CONTROL_REQUEST_HEADERS] = headers
    return asked


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_says_what_may_be_posted(client: Client, path: str) -> None:
    """Section 4.2: "The "200 OK" response to any OPTIONS request SHOULD include an
    "Accept-Post" header with a media type value of "application/sdp"".
    """
    response = await client.options(path)
    assert response.status == 200
    assert response.headers["Accept-Post"] == SDP
    assert await response.read() == b""


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_says_which_methods_an_endpoint_takes(client: Client, path: str) -> None:
    """Allow says what a resource can do (RFC 9110 section 9.3.7)."""
    response = await client.options(path)
    assert token_list(response.headers[hdrs.ALLOW]) == {
        "GET",
        "HEAD",
        "OPTIONS",
        "POST",
    }


async def test_says_which_methods_a_session_takes(client: Client) -> None:
    """Accept-Patch says that PATCH is taken, and of what (RFC 5789 section 3.1)."""
    session = await open_session(client)
    response = await client.options(session.location)
    assert response.status == 200
    assert response.headers["Accept-Patch"] == SDP_FRAGMENT
    assert "Accept-Post" not in response.headers
    assert token_list(response.headers[hdrs.ALLOW]) == {
        "DELETE",
        "GET",
        "HEAD",
        "OPTIONS",
        "PATCH",
    }


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_answers_a_preflight_for_post(client: Client, path: str) -> None:
    """Section 4.2: "The WHIP endpoints MUST support OPTIONS requests for Cross-Origin
    Resource Sharing (CORS)".
    """
    response = await client.options(
        path, headers=preflight("POST", "content-type,authorization")
    )
    assert response.status == 200
    allowed_origin = response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN]
    assert allowed_origin in ("*", ORIGIN)
    methods = response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS]
    assert "POST" in token_list(methods)
    headers = response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS].lower()
    assert token_list(headers) >= {"content-type", "authorization"}
    assert int(response.headers[hdrs.ACCESS_CONTROL_MAX_AGE]) > 0
    # "any OPTIONS request": a preflight is one.
    assert response.headers["Accept-Post"] == SDP


@pytest.mark.parametrize(
    ("method", "headers"),
    [("PATCH", "authorization,content-type,if-match"), ("DELETE", "authorization")],
)
async def test_answers_a_preflight_for_a_session(
    client: Client, method: str, headers: str
) -> None:
    """A page has to ask before a PATCH or DELETE, and for If-Match (Fetch 4.8)."""
    session = await open_session(client)
    response = await client.options(
        session.location, headers=preflight(method, headers)
    )
    assert response.status == 200
    methods = response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS]
    assert method in token_list(methods)
    allowed = response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS].lower()
    assert token_list(headers) <= token_list(allowed)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_refuses_a_preflight_for_another_method(
    client: Client, path: str
) -> None:
    """A resource that takes no PUT grants none."""
    response = await client.options(path, headers=preflight("PUT"))
    await problem_of(response, 403)
    assert hdrs.ACCESS_CONTROL_ALLOW_METHODS not in response.headers


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_any_options_of_an_endpoint(
    client: Client, path: str, method: str
) -> None:
    """Section 4.2: "any OPTIONS request", be it a preflight or not."""
    for headers in ({}, {"Origin": ORIGIN}, preflight(method)):
        response = await client.options(path, headers=headers)
        assert response.status == 200
        assert response.headers["Accept-Post"] == SDP


@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}])
@pytest.mark.parametrize(
    "path", ["/whip/a:b", "/whip/" + "x" * 65, "/whip/live/no-such-session"]
)
async def test_options_of_what_is_not_there(
    client: Client, path: str, headers: dict[str, str]
) -> None:
    """A 404 for it as for any other method (RFC 9110 section 15.5.5)."""
    response = await client.options(path, headers=headers)
    await problem_of(response, 404)
    assert "Accept-Post" not in response.headers
    assert "Accept-Patch" not in response.headers
    assert hdrs.ALLOW not in response.headers


async def test_options_of_a_session_that_has_ended(client: Client) -> None:
    """Section 4.2: "the WHIP session will be removed"."""
    session = await open_session(client)
    assert (await client.options(session.location)).status == 200
    await client.delete(session.location)
    await problem_of(await client.options(session.location), 404)


async def test_options_with_an_origin_alone_is_no_preflight(client: Client) -> None:
    """A preflight has Access-Control-Request-Method (Fetch 4.8); this has not."""
    response = await client.options("/whip/live", headers={hdrs.ORIGIN: ORIGIN})
    assert response.status == 200
    assert response.headers["Accept-Post"] == SDP
    assert "POST" in token_list(response.headers[hdrs.ALLOW])


async def test_options_needs_no_session(client: Client) -> None:
    """Section 4.7.1: "except the preflight OPTIONS requests for CORS": a preflight
    cannot be refused for what it does not know.
    """
    response = await client.options(
        "/whip/live/no-such-session", headers=preflight("DELETE")
    )
    assert response.status == 200


async def test_a_page_can_read_the_headers_of_a_new_session(client: Client) -> None:
    """Section 4.2: "a Location header field pointing to the newly created WHIP
    session": a page can read it only when it is exposed (Fetch 3.3.2).
    """
    response = await post(client, offers.CHROMIUM_DATA, Origin=ORIGIN)
    assert response.status == 201
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)
    exposed = token_list(response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].lower())
    assert exposed >= {"location", "etag", "link", "accept-patch", "retry-after"}


async def test_a_page_can_read_an_error(client: Client) -> None:
    """Section 4.1: "WHIP clients MUST be able to handle all applicable status codes",
    so a page has to see them.
    """
    response = await post(client, "nonsense", Origin=ORIGIN)
    await problem_of(response, 400)
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)


async def test_no_cors_headers_without_an_origin(client: Client) -> None:
    """Requests without an origin get no CORS headers."""
    response = await post(client, offers.CHROMIUM_DATA)
    assert not [name for name in response.headers if "access-control" in name.lower()]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/whip/live", 405),
        ("PATCH", "/whip", 405),
        ("GET", "/whip/a:b", 404),
        ("GET", "/whip/a/b/c", 404),
        ("GET", "/whip/live/session", 404),
        ("GET", "/whip/live/session/more", 404),
    ],
)
async def test_a_page_can_read_what_is_wrong_with_a_url(
    client: Client, method: str, path: str, status: int
) -> None:
    """Section 4.1: "finer-grained error information by a problem statement json
    object": a page reads it only with CORS headers.
    """
    response = await client.request(method, path, headers={hdrs.ORIGIN: ORIGIN})
    await problem_of(response, status)
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)
    assert hdrs.ACCESS_CONTROL_EXPOSE_HEADERS in response.headers


@pytest.mark.parametrize("origin", [{}, {"Origin": ORIGIN}])
async def test_caches_are_told_of_the_origin(
    client: Client, origin: dict[str, str]
) -> None:
    """The response depends on Origin, and Vary says so (Fetch, "CORS protocol and HTTP
    caches").
    """
    for method, path in (
        ("GET", "/whip/live"),
        ("OPTIONS", "/whip/live"),
        ("PUT", "/whip/live"),
        ("GET", "/whip/live/session/more"),
    ):
        response = await client.request(method, path, headers=origin)
        assert response.headers.getall(hdrs.VARY) == ["Origin"]


@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/api/status", "/no-such-page"),
        *("/api/streams", "/api/streams/live/snapshot.jpg", "/api/recordings"),
    ],
)
async def test_other_resources_are_closed_to_pages(client: Client, path: str) -> None:
    """They are for operators, not for the pages of others."""
    response = await client.get(path, headers={hdrs.ORIGIN: ORIGIN})
    assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers
