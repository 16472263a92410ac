"""CORS: what pages of other origins may ask, and read."""

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestClient, make_mocked_request
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.http.cors import enable_cors, is_preflight
from whipbird.http.host import AllowedOrigins
from whipbird.http.problems import problem_middleware

ORIGIN: dict[str, str] = {hdrs.ORIGIN: "https://studio.example"}
ASKING = {**ORIGIN, hdrs.ACCESS_CONTROL_REQUEST_METHOD: "POST"}

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def origins() -> AllowedOrigins:
    return AllowedOrigins()


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, origins: AllowedOrigins) -> Client:
    """Of a server with one resource that pages may use, and one that they may not."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text="done", headers={"Location": "/there"})

    part = web.Application()
    resource = part.router.add_resource("")
    routes = [resource.add_route(method, handler) for method in ("GET", "POST")]
    enable_cors(part, list(routes), origins)
    app = web.Application(middlewares=[problem_middleware])
    app.add_subapp("/open", part)
    app.router.add_get("/closed", handler)
    return await aiohttp_client(app)


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("OPTIONS", ASKING, True),
        ("OPTIONS", ORIGIN, False),
        ("OPTIONS", {}, False),
        ("OPTIONS", {hdrs.ACCESS_CONTROL_REQUEST_METHOD: "POST"}, False),
        ("POST", ASKING, False),
    ],
)
def test_is_preflight(method: str, headers: dict[str, str], expected: bool) -> None:
    assert is_preflight(make_mocked_request(method, "/", headers)) is expected


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_preflight(client: Client, method: str) -> None:
    asked: dict[str, str] = {
        **ORIGIN,
        hdrs.ACCESS_CONTROL_REQUEST_METHOD: method,
        hdrs.ACCESS_CONTROL_REQUEST_HEADERS: "Authorization, content-type, IF-MATCH",
    }
    response = await client.options("/open", headers=asked)
    assert response.status == 200
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] == method
    assert response.headers[hdrs.VARY] == "Origin"
    assert hdrs.ACCESS_CONTROL_EXPOSE_HEADERS not in response.headers
    # Credentials are bearer tokens that the page itself sends, never cookies.
    assert hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS not in response.headers


async def test_preflight_for_a_method_that_is_not_allowed(client: Client) -> None:
    asked: dict[str, str] = {**ORIGIN, hdrs.ACCESS_CONTROL_REQUEST_METHOD: "DELETE"}
    response = await client.options("/open", headers=asked)
    assert response.status == 403
    assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers


@pytest.mark.parametrize("origin", ["https://a.example", "http://localhost:1", "null"])
async def test_any_origin(client: Client, origin: str) -> None:
    response = await client.post("/open", headers={hdrs.ORIGIN: origin})
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in (origin, "*")
    exposed = response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].split(",")
    assert {name.strip() for name in exposed} >= {"Location", "ETag", "Link"}
    assert response.headers[hdrs.VARY] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/open", 405), ("GET", "/open/other", 404), ("OPTIONS", "/open", 403)],
)
async def test_what_no_route_answers_can_be_read(
    client: Client, method: str, path: str, status: int
) -> None:
    """The application answers an OPTIONS request that is not a preflight."""
    response = await client.request(method, path, headers=ORIGIN)
    assert response.status == status
    origin = response.headers.getall(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    assert origin == ["https://studio.example"]
    exposed = response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].split(",")
    assert set(exposed) >= {"Retry-After", "WWW-Authenticate"}


@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [
        (["*"], True),
        (["https://studio.example"], True),
        (["https://studio.example", "https://b.example"], True),
        (["https://b.example"], False),
        (["https://studio.example:8443", "http://studio.example"], False),
        ([], False),
    ],
)
async def test_origins_that_are_named(
    client: Client, origins: AllowedOrigins, allowed: list[str], is_allowed: bool
) -> None:
    """From the next request on."""
    origins.change(allowed)
    preflight = await client.options("/open", headers=ASKING)
    assert preflight.status == (200 if is_allowed else 403)
    missing = await client.get("/open/other", headers=ORIGIN)
    for response in (preflight, await client.get("/open", headers=ORIGIN), missing):
        found = response.headers.getall(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN, [])
        assert len(found) == is_allowed
        assert is_allowed or hdrs.ACCESS_CONTROL_EXPOSE_HEADERS not in response.headers
        assert response.headers[hdrs.VARY] == "Origin"


async def test_the_response_varies_even_without_an_origin(client: Client) -> None:
    """Else a cache gives a page what it has kept from somebody who is none."""
    response = await client.get("/open")
    assert response.headers[hdrs.VARY] == "Origin"
    assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers


async def test_other_resources_are_closed(client: Client) -> None:
    response = await client.get("/closed", headers=ORIGIN)
    assert response.status == 200
    assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers
    assert hdrs.VARY not in response.headers
    assert (await client.options("/closed", headers=ASKING)).status == 405
