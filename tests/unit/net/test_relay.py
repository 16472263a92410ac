"""The sockets of TURN allocations, with servers that are none."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from whipbird.net.relay import Relay
from whipbird.sdp.link import IceServer
from whipbird.transport.turn import TurnError

LIMIT = 30.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


@asynccontextmanager
async def tcp_server(handler: Handler) -> AsyncIterator[IceServer]:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield IceServer(f"turn:127.0.0.1:{port}?transport=tcp", "a", "b")


async def test_a_server_of_another_protocol() -> None:
    flooded = asyncio.Event()

    async def answer(
        _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            # Without an end, until the other side closes.
            while True:
                writer.write(b"HTTP/1.1 400 Bad Request\r\n" * 1000)
                await writer.drain()
        except ConnectionError:
            flooded.set()

    async with tcp_server(answer) as server:
        with pytest.raises(TurnError, match="it is no TURN server"):
            await Relay(server).open(LIMIT)
        async with asyncio.timeout(LIMIT):
            await flooded.wait()


async def test_a_server_that_hangs_up() -> None:
    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with tcp_server(hang_up) as server:
        with pytest.raises(TurnError, match="it has closed the connection"):
            await Relay(server).open(LIMIT)


async def test_a_server_that_is_silent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = IceServer(f"turn:127.0.0.1:{silent.getsockname()[1]}", "a", "b")
        with pytest.raises(TimeoutError):
            await Relay(server).open(0.1)


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        server = IceServer(f"turn:127.0.0.1:{port}?transport=tcp", "a", "b")
        with pytest.raises(ConnectionRefusedError):
            await Relay(server).open(LIMIT)


async def test_turn_over_dtls_is_refused() -> None:
    server = IceServer("turns:127.0.0.1?transport=udp", "a", "b")
    with pytest.raises(OSError, match="DTLS"):
        await Relay(server).open(LIMIT)
