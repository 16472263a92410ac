"""The page's files: what is served, how, and nothing else."""

import pytest
from aiohttp import hdrs
from pytest_aiohttp.plugin import AiohttpClient

from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.http.page import HEADERS, ISOLATION, webclient_directory


async def test_every_file_is_served(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(create_app(Settings()))
    directory = webclient_directory()
    names = [p.relative_to(directory).as_posix() for p in directory.rglob("*.*")]
    assert "index.html" in names
    for name in ["", *names]:
        response = await client.get(f"/{name}")
        assert response.status == 200
        expected = (directory / (name or "index.html")).read_bytes()
        assert await response.read() == expected
        for header, value in HEADERS.items():
            assert response.headers[header] == value
    assert (await client.get("/app.js")).content_type in (
        "text/javascript",
        "application/javascript",
    )


async def test_an_unchanged_file_is_not_sent_again(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(create_app(Settings()))
    first = await client.get("/")
    again = await client.get("/", headers={hdrs.IF_NONE_MATCH: first.headers["ETag"]})
    assert again.status == 304
    assert await again.read() == b""
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/config.py", "/js/"])
async def test_nothing_else_is_reached(
    aiohttp_client: AiohttpClient, path: str
) -> None:
    client = await aiohttp_client(create_app(Settings()))
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize(
    ("headers", "isolated"),
    [
        ({"Host": "localhost:8080"}, True),
        ({"Host": "127.0.0.1"}, True),
        ({"Host": "[::1]:8080"}, True),
        ({"Host": "whip.example"}, False),
        ({"Host": "whip.example", "X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_isolation_where_the_connection_is_trusted(
    aiohttp_client: AiohttpClient, headers: dict[str, str], isolated: bool
) -> None:
    client = await aiohttp_client(create_app(Settings(allowed_hosts=("whip.example",))))
    response = await client.get("/", headers=headers)
    for header in ISOLATION:
        assert (header in response.headers) == isolated
