"""The host that a request names, and the page that it comes from."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from whipbird.app import create_app
from whipbird.config import Settings
from whipbird.http.host import AllowedHosts, Host

TOKEN = {"Authorization": "Bearer secret"}
RECORDING = "/api/streams/live/recording"

PATHS = (
    "/",
    "/app.js",
    "/whip/live",
    "/whep/live",
    "/api/streams",
    "/api/status",
    "/x",
)


async def serve(**settings: Any) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(create_app(Settings(**settings)))) as client:
        yield client


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    async for client in serve():
        yield client


async def ask(client: TestClient[Any, Any], request: bytes) -> str:
    """The response to a request that no HTTP library would send."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    async with asyncio.timeout(60):
        response = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return response.decode()


def status_of(response: str) -> int:
    return int(response.split()[1])


# The header


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("example.org", Host("example.org", None)),
        ("Example.ORG.:8080", Host("example.org", 8080)),
        ("localhost:", Host("localhost", None)),
        ("192.0.2.1:65535", Host("192.0.2.1", 65535)),
        ("[2001:DB8::1]:80", Host("2001:db8::1", 80)),
        ("[::1]", Host("::1", None)),
        ("my_box", Host("my_box", None)),
    ],
)
def test_a_host_is_read(value: str, host: Host) -> None:
    assert Host.parse(value) == host


MALFORMED = [
    "",
    "a:b:c",
    "x:99999",
    "x:-1",
    "x:" + "9" * 5000,
    "[::1]:x",
    "[",
    "[]",
    "[12345::]",
    "a b",
    "a/b",
    "user@a",
    "é",
    "a" * 254,
    "[fe80::1%25eth0]",
]


@pytest.mark.parametrize("value", MALFORMED)
def test_what_is_no_host_is_not_read(value: str) -> None:
    assert Host.parse(value) is None


@given(st.text())
def test_any_text_is_a_host_or_none(value: str) -> None:
    host = Host.parse(value)
    assert host is None or host in AllowedHosts(["*"])


@pytest.mark.parametrize("path", PATHS)
async def test_a_malformed_host_is_a_bad_request_everywhere(
    path: str, client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for value in [text.encode() for text in MALFORMED] + [b"\xff\xfe"]:
        request = b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path.encode(), value)
        response = await ask(client, request)
        assert status_of(response) == 400, value
    assert not caplog.records


async def test_a_request_has_one_host(client: TestClient[Any, Any]) -> None:
    """RFC 9112 section 3.2: a server MUST respond with 400 otherwise."""
    assert status_of(await ask(client, b"GET / HTTP/1.1\r\n\r\n")) == 400
    two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
    assert status_of(await ask(client, two)) == 400
    # HTTP/1.0 has no such header.
    assert status_of(await ask(client, b"GET / HTTP/1.0\r\n\r\n")) == 200


TARGETS = [
    b"http://[::1",
    b"http://a:b/",
    b"http://a:99999/",
    b"http:///",
    b"//x",
    b"///",
    b"/%",
    b"/%ff",
    b"/\xff",
    b"/\x00",
    b"*",
    b"[",
    b"a:b",
    b"/?" + b"a" * 9000,
    b"/whip/%00",
    b"/whip/%2e%2e/x",
    b"/whip/a/[",
]
HEADERS = [
    b'If-Match: "' + b'"' * 3000,
    b"If-None-Match: \xff",
    b"Range: bytes=" + b"9" * 30 + b"-",
    b"Authorization: Bearer \xff",
    b"Cookie: a=\xff; \x00",
    b"Content-Type: ;;;=",
    b"Content-Type: application/sdp; charset=\xff",
    b"Content-Length: " + b"9" * 30,
    b"Content-Length: -1",
    b"Transfer-Encoding: chunked, chunked",
    b"Origin: http://[::1",
    b"Origin: \xff",
    b"Access-Control-Request-Method: \xff\r\nOrigin: http://x",
    b"Expect: 200-maybe",
    b"If-Modified-Since: Mon, 99 Foo",
    b"Last-Event-ID: \xff",
    b"X-Forwarded-Host: [",
    b"X-Forwarded-Proto: \xff",
    b"Upgrade: websocket\r\nConnection: upgrade",
    b"X: " + b"a" * 9000,
]
METHODS = (b"GET", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"PUT", b"CONNECT", b"FOO")


@pytest.mark.parametrize("method", METHODS)
async def test_no_request_is_a_fault_of_ours(
    method: bytes, client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Any request target and header gets 4xx at worst."""
    caplog.set_level(logging.ERROR, "whipbird")
    for target in TARGETS:
        request = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        assert status_of(await ask(client, request)) < 500, target
    for header in HEADERS:
        for path in (b"/", b"/whip/a", b"/whip/a/b", b"/api/streams", b"/api/nothing"):
            request = method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n"
            response = await ask(client, request + header + b"\r\n\r\n")
            assert status_of(response) < 500, (path, header)
    assert not [r for r in caplog.records if r.name.startswith("whipbird")]


# The hosts that are this server's


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "[2001:db8::7]",
        "localhost",
        "studio",
        "studio.local",
        "a.localhost",
        socket.gethostname(),
        "live.example.org",
        "a.example.net",
        "a.b.example.net",
    ],
)
def test_names_that_strangers_cannot_have_are_answered(name: str) -> None:
    host = Host.parse(name)
    assert host is not None
    assert host in AllowedHosts(["Live.example.org", "*.example.net"])


@pytest.mark.parametrize(
    "name",
    ["evil.example", "example.org", "example.net", "xexample.net", "1.2.3.4.x.y"],
)
def test_others_are_not(name: str) -> None:
    host = Host.parse(name)
    assert host is not None
    assert host not in AllowedHosts(["live.example.org", "*.example.net"])
    assert host in AllowedHosts(["*"])


async def test_a_name_of_another_site_is_refused(client: TestClient[Any, Any]) -> None:
    """A page of that site could use this server with DNS rebinding."""
    for path in PATHS:
        response = await client.get(path, headers={"Host": "evil.example:8080"})
        assert response.status == 421
        assert "allowed_hosts" in (await response.json())["detail"]


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_hosts": ["live.example.org"]},
        {"allowed_hosts": ["*"]},
        {"host": "live.example.org", "open": True},
        {"token": "secret"},
    ],
)
async def test_a_name_of_its_own_is_answered(settings: dict[str, Any]) -> None:
    async for client in serve(**settings):
        response = await client.get("/", headers={"Host": "live.example.org"})
        assert response.status == 200


async def test_with_a_token_the_names_can_be_listed_too() -> None:
    async for client in serve(token="secret", allowed_hosts=["live.example.org"]):
        response = await client.get("/", headers={"Host": "evil.example"})
        assert response.status == 421


# The pages

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://studio:8080"},
    # Browsers send no Sec-Fetch-Site to servers that they reach over plain HTTP.
    {"Origin": "http://evil.example"},
    {"Origin": "http://evil.example:8080"},
    {"Origin": "http://studio"},
    {"Origin": "https://studio:8443"},
    {"Origin": "null"},
    {"Origin": "http://studio:8080.evil.example"},
    {"Origin": "http://studio:8080@evil.example"},
    {"Origin": "file://studio:8080"},
    {"Origin": "http://["},
]
OWN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://anything.example"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://studio:8080"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_pages_of_others_cannot_control_recordings(
    method: str, headers: dict[str, str], client: TestClient[Any, Any]
) -> None:
    headers = {"Host": "studio:8080", **headers}
    response = await client.request(method, RECORDING, headers=headers)
    assert response.status == 403
    assert (await response.json())["title"] == "From another page"


@pytest.mark.parametrize("headers", OWN)
async def test_the_own_page_can(
    headers: dict[str, str], client: TestClient[Any, Any]
) -> None:
    headers = {"Host": "studio:8080", **headers}
    response = await client.post(RECORDING, headers=headers)
    assert response.status == 409  # there is no folder


async def test_so_can_pages_of_origins_that_are_listed() -> None:
    async for client in serve(allowed_origins=["http://desk.example"]):
        own = {"Origin": "http://desk.example", "Sec-Fetch-Site": "cross-site"}
        assert (await client.post(RECORDING, headers=own)).status == 409
        response = await client.post(RECORDING, headers={"Origin": "http://x.example"})
        assert response.status == 403


@pytest.mark.parametrize("path", ["/whip/live", "/whep/live"])
async def test_all_pages_may_publish_and_watch(
    path: str, client: TestClient[Any, Any]
) -> None:
    response = await client.post(path, headers={"Origin": "http://x.example"})
    assert response.status == 415
    assert response.headers["Access-Control-Allow-Origin"] == "http://x.example"


@pytest.mark.parametrize("path", ["/whip/live", "/whep/live"])
async def test_unless_some_are_listed(path: str) -> None:
    async for client in serve(allowed_origins=["http://desk.example"]):
        for origin, status in (("http://desk.example", 415), ("http://x.example", 403)):
            response = await client.post(path, headers={"Origin": origin})
            assert response.status == status
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if status == 415 else None)
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await client.options(path, headers=asked)
            allowed = preflight.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if status == 415 else None)


async def test_every_request_counts() -> None:
    async for client in serve(request_rate=3):
        for path in ("/", "/app.js", "/nothing"):
            assert (await client.get(path)).status != 429
        for path in PATHS:
            response = await client.get(path)
            assert response.status == 429
            assert int(response.headers["Retry-After"]) == 20
