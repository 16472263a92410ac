"""Floods of HTTP: requests and connections."""

import asyncio
import contextlib
import itertools
import random
import secrets
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from socket import SO_LINGER, SO_RCVBUF, SOL_SOCKET, socket

import aiohttp
from yarl import URL

from whipbird.client.whip import SDP, SDP_FRAGMENT

from .attacker import candidate_lines, data_offer, http_session, post_offer, tcp_socket

Ask = Callable[[], Awaitable[None]]
"""Makes one hostile request, or connection."""

_MALFORMED = (
    b"GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: " + b"9" * 5000 + b"\r\n\r\n",
    b"GET //a/../%00?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /whip/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


@asynccontextmanager
async def posts(url: str) -> AsyncIterator[Ask]:
    """POSTs of offers, with 64 candidates each, that never connect."""
    async with http_session() as http:

        async def ask() -> None:
            await post_offer(http, url, data_offer(64))

        yield ask


@asynccontextmanager
async def bad_offers(url: str) -> AsyncIterator[Ask]:
    """POSTs of offers with some octets changed, or of octets alone."""
    async with http_session() as http:
        rng = random.Random(1)

        async def ask() -> None:
            offer = bytearray(data_offer(8).encode())
            for _ in range(rng.choice((1, 5, 200))):
                offer[rng.randrange(len(offer))] = rng.randrange(32, 127)
            headers = {"Content-Type": SDP}
            async with http.post(url, data=bytes(offer), headers=headers) as response:
                await response.read()

        yield ask


@asynccontextmanager
async def restarts(url: str) -> AsyncIterator[Ask]:
    """PATCHes that restart ICE, with 64 candidates each."""
    async with http_session() as http:
        headers = {"Content-Type": SDP}
        async with http.post(url, data=data_offer(), headers=headers) as response:
            location = URL(url).join(URL(response.headers["Location"]))

        async def ask() -> None:
            lines = [
                "a=group:BUNDLE 0",
                f"a=ice-ufrag:{secrets.token_hex(4)}",
                f"a=ice-pwd:{secrets.token_hex(16)}",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "a=mid:0",
                *candidate_lines(64),
            ]
            async with http.patch(
                location,
                data="".join(f"{line}\r\n" for line in lines),
                headers={"Content-Type": SDP_FRAGMENT, "If-Match": "*"},
            ) as response:
                await response.read()

        yield ask


@asynccontextmanager
async def aborted_posts(url: str) -> AsyncIterator[Ask]:
    """POSTs whose connection is reset in the middle of the body."""

    async def ask() -> None:
        sock = tcp_socket(url)
        sock.send(_head(url, "POST", 4000) + b"v=0\r\n")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    yield ask


@asynccontextmanager
async def malformed(url: str) -> AsyncIterator[Ask]:
    """Requests whose Host, target or form is wrong."""
    requests = itertools.cycle(_MALFORMED)

    async def ask() -> None:
        with contextlib.closing(tcp_socket(url)) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, next(requests))
            async with asyncio.timeout(0.5):
                await loop.sock_recv(sock, 1000)

    yield ask


@asynccontextmanager
async def silent(url: str) -> AsyncIterator[Ask]:
    """Connections on which nothing comes."""
    async with _held(url, lambda: b"") as ask:
        yield ask


@asynccontextmanager
async def slow_heads(url: str) -> AsyncIterator[Ask]:
    """Connections on which the head of a request never ends."""
    async with _held(url, lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\nX-") as ask:
        yield ask


@asynccontextmanager
async def slow_bodies(url: str) -> AsyncIterator[Ask]:
    """Connections on which the body of a POST never ends."""
    async with _held(url, lambda: _head(url, "POST", 4000) + b"v=0\r\n") as ask:
        yield ask


@asynccontextmanager
async def slow_readers(url: str) -> AsyncIterator[Ask]:
    """Downloads of the page's largest file, ten on each connection, read by nobody."""
    request = b"GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10
    async with _held(url, lambda: request) as ask:
        yield ask


@asynccontextmanager
async def pages(url: str) -> AsyncIterator[Ask]:
    """Requests for the page, each answered in full."""
    async with http_session() as http:

        async def ask() -> None:
            async with http.get(URL(url).with_path("/")) as response:
                await response.read()

        yield ask


@asynccontextmanager
async def _held(url: str, what: Callable[[], bytes]) -> AsyncIterator[Ask]:
    """Open a connection, send something, and keep it."""
    held: list[socket] = []

    async def ask() -> None:
        sock = tcp_socket(url)
        sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
        held.append(sock)
        if octets := what():
            sock.send(octets)

    try:
        yield ask
    finally:
        for sock in held:
            sock.close()


def _head(url: str, method: str, length: int) -> bytes:
    return (
        f"{method} {URL(url).path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {SDP}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


REFUSED = (aiohttp.ClientError, OSError, TimeoutError)
"""What a request may end with, if the server ends the connection."""
