"""HTTP, HTTPS and ICE on one port: the first octet of a connection tells."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from tests.ports import Addresses
from tests.waiting import until
from whipbird.http import listener as module
from whipbird.http.https import demand_https, redirect_to_https
from whipbird.http.listener import Listener
from whipbird.http.self_signed import SelfSigned
from whipbird.net import UdpPort

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


# There is no other way to choose the loop in every version of pytest-asyncio.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the:DeprecationWarning")


async def answer(request: web.Request) -> web.Response:
    return web.Response(text=request.scheme)


def new_app(*, redirects: bool = False) -> web.Application:
    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        demand_https(request, response, 60)

    app = web.Application(middlewares=[redirect_to_https()] if redirects else [])
    app.router.add_get("/healthz", answer)
    app.router.add_get("/{path:.*}", answer)
    app.on_response_prepare.append(sign)
    return app


@dataclass
class OnePort:
    """A port of all three kinds.

    Attributes:
        listener, media: its parts.
    """

    listener: Listener
    media: UdpPort

    async def connect(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.listener.port, ssl=context
        )


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    if request.param == "asyncio":
        return asyncio.DefaultEventLoopPolicy()
    return pytest.importorskip("uvloop").EventLoopPolicy()


async def opened(app: web.Application, tls: SelfSigned | None) -> OnePort:
    media = UdpPort(Addresses("127.0.0.1"))
    await media.open()
    listener = Listener(app, 16, tls=tls, ice=media.tcp)
    await listener.start_app()
    await listener.open("127.0.0.1", 0)
    return OnePort(listener, media)


@pytest.fixture
async def port() -> AsyncIterator[OnePort]:
    port = await opened(new_app(), SelfSigned(["localhost"]))
    yield port
    await port.listener.close()
    port.media.close()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def response(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        return head + await reader.readexactly(length)


async def has_ended(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(60):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


async def test_http(port: OnePort) -> None:
    reader, writer = await port.connect()
    for _ in range(2):
        writer.write(REQUEST)
        assert (await response(reader)).endswith(b"http")
    writer.close()


async def test_pipelined_requests(port: OnePort) -> None:
    reader, writer = await port.connect()
    writer.write(REQUEST * 3)
    for _ in range(3):
        assert (await response(reader)).endswith(b"http")
    writer.close()


@pytest.mark.parametrize("start", [b"G", b"\r\nG", b"\nG"])
async def test_the_first_octet_alone(port: OnePort, start: bytes) -> None:
    reader, writer = await port.connect()
    writer.write(start)
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(REQUEST[1:])
    assert (await response(reader)).endswith(b"http")
    writer.close()


async def test_https(port: OnePort) -> None:
    reader, writer = await port.connect(trusting())
    for _ in range(2):
        writer.write(REQUEST)
        got = await response(reader)
        assert got.endswith(b"https")
        assert b"Strict-Transport-Security: max-age=60\r\n" in got
    inner = writer.get_extra_info("ssl_object")
    assert inner.version() == "TLSv1.3"
    writer.close()


async def test_http_1_1_is_negotiated(port: OnePort) -> None:
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await port.connect(context)
    inner = writer.get_extra_info("ssl_object")
    assert inner.selected_alpn_protocol() == "http/1.1"
    writer.close()


async def test_a_client_hello_in_pieces(port: OnePort) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting().wrap_bio(incoming, outgoing)
    reader, writer = await port.connect()
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
        for octet in outgoing.read():
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            incoming.write(await reader.read(1 << 16))
    tls.write(REQUEST)
    writer.write(outgoing.read())
    got = b""
    async with asyncio.timeout(60):
        while not got.endswith(b"https"):
            incoming.write(await reader.read(1 << 16))
            try:
                got += tls.read()
            except ssl.SSLWantReadError:
                continue
    writer.close()


async def test_tls_that_is_none(port: OnePort) -> None:
    reader, writer = await port.connect()
    writer.write(b"\x16" + bytes(100))
    async with asyncio.timeout(60):
        await reader.read()
    assert reader.at_eof()
    await until(lambda: not port.listener._arrivals)
    writer.close()


@pytest.mark.parametrize("first", [b"\x00\x14" + bytes(20), b"\x80", b"\x00\x00", b"{"])
async def test_anything_else_is_a_frame(port: OnePort, first: bytes) -> None:
    """And none of these is an authentic check."""
    reader, writer = await port.connect()
    writer.write(first)
    assert await has_ended(reader)
    stats = port.media.tcp.stats
    assert stats.refused + stats.malformed >= 1
    assert stats.port == port.listener.port
    writer.close()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00"])
async def test_silence_ends(
    port: OnePort, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Before the first octet, and within the TLS handshake."""
    monkeypatch.setattr(module, "IDLE_TIMEOUT", 0.3)
    monkeypatch.setattr(module, "TLS_TIMEOUT", 0.3)
    reader, writer = await port.connect()
    writer.write(first)
    assert await has_ended(reader)
    writer.close()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00", b"\x00", b"GET /"])
async def test_there_are_not_too_many_of_any_kind(port: OnePort, first: bytes) -> None:
    many = []
    for _ in range(40):
        reader, writer = await port.connect()
        writer.write(first)
        many.append((reader, writer))
    friend, talking = await port.connect()
    talking.write(REQUEST)
    assert (await response(friend)).endswith(b"http")
    await until(lambda: port.listener._count() <= 16)
    assert port.listener._limit.ended + port.media.tcp.stats.refused >= 24
    for _, writer in [*many, (friend, talking)]:
        writer.close()


async def test_it_closes_with_connections_of_all_kinds() -> None:
    port = await opened(new_app(), SelfSigned(["localhost"]))
    made = []
    for first in (b"", b"\x16\x03\x01\x02\x00", b"\x00", b"GET /"):
        reader, writer = await port.connect()
        writer.write(first)
        made.append((reader, writer))
    await asyncio.sleep(0.1)
    await port.listener.close()
    port.media.close()
    for reader, writer in made:
        assert await has_ended(reader)
        writer.close()
    with pytest.raises(OSError, match=r"."):
        await port.connect()


async def test_a_burst_of_connections(port: OnePort) -> None:
    """Descriptors are used again at once, by connections of another kind."""

    async def ask(context: ssl.SSLContext | None) -> bool:
        reader, writer = await port.connect(context)
        writer.write(REQUEST)
        good = (await response(reader)).endswith(b"https" if context else b"http")
        writer.close()
        return good

    async def knock() -> bool:
        reader, writer = await port.connect()
        writer.write(b"\xff\xff")
        ended = await has_ended(reader)
        writer.close()
        return ended

    context = trusting()
    for _ in range(30):
        assert all(await asyncio.gather(ask(None), ask(context), knock(), ask(None)))


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/whip/a?b=c%20d", "localhost"),
        ("/", "localhost:8080"),
        ("//example.org/", "localhost"),
        ("/%2F..//x", "[::1]:8080"),
    ],
)
async def test_plain_http_is_redirected(path: str, host: str) -> None:
    port = await opened(new_app(redirects=True), SelfSigned(["localhost"]))
    reader, writer = await port.connect()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    got = await response(reader)
    assert got.startswith(b"HTTP/1.1 308 ")
    assert f"Location: https://{host}{path}\r\n".encode() in got
    assert b"Strict-Transport-Security" not in got
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await response(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    reader, writer = await port.connect(trusting())
    writer.write(REQUEST)
    assert (await response(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await port.listener.close()
    port.media.close()


async def test_without_a_certificate_tls_is_refused() -> None:
    port = await opened(new_app(), None)
    with pytest.raises(ssl.SSLError):
        await port.connect(trusting())
    await port.listener.close()
    port.media.close()


async def test_nagle_is_off_for_frames(port: OnePort) -> None:
    reader, writer = await port.connect()
    writer.write(b"\x00")
    await until(lambda: bool(port.media.tcp.stats.connections))
    [connection] = port.media.tcp._connections.values()
    level, option = socket.IPPROTO_TCP, socket.TCP_NODELAY
    assert connection._socket.getsockopt(level, option)
    assert await has_ended(reader)
    writer.close()
