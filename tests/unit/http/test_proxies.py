"""Whom the server believes what it is told of clients."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from multidict import CIMultiDict

from tests import offers
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.http.clients import Client
from whipbird.http.content import ISOLATION
from whipbird.http.proxies import Proxies

SDP = {"Content-Type": "application/sdp"}

NEAR = "192.0.2.1"
FAR = "2001:db8:1::1"
CLIENT = "198.51.100.7"


class Connection:
    """What a request is told of the connection that it came over."""

    def __init__(self, address: str) -> None:
        # aiohttp's name of a local socket's other end is empty.
        self._name: object = (address, 50000) if address else ""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._name if name == "peername" else default


def found(
    *headers: tuple[str, str], address: str = NEAR, trusted: tuple[str, ...] = (NEAR,)
) -> tuple[Client, Counter[str]]:
    """The client of a request, and what was ignored."""
    ignored: Counter[str] = Counter()
    settings = Settings.model_validate({"trusted_proxies": trusted})
    proxies = Proxies(settings.trusted_proxies, ignored)
    request = make_mocked_request(
        "GET",
        "/",
        headers=CIMultiDict([("Host", "inside"), *headers]),
        transport=Connection(address),
    )
    return proxies.find(request), ignored


def address_of(*chain: str, **options: Any) -> str:
    """The client's address, by X-Forwarded-For; Forwarded has to tell the same."""
    client, _ = found(*(("X-Forwarded-For", part) for part in chain), **options)
    quoted = (
        ", ".join(f'for="{_bracketed(node.strip())}"' for node in part.split(","))
        for part in chain
    )
    other, _ = found(*(("Forwarded", part) for part in quoted), **options)
    assert other.address == client.address
    return client.address


def _bracketed(node: str) -> str:
    return f"[{node}]" if node.count(":") > 1 and "[" not in node else node


def test_the_nearest_proxy_tells_its_client() -> None:
    assert address_of(CLIENT) == CLIENT
    assert address_of(f"{CLIENT}:50000") == CLIENT


def test_what_stands_left_of_a_stranger_is_not_believed() -> None:
    assert address_of(f"203.0.113.1, {NEAR}, {CLIENT}") == CLIENT
    # In lines of their own, as some proxies add them.
    assert address_of("203.0.113.1", CLIENT) == CLIENT


def test_a_chain_of_proxies() -> None:
    trusted = (NEAR, "2001:db8:1::/48")
    assert address_of(f"203.0.113.1, {CLIENT}, {FAR}", trusted=trusted) == CLIENT
    # Of which one is not trusted.
    assert address_of(f"{CLIENT}, {FAR}") == FAR


def test_when_all_are_proxies_the_first_is_the_client() -> None:
    assert address_of(f"{FAR}, {NEAR}", trusted=(NEAR, FAR)) == FAR


@pytest.mark.parametrize("node", ["unknown", "_hidden", "evil", "192.0.2.999"])
def test_a_node_without_an_address_ends_the_walk(node: str) -> None:
    chain = f"203.0.113.1, {node}, {FAR}"
    assert address_of(chain, trusted=(NEAR, FAR)) == FAR
    assert address_of(node) == NEAR


@pytest.mark.parametrize("address", [CLIENT, "", "::ffff:198.51.100.7", FAR])
def test_a_stranger_changes_nothing(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = {
        "X-Forwarded-For": "203.0.113.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "elsewhere",
        "X-Forwarded-Prefix": "/x",
        "Forwarded": "for=203.0.113.1;proto=https;host=elsewhere",
    }
    with caplog.at_level(logging.WARNING, "whipbird.http.proxies"):
        client, ignored = found(*told.items(), address=address)
    assert client == Client(address, False, "inside")
    assert ignored == {"untrusted": 1, "malformed": 0}
    assert "trusted_proxies" in caplog.text


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("127.0.0.5", "loopback"),
        ("::1", "loopback"),
        ("", "unix"),
        ("::ffff:192.0.2.1", NEAR),
        ("fe80::1%eth0", "fe80::/10"),
        ("10.9.9.9", "10.0.0.0/8"),
    ],
)
def test_who_is_trusted(address: str, trusted: str) -> None:
    assert address_of(CLIENT, address=address, trusted=(trusted,)) == CLIENT


def test_who_is_not() -> None:
    for address in ("", "10.0.0.1", "::1", "::ffff:10.0.0.1", "@"):
        assert address_of(CLIENT, address=address, trusted=(NEAR, "::/128")) == address


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({}, Client(NEAR, None, "inside")),
        ({"X-Forwarded-Proto": "https"}, Client(NEAR, True, "inside")),
        ({"X-Forwarded-Proto": "http"}, Client(NEAR, False, "inside")),
        ({"X-Forwarded-Host": "a:8443"}, Client(NEAR, None, "a:8443")),
        ({"X-Forwarded-Prefix": "/"}, Client(NEAR, None, "inside", "")),
        ({"X-Forwarded-Prefix": "/x/"}, Client(NEAR, None, "inside", "/x")),
        (
            {"Forwarded": f"for={CLIENT};proto=https;host=a"},
            Client(CLIENT, True, "a"),
        ),
        # Where the nearest proxy has not said for whom.
        ({"Forwarded": "proto=https;host=a"}, Client(NEAR, True, "a")),
        ({"Forwarded": "for=203.0.113.1, proto=https"}, Client(NEAR, True, "inside")),
        # One proxy tells of one client: the other header is not its own.
        (
            {"X-Forwarded-For": CLIENT, "Forwarded": "for=203.0.113.1;proto=https"},
            Client(CLIENT, None, "inside"),
        ),
    ],
)
def test_what_is_told(headers: Mapping[str, str], client: Client) -> None:
    assert found(*headers.items()) == (client, {"untrusted": 0, "malformed": 0})


def test_scheme_and_host_are_those_of_the_outer_proxy() -> None:
    """Of lists that proxies add to, as of a value that the last one has set."""
    trusted = (NEAR, FAR)
    walked = ("X-Forwarded-For", f"203.0.113.1, {CLIENT}, {FAR}")
    for proto, host, secure, named in (
        ("http, https, http", "evil, outer, inner", True, "outer"),
        ("https", "outer", True, "outer"),
        ("https, http", "outer, inner", True, "outer"),
    ):
        client, _ = found(
            walked,
            ("X-Forwarded-Proto", proto),
            ("X-Forwarded-Host", host),
            trusted=trusted,
        )
        assert client == Client(CLIENT, secure, named)
    forwarded = (
        f"for=203.0.113.1;host=evil, for={CLIENT};proto=https;host=outer, "
        f'for="[{FAR}]";proto=http;host=inner'
    )
    client, _ = found(("Forwarded", forwarded), trusted=trusted)
    assert client == Client(CLIENT, True, "outer")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "evil"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Host", "a/b"),
        ("X-Forwarded-Prefix", "//evil.example"),
        ("Forwarded", 'for="'),
        ("Forwarded", "for=localhost"),
        ("Forwarded", "proto=x"),
        ("Forwarded", 'host="a b"'),
    ],
)
def test_malformed_values_are_ignored_and_counted(name: str, value: str) -> None:
    client, ignored = found((name, value))
    assert client == Client(NEAR, None, "inside")
    assert ignored["malformed"] == 1


def test_a_malformed_element_hides_no_later_one() -> None:
    for begins in ('for="1', 'for="1, x="', "\x01"):
        client, _ = found(("Forwarded", f"{begins}, for={CLIENT}"))
        assert client.address == CLIENT


# What follows from it


Serve = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]


@pytest.fixture
async def serve(aiohttp_client: Any) -> Serve:
    async def serve(**settings: Any) -> TestClient[web.Request, web.Application]:
        settings = {"trusted_proxies": ["127.0.0.1"], **settings}
        app = create_app(Settings.model_validate(settings))
        client: TestClient[web.Request, web.Application] = await aiohttp_client(
            TestServer(app)
        )
        return client

    return serve


async def post(
    client: TestClient[web.Request, web.Application], address: str, path: str
) -> int:
    headers = {**SDP, "X-Forwarded-For": address}
    response = await client.post(path, data=offers.CHROMIUM_DATA, headers=headers)
    return response.status


async def test_rates_are_those_of_the_client(serve: Serve) -> None:
    client = await serve(post_rate=1)
    assert await post(client, CLIENT, "/whip/a") == 201
    assert await post(client, CLIENT, "/whip/b") == 429
    assert await post(client, "198.51.100.8", "/whip/b") == 201
    # Inventing an address does not help.
    assert await post(client, f"203.0.113.9, {CLIENT}", "/whip/c") == 429


async def test_a_strangers_rate_is_its_own(serve: Serve) -> None:
    client = await serve(post_rate=1, trusted_proxies=["192.0.2.0/24"])
    assert await post(client, CLIENT, "/whip/a") == 201
    assert await post(client, "198.51.100.8", "/whip/b") == 429


async def test_sessions_are_those_of_the_client(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(max_client_sessions=1, access_log=True)
    with caplog.at_level(logging.INFO, "whipbird"):
        assert await post(client, CLIENT, "/whip/a") == 201
    assert [r.client for r in caplog.records if hasattr(r, "client")].count(CLIENT)
    assert f"from {CLIENT}: 201" in caplog.text
    assert await post(client, CLIENT, "/whip/b") == 429
    assert await post(client, "198.51.100.8", "/whip/b") == 201
    listed = await (await client.get("/api/sessions")).json()
    assert [session["client"] for session in listed["sessions"]] == [
        "198.51.100.8",
        CLIENT,
    ]
    assert client.app is not None
    assert {s.stats.client for s in client.app[STORE].newest(0, 9)[0]} == {
        "198.51.100.8",
        CLIENT,
    }


async def test_the_host_of_the_client_is_checked(serve: Serve) -> None:
    client = await serve(allowed_hosts=["whip.example"])
    for host, told, status in (
        ("127.0.0.1", "whip.example", 200),
        ("127.0.0.1", "evil.example", 421),
        # A proxy that passes on what a page of another site has made up.
        ("evil.example", "whip.example", 421),
        ("127.0.0.1", "a/b", 200),
    ):
        headers = {"Host": host, "X-Forwarded-Host": told}
        assert (await client.get("/", headers=headers)).status == status


async def test_a_page_of_the_clients_host_is_our_own(serve: Serve) -> None:
    headers = {
        "Host": "studio:8080",
        "Origin": "https://live.example.org",
        "X-Forwarded-Host": "live.example.org",
        "X-Forwarded-Proto": "https",
    }
    path = "/api/streams/live/recording"
    client = await serve(allowed_hosts=["live.example.org"])
    assert (await client.post(path, headers=headers)).status == 409
    client = await serve(allowed_hosts=["live.example.org"], trusted_proxies=[])
    assert (await client.post(path, headers=headers)).status == 403


@pytest.mark.parametrize("told", [True, False])
async def test_isolation_behind_a_proxy(serve: Serve, told: bool) -> None:
    client = await serve(allowed_hosts=["whip.example"])
    headers = {"Host": "whip.example"}
    if told:
        headers["X-Forwarded-Proto"] = "https"
    response = await client.get("/", headers=headers)
    for header in ISOLATION:
        assert (header in response.headers) == told


async def test_redirection_to_https(serve: Serve) -> None:
    client = await serve(
        tls_self_signed=True, tls_redirect=True, hsts=60, allowed_hosts=["a.example"]
    )
    told = {"X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/webrtc"}

    async def ask(**headers: str) -> Any:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return await client.get(
            "/api/streams?x=1", headers={**told, **named}, allow_redirects=False
        )

    plain = await ask(X_Forwarded_Proto="http")
    assert plain.status == 308
    assert plain.headers["Location"] == "https://a.example/webrtc/api/streams?x=1"
    assert "Strict-Transport-Security" not in plain.headers
    # No way round in a circle.
    secure = await ask(X_Forwarded_Proto="https")
    assert secure.status == 200
    assert secure.headers["Strict-Transport-Security"] == "max-age=60"
    silent = await ask()
    assert silent.status == 200
    assert "Strict-Transport-Security" not in silent.headers


@pytest.mark.parametrize("kept", ["", "/webrtc"])
async def test_a_prefix_that_is_told(serve: Serve, kept: str) -> None:
    """Whether the proxy has taken it off, or has left it there."""
    client = await serve()
    prefix = {"X-Forwarded-Prefix": "/webrtc"}
    opened = await client.post(
        f"{kept}/whip/live", data=offers.CHROMIUM_DATA, headers={**SDP, **prefix}
    )
    assert opened.status == 201
    location = opened.headers["Location"]
    assert location.startswith("/webrtc/whip/live/")
    own = kept + location.removeprefix("/webrtc")
    assert (await client.delete(own, headers=prefix)).status == 200
    response = await client.get(f"{kept}/", headers=prefix)
    assert "<script" in await response.text()
    response = await client.get(f"{kept}/api//streams", headers=prefix)
    assert response.status == 200


async def test_a_kept_prefix_is_told_once_in_redirections(serve: Serve) -> None:
    client = await serve(tls_self_signed=True, tls_redirect=True)
    headers = {
        "X-Forwarded-Prefix": "/webrtc",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "localhost",
    }
    for path in ("/x", "/webrtc/app.js"):
        response = await client.get(path, headers=headers, allow_redirects=False)
        target = path if path.startswith("/webrtc") else f"/webrtc{path}"
        assert response.status == 308, path
        assert response.headers["Location"] == f"https://localhost{target}"
    page = await client.get(
        "/webrtc?stream=a",
        headers={**headers, "X-Forwarded-Proto": "https"},
        allow_redirects=False,
    )
    assert (page.status, page.headers["Location"]) == (308, "webrtc/?stream=a")


async def test_headers_without_effect_are_counted(serve: Serve) -> None:
    client = await serve()
    await client.get("/", headers={"X-Forwarded-Proto": "gopher"})
    text = await (await client.get("/metrics")).text()
    assert 'proxy_headers_ignored_total{reason="malformed"} 1.0' in text
    assert 'proxy_headers_ignored_total{reason="untrusted"} 0.0' in text
