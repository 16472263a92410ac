"""Addresses as users and libraries write them."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pydantic import SecretStr
from yarl import URL

from tests import offers
from tests.unit.http.in_process import Server
from whipbird.app import STORE, create_app
from whipbird.config import Settings

SDP = {"Content-Type": "application/sdp"}

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(Server(create_app(Settings()))) as client:
        yield client


async def open_session(client: Client, path: str) -> URL:
    """Open a session at a path as it is written.

    Returns:
        The URL of the session.
    """
    url = client.make_url("/").with_path(path, encoded=True)
    response = await client.session.post(url, data=offers.CHROMIUM_DATA, headers=SDP)
    assert response.status == 201, await response.text()
    return response.url.join(URL(response.headers["Location"]))


async def status(client: Client, method: str, url: URL) -> int:
    return (await client.session.request(method, url)).status


@pytest.mark.parametrize(
    "path",
    [
        *("/whip", "/whip/", "/whip/live", "/whip/live/"),
        *("//whip/live", "/whip//live", "///whip///live///", "//whip", "/whip//"),
    ],
)
async def test_slashes_too_many(client: Client, path: str) -> None:
    """Users type them, and libraries add them: the resource is the same."""
    session = await open_session(client, path)
    assert client.app is not None
    (opened,) = client.app[STORE].newest(0, 10)[0]
    assert session.path.endswith(f"/whip/{opened.stream}/{opened.id}")
    if "live" in path:
        assert opened.stream == "live"
    more = f"//whip///{opened.stream}//{opened.id}/"
    for written in (session.path, f"{session.path}/", more):
        url = session.with_path(written, encoded=True)
        assert await status(client, "GET", url) == 204
        assert await status(client, "OPTIONS", url) == 200
    assert await status(client, "DELETE", session.with_path(more, encoded=True)) == 200
    assert await status(client, "GET", session) == 404


async def test_slashes_too_many_elsewhere(client: Client) -> None:
    for path in ("//", "//app.js", "//api/streams", "//metrics", "//healthz"):
        url = client.make_url("/").with_path(path, encoded=True)
        assert await status(client, "GET", url) == 200
    url = client.make_url("/").with_path("//nothing", encoded=True)
    assert await status(client, "GET", url) == 404


async def test_slashes_need_the_same_right() -> None:
    app = create_app(Settings(token=SecretStr("secret")))
    async with TestClient(Server(app)) as client:
        for path in ("//whip/live", "/whip//live", "//api/streams", "/whep//live"):
            url = client.make_url("/").with_path(path, encoded=True)
            response = await client.session.get(url)
            assert response.status == 401, path


METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        *("/whip/a/b", "/whip/a/b/c", "/whip/a/b/", "/whip/a%2Fb", "/whip/a%20b"),
        *("/whep/a/b", "/whep/a/b/c", "/whep/a%2Fb/b", "/whep//a//b", "/whep/%2E%2E"),
        *("/api/streams/a/b", "/api/streams/a/b/recording", "/api/streams/a%2Fb"),
        *("/api/streams/a%2Fb/recording", "/api/streams/a%20b/snapshot.jpg"),
        "/api/streams/a/b/publisher",
    ],
)
async def test_no_name_of_a_stream(client: Client, method: str, path: str) -> None:
    url = client.make_url("/").with_path(path, encoded=True)
    response = await client.session.request(method, url)
    if response.status == 405:
        # The name is wrong, but no such request could be right.
        assert "%2" in path
        return
    assert response.status == 404
    assert response.content_type == "application/problem+json"
    if method != "HEAD":
        problem = await response.json()
        assert problem["title"] == "Not a stream name"
        assert "1 to 64" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        # A session, whatever its stream is called.
        *(("POST", "/whip/live/{id}", 405), ("PUT", "/whip/live/{id}", 405)),
        ("PUT", "/whip/live/{id}/", 405),
        # A session that there is not.
        ("GET", "/whip/live/" + 32 * "x", 404),
        # No slash in it.
        *(("PUT", "/whip/live", 405), ("PATCH", "/whep/live", 405)),
        *(("PUT", "/api/streams/live", 405), ("PUT", "/api/streams/a/recording", 405)),
        *(("GET", "/whips/a/b", 404), ("GET", "/api/recordings/a/b", 404)),
        ("GET", "/api/streams/live", 404),
    ],
)
async def test_what_is_not_taken_for_such_a_name(
    client: Client, method: str, path: str, expected: int
) -> None:
    session = await open_session(client, "/whip/live")
    response = await client.request(method, path.format(id=session.name))
    assert response.status == expected
    assert "1 to 64" not in await response.text()


async def test_a_stream_that_is_called_like_an_endpoint(client: Client) -> None:
    session = await open_session(client, "/whip/whip")
    assert session.path.startswith("/whip/whip/")
    assert (await client.post(session.path)).status == 405
    assert await status(client, "DELETE", session) == 200


@pytest.mark.parametrize(
    "names", ["traceparent", "sentry-trace, baggage", "x-requested-with,content-type"]
)
async def test_headers_of_tracing_libraries_pass_the_preflight(names: str) -> None:
    async with TestClient(Server(create_app(Settings()))) as client:
        response = await client.options(
            "/whep/live",
            headers={
                "Origin": "https://studio.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": names,
            },
        )
        assert response.status == 200
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        wanted = {name.strip() for name in names.split(",")}
        assert {name.strip() for name in allowed.split(",")} == wanted
