"""The TCP connections of HTTP: their number, and how long they may be idle."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from tests.waiting import until
from whipbird.http import listener as module
from whipbird.http.listener import Listener, ListenerStats
from whipbird.net import tcp_listener

ENDED = web.AppKey("ended", asyncio.Event)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[..., "asyncio.Future[Streams]"]

# An address of the loopback interface that is another client's.
OTHER = "127.0.0.2"


async def answer(_request: web.Request) -> web.Response:
    return web.Response(text="here")


async def pour(request: web.Request) -> web.StreamResponse:
    """Send without end."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(bytes(1 << 16))
    finally:
        request.app[ENDED].set()


@pytest.fixture
async def app() -> web.Application:
    app = web.Application()
    app[ENDED] = asyncio.Event()
    app.router.add_get("/", answer)
    app.router.add_get("/pour", pour)
    return app


async def opened(app: web.Application) -> Listener:
    listener = Listener(app, max_connections=32)
    await listener.start_app()
    await listener.open("127.0.0.1", 0)
    return listener


@pytest.fixture
async def listener(app: web.Application) -> AsyncIterator[Listener]:
    listener = await opened(app)
    yield listener
    await listener.close()


async def connect(listener: Listener, local: str = "127.0.0.1") -> Streams:
    return await asyncio.open_connection(
        "127.0.0.1", listener.port, local_addr=(local, 0)
    )


async def is_answered(streams: Streams) -> bool:
    """Whether a request on a connection is answered."""
    reader, writer = streams
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(60):
        try:
            response = await reader.readuntil(b"here")
            return response.startswith(b"HTTP/1.1 200")
        except (ConnectionError, asyncio.IncompleteReadError):
            return False


async def has_ended(streams: Streams) -> bool:
    async with asyncio.timeout(60):
        try:
            return await streams[0].read() == b""
        except ConnectionError:
            return True


async def close(*connections: Streams) -> None:
    for _, writer in connections:
        writer.close()


async def test_silent_connections_of_one_address_keep_nobody_out(
    listener: Listener,
) -> None:
    friend = await connect(listener, OTHER)
    assert await is_answered(friend)
    silent = [await connect(listener) for _ in range(200)]
    others = [await connect(listener, OTHER) for _ in range(10)]
    for other in [friend, *others]:
        assert await is_answered(other)
    assert all([await is_answered(await connect(listener, OTHER)) for _ in range(5)])
    assert await has_ended(silent[0])
    await close(friend, *silent, *others)


async def test_the_oldest_of_the_address_with_the_most_end(listener: Listener) -> None:
    few = [await connect(listener, OTHER) for _ in range(10)]
    many = [await connect(listener) for _ in range(22)]
    assert await is_answered(many[-1])
    more = [await connect(listener) for _ in range(4)]
    assert await is_answered(more[-1])
    for old in many[:4]:
        assert await has_ended(old)
    for stays in [*few, *many[4:], *more[:-1]]:
        if stays is not many[-1]:
            assert await is_answered(stays)
    await close(*few, *many, *more)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /a", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n"]
)
async def test_a_head_must_come_in_time(
    app: web.Application, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Also when more of it comes all the time."""
    monkeypatch.setattr(module, "IDLE_TIMEOUT", 0.3)
    listener = await opened(app)
    reader, writer = await connect(listener)
    writer.write(sent)

    async def trickle() -> None:
        while sent:
            writer.write(b"a")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    assert await has_ended((reader, writer))
    trickling.cancel()
    await close((reader, writer))
    await listener.close()


async def test_an_idle_connection_ends(
    app: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_TIMEOUT", 0.3)
    listener = await opened(app)
    streams = await connect(listener)
    assert await is_answered(streams)
    assert await has_ended(streams)
    await close(streams)
    await listener.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such option")
async def test_a_client_that_takes_nothing_is_given_up(
    app: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_listener, "WRITE_TIMEOUT", 0.5)
    listener = await opened(app)
    _, writer = await connect(listener)
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(b"GET /pour HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(120):
        await app[ENDED].wait()
    writer.transport.abort()
    await listener.close()


async def test_one_that_is_slow_is_not(app: web.Application) -> None:
    """What it takes counts, however little."""
    listener = await opened(app)
    url = f"http://127.0.0.1:{listener.port}/pour"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        for _ in range(20):
            assert await response.content.readexactly(1000)
            await asyncio.sleep(0.01)
        assert not app[ENDED].is_set()
    await listener.close()


async def test_connections_are_counted(app: web.Application) -> None:
    listener = Listener(app, max_connections=4)
    assert listener.stats == ListenerStats()
    await listener.start_app()
    await listener.open("127.0.0.1", 0)
    opened = [await connect(listener) for _ in range(4)]
    assert await is_answered(opened[-1])
    assert listener.stats == ListenerStats(connections=4)
    more = [await connect(listener) for _ in range(2)]
    assert await is_answered(more[-1])
    assert listener.stats.ended >= 2
    ended = listener.stats.ended
    await close(*opened, *more)
    await until(lambda: listener.stats.connections == 0)
    assert listener.stats.ended == ended
    await listener.close()


@pytest.mark.parametrize(
    ("host", "reached"), [("::", ["127.0.0.1", "::1"]), ("0.0.0.0", ["127.0.0.1"])]
)
async def test_all_addresses(
    app: web.Application, host: str, reached: list[str]
) -> None:
    """Clients of IPv4 are such, and no addresses of IPv6 that stand for them."""
    probe = socket.socket(socket.AF_INET6)
    try:
        probe.bind(("::1", 0))
    except OSError:
        pytest.skip("there is no IPv6 here")
    finally:
        probe.close()
    clients: list[str | None] = []

    async def remote(request: web.Request) -> web.Response:
        clients.append(request.remote)
        return web.Response()

    app.router.add_get("/remote", remote)
    listener = Listener(app, max_connections=32)
    await listener.start_app()
    try:
        await listener.open(host, 0)
        async with aiohttp.ClientSession() as http:
            for name in ("127.0.0.1", "[::1]"):
                with suppress(aiohttp.ClientConnectorError):
                    await (
                        await http.get(f"http://{name}:{listener.port}/remote")
                    ).read()
    finally:
        await listener.close()
    assert clients == reached
