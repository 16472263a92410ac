"""Tokens: how they are read, judged and asked for (RFC 6750)."""

import base64
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, hdrs, web
from aiohttp.test_utils import TestClient, make_mocked_request
from multidict import CIMultiDict
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.http.auth import GRANT, Credentials, authorize, credentials_of
from whipbird.http.needs import to_publish
from whipbird.http.problems import Problem, problem_middleware
from whipbird.rights import Rights, digest_of

TOKEN = "abcdefghijklmnopqrstuvwxyz0189-._~+/=="

Client = TestClient[web.Request, web.Application]


def request(*authorization: str) -> web.Request:
    headers = CIMultiDict((hdrs.AUTHORIZATION, value) for value in authorization)
    return make_mocked_request("GET", "/whip/live", headers)


def refused(*authorization: str) -> Problem:
    with pytest.raises(Problem) as caught:
        credentials_of(request(*authorization))
    return caught.value


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("spaces", [" ", "   "])
def test_a_token(scheme: str, spaces: str) -> None:
    found = credentials_of(request(f"{scheme}{spaces}{TOKEN}"))
    assert found == Credentials(TOKEN)


@pytest.mark.parametrize(
    "authorization", [(), ("",), ("Digest dTpw",), ("Bearerabc",), ("abc",)]
)
def test_no_token(authorization: tuple[str, ...]) -> None:
    assert credentials_of(request(*authorization)) is None


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
        ("Basic",),
        ("Basic a",),
        ("Basic dQ==",),  # no colon
        ("Basic /zpw",),  # not UTF-8
        ("Basic d Tpw",),
        ("Basic \xe9",),
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


@pytest.mark.parametrize("value", ["dTpw", "dTpwOnE=", "OnA="])
def test_basic(value: str) -> None:
    """RFC 7617 section 2; the password is a token."""
    found = credentials_of(request(f"basic {value}"))
    assert found is not None
    user, _, password = base64.b64decode(value).decode().partition(":")
    assert found == Credentials(password, user)


RULES = f"""
[[tokens]]
name = "a"
hash = "{digest_of("for-a")}"
actions = ["publish"]
streams = ["a", "a-*"]

[[tokens]]
name = "all"
hash = "{digest_of("for-all")}"
actions = ["publish"]

[[tokens]]
name = "viewer"
hash = "{digest_of("to-watch")}"
actions = ["watch"]

[anonymous]
actions = ["publish"]
streams = ["open"]
"""


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, tmp_path: Path) -> Client:
    """Of a server with rules, whose handler answers with the name of the grant."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request[GRANT].name)

    (tmp_path / "rights.toml").write_text(RULES)
    rights = Rights(file=tmp_path / "rights.toml")
    guard = authorize(rights, to_publish)
    app = web.Application(middlewares=[problem_middleware, guard])
    for path in ("/whip", "/whip/{stream}", "/whip/{stream}/{session}"):
        app.router.add_route("*", path, handler)
    return await aiohttp_client(app)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/whip", "for-all", 200),
        ("/whip", "for-a", 403),
        ("/whip/a", "for-a", 200),
        ("/whip/a-1", "for-a", 200),
        ("/whip/a/session", "for-a", 200),
        ("/whip/b", "for-a", 403),
        ("/whip/b/session", "for-a", 403),
        ("/whip/open", "for-a", 403),
        ("/whip/a", "to-watch", 403),
        ("/whip/a", "guess", 401),
        ("/elsewhere", "for-all", 404),
        ("/elsewhere", "for-a", 403),
    ],
)
async def test_the_rights_are_asked(
    client: Client, path: str, token: str, status: int
) -> None:
    """With the token and the stream of each request, whatever its method."""
    for method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"):
        headers = {hdrs.AUTHORIZATION: f"Bearer {token}"}
        response = await client.request(method, path, headers=headers)
        assert response.status == status, method
        challenge = response.headers.get(hdrs.WWW_AUTHENTICATE)
        assert challenge == {
            401: 'Bearer realm="whipbird", error="invalid_token"',
            403: 'Bearer realm="whipbird", error="insufficient_scope", scope="publish"',
        }.get(status)


async def test_what_is_missing_is_said(client: Client) -> None:
    for path, token, words in (
        ("/whip", "for-a", 'the right "publish" for all streams'),
        ("/whip/b", "for-a", 'the right "publish" for this stream'),
    ):
        headers = {hdrs.AUTHORIZATION: f"Bearer {token}"}
        problem = await (await client.get(path, headers=headers)).json()
        assert words in problem["detail"]


async def test_without_a_token(client: Client) -> None:
    response = await client.get("/whip/open")
    assert await response.text() == "anonymous"
    for path in ("/whip", "/whip/a", "/whip/elsewhere"):
        response = await client.get(path)
        assert response.status == 401
        assert response.headers[hdrs.WWW_AUTHENTICATE] == 'Bearer realm="whipbird"'


async def test_a_password_is_a_token(client: Client) -> None:
    auth = {hdrs.AUTHORIZATION: encode_basic_auth("anybody", "for-a")}
    assert await (await client.get("/whip/a", headers=auth)).text() == "a"
    auth = {hdrs.AUTHORIZATION: encode_basic_auth("for-a", "guess")}
    assert (await client.get("/whip/a", headers=auth)).status == 401


async def test_preflights_need_no_token(aiohttp_client: AiohttpClient) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    guard = authorize(Rights("token"), to_publish)
    app = web.Application(middlewares=[problem_middleware, guard])
    app.router.add_route("*", "/whip/{stream}", handler)
    client = await aiohttp_client(app)
    origin: dict[str, str] = {hdrs.ORIGIN: "https://studio.example"}
    asking = {**origin, hdrs.ACCESS_CONTROL_REQUEST_METHOD: "POST"}
    assert (await client.options("/whip/a", headers=asking)).status == 200
    assert (await client.options("/whip/a", headers=origin)).status == 401
    assert (await client.post("/whip/a", headers=asking)).status == 401
