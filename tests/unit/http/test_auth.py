"""Bearer tokens: how they are read, judged and asked for (RFC 6750)."""

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestClient, make_mocked_request
from multidict import CIMultiDict
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.http.auth import SharedToken, authenticate, bearer_token
from whipbird.http.problems import Problem, problem_middleware

TOKEN = "abcdefghijklmnopqrstuvwxyz0189-._~+/=="

Client = TestClient[web.Request, web.Application]


def request(*authorization: str) -> web.Request:
    headers = CIMultiDict((hdrs.AUTHORIZATION, value) for value in authorization)
    return make_mocked_request("GET", "/whip/live", headers)


def refused(*authorization: str) -> Problem:
    with pytest.raises(Problem) as caught:
        bearer_token(request(*authorization))
    return caught.value


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("spaces", [" ", "   "])
def test_a_token(scheme: str, spaces: str) -> None:
    assert bearer_token(request(f"{scheme}{spaces}{TOKEN}")) == TOKEN


@pytest.mark.parametrize(
    "authorization", [(), ("",), ("Basic dTpw",), ("Bearerabc",), ("abc",)]
)
def test_no_token(authorization: tuple[str, ...]) -> None:
    """RFC 6750 section 3.1: no error code for who has not tried."""
    problem = refused(*authorization)
    assert problem.status == 401
    assert problem.headers == {"WWW-Authenticate": 'Bearer realm="whipbird"'}


@pytest.mark.parametrize(
    "authorization",
    [
        ("Bearer",),
        ("Bearer ",),
        ("Bearer a b",),
        ("Bearer a,b",),
        ('Bearer "a"',),
        ("Bearer =",),
        ("Bearer a=b",),
        ("Bearer \xe9",),
        ("Bearer a", "Bearer a"),
        ("Basic dTpw", "Bearer a"),
    ],
)
def test_malformed(authorization: tuple[str, ...]) -> None:
    problem = refused(*authorization)
    assert problem.status == 400
    assert problem.headers == {
        "WWW-Authenticate": 'Bearer realm="whipbird", error="invalid_request"'
    }


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (TOKEN, True),
        (TOKEN[:-1], False),
        (TOKEN + "=", False),
        (TOKEN.upper(), False),
        ("", False),
    ],
)
def test_one_token_for_all_streams(token: str, expected: bool) -> None:
    authorizer = SharedToken(TOKEN)
    assert authorizer(token, "live") is expected
    assert authorizer(token, None) is expected


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    """Of a server whose authorizer takes the token ``for-STREAM``."""

    def authorize(token: str, stream: str | None) -> bool:
        return token == f"for-{stream}"

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text="let in")

    app = web.Application(middlewares=[problem_middleware, authenticate(authorize)])
    for path in ("/whip", "/whip/{stream}", "/whip/{stream}/{session}"):
        app.router.add_route("*", path, handler)
    return await aiohttp_client(app)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/whip", "for-None", 200),
        ("/whip/a", "for-a", 200),
        ("/whip/a/session", "for-a", 200),
        ("/whip/b", "for-a", 401),
        ("/whip/b/session", "for-a", 401),
        ("/elsewhere", "for-None", 404),
        ("/elsewhere", "for-a", 401),
    ],
)
async def test_the_authorizer_is_asked(
    client: Client, path: str, token: str, status: int
) -> None:
    """With the token and the stream of each request, whatever its method."""
    for method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"):
        headers = {hdrs.AUTHORIZATION: f"Bearer {token}"}
        response = await client.request(method, path, headers=headers)
        assert response.status == status, method
        if status == 401:
            challenge = response.headers[hdrs.WWW_AUTHENTICATE]
            assert challenge == 'Bearer realm="whipbird", error="invalid_token"'


async def test_preflights_need_no_token(client: Client) -> None:
    origin: dict[str, str] = {hdrs.ORIGIN: "https://studio.example"}
    asking = {**origin, hdrs.ACCESS_CONTROL_REQUEST_METHOD: "POST"}
    assert (await client.options("/whip/a", headers=asking)).status == 200
    assert (await client.options("/whip/a", headers=origin)).status == 401
    assert (await client.post("/whip/a", headers=asking)).status == 401
