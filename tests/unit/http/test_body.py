"""Bodies that are not received to their end."""

import asyncio
import logging
import socket
import struct

import pytest
from aiohttp.test_utils import TestClient

from tests.unit.http.in_process import Server
from tests.waiting import until
from whipbird.app import create_app
from whipbird.config import Settings

HEAD = (
    b"POST /whip/live HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
)

# SO_LINGER with no time: close() sends RST.
RESET = struct.pack("ii", 1, 0)

CUT = {
    "length": b"Content-Length: 500\r\n\r\nv=0\r\n",
    "nothing": b"Content-Length: 500\r\n\r\n",
    "expect": b"Content-Length: 500\r\nExpect: 100-continue\r\n\r\n",
    "chunk": b"Transfer-Encoding: chunked\r\n\r\n5\r\nv=",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\nv=0\r\n\r\n",
}


@pytest.mark.parametrize("rest", CUT.values(), ids=CUT)
@pytest.mark.parametrize("linger", [None, RESET], ids=["FIN", "RST"])
async def test_a_body_that_is_cut_off_is_no_fault_of_ours(
    rest: bytes,
    linger: bytes | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "whipbird")
    async with TestClient(Server(create_app(Settings()))) as client:
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(HEAD + rest)
        # A request behind it on another connection: the first one is being handled.
        await (await client.get("/api/status")).read()
        if linger is not None:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await until(lambda: "POST /whip/live from" in caplog.text)
        assert "POST /whip/live from 127.0.0.1: 400" in caplog.text
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
