"""Raw HTTP: what was sent, what came back, and what is waited out."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.server import free_port
from whipbird.check import exchange as module
from whipbird.check.exchange import (
    Exchange,
    Http,
    NoResponse,
    location_of,
    retry_wait,
)

URL_ = URL("http://whip.example/whip/live")


def exchange(
    status: int = 200, content: bytes = b"", body: bytes = b"", **headers: str
) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(
        method="POST",
        url=URL_,
        sent={"Authorization": "Bearer very-secret-token"},
        body=body,
        status=status,
        reason="Created",
        received=CIMultiDictProxy(CIMultiDict(named)),
        content=content,
        seconds=0.1,
    )


class Server:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.responses: list[web.Response] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, dict(request.headers)))
        return self.responses.pop(0) if self.responses else web.Response(status=200)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, URL]]:
    app, server = web.Application(), Server()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app) as running:
        yield server, running.make_url("/whip/live")


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    http = Http("right", timeout=20.0)
    yield http
    await http.close()


def test_a_transcript_shows_both_sides() -> None:
    shown = exchange(
        201,
        b"v=0\r\na=ice-pwd:answered-secret\r\n",
        b"v=0\r\na=ice-pwd:offered-secret\r\na=mid:0\r\n",
        Location="/session",
        Link='<turn:t>; credential="turn-secret"; username="u"',
    ).transcript()
    lines = shown.splitlines()
    assert lines[0] == f"> POST {URL_}"
    assert "> a=mid:0" in lines
    assert "< 201 Created" in lines
    assert "< Location: /session" in lines
    assert "< v=0" in lines
    assert "secret" not in shown
    assert "a=ice-pwd:offe..." in shown
    assert 'credential="turn..."' in shown


def test_a_transcript_of_garbage_can_be_read() -> None:
    shown = exchange(400, b"\xff\x00", b"a\n" * 100).transcript()
    assert "> ... (40 more lines)" in shown
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/whip/live/1", "http://whip.example/whip/live/1"),
        ("1", "http://whip.example/whip/1"),
        ("https://other.example/x?id=1", "https://other.example/x?id=1"),
        ("http://[::1", None),
        ("ftp://x/", None),
        ("", None),
    ],
)
def test_location(value: str, expected: str | None) -> None:
    location = location_of(exchange(201, Location=value))
    assert (str(location) if location else None) == expected


def test_no_location() -> None:
    assert location_of(exchange(201)) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        ("100000", 10.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0),
        ("-1", 1.0),
        ("\u0663", 1.0),
    ],
)
def test_retry_after_is_honoured_within_bounds(value: str, seconds: float) -> None:
    assert retry_wait(exchange(503, Retry_After=value)) == seconds


def test_members_of_a_field() -> None:
    fields = CIMultiDict([("Link", "A, b"), ("Link", ",C ")])
    listed = Exchange(
        "GET", URL_, {}, b"", 200, "", CIMultiDictProxy(fields), b"", 0.0
    ).members("link")
    assert listed == ["a", "b", "c"]


async def test_redirections_are_not_followed(
    server: tuple[Server, URL], http: Http
) -> None:
    peer, url = server
    peer.responses = [web.Response(status=302, headers={hdrs.LOCATION: "/x"})]
    assert (await http.request("POST", url)).status == 302
    assert len(peer.requests) == 1


async def test_nothing_is_added_to_a_request(
    server: tuple[Server, URL], http: Http
) -> None:
    """No Content-Type of which the rule knows nothing."""
    peer, url = server
    await http.request("POST", url, body=b"hello")
    await http.request("GET", url, authorized=False)
    (_, _, first), (_, _, second) = peer.requests
    assert hdrs.CONTENT_TYPE not in first
    assert first[hdrs.AUTHORIZATION] == "Bearer right"
    assert hdrs.AUTHORIZATION not in second


async def test_a_busy_server_is_asked_again(
    server: tuple[Server, URL], http: Http
) -> None:
    peer, url = server
    peer.responses = [
        web.Response(status=status, headers={hdrs.RETRY_AFTER: "0"})
        for status in (503, 429)
    ]
    assert (await http.request("POST", url)).status == 200
    assert [busy.status for busy in http.busy] == [503, 429]


async def test_a_server_that_stays_busy_is_left_alone(
    server: tuple[Server, URL], http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEFAULT_RETRY_WAIT", 0.0)
    peer, url = server
    peer.responses = [web.Response(status=503) for _ in range(20)]
    assert (await http.request("POST", url)).status == 503
    assert len(peer.requests) == 1 + module.MAX_RETRIES
    await http.request("POST", url, patient=False)
    assert len(peer.requests) == 2 + module.MAX_RETRIES


async def test_every_session_is_ended(server: tuple[Server, URL], http: Http) -> None:
    peer, url = server
    peer.responses = [
        web.Response(status=201, headers={hdrs.LOCATION: f"/s/{n}"}) for n in range(3)
    ]
    for _ in range(3):
        await http.request("POST", url)
    await http.request("DELETE", url.with_path("/s/1"))
    await http.end_sessions()
    deleted = sorted(path for method, path, _ in peer.requests if method == "DELETE")
    assert deleted == ["/s/0", "/s/1", "/s/2"]


async def test_who_cannot_be_reached(http: Http) -> None:
    url = URL(f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(NoResponse, match=r"port \d+: Connection refused"):
        await http.request("GET", url)


async def test_who_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = URL(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        http = Http(None, timeout=0.05)
        try:
            with pytest.raises(NoResponse, match=r"no response within 0\.05 seconds"):
                await http.request("GET", url)
        finally:
            await http.close()
