"""Whatever a server answers: the client says in words what is wrong with it."""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiortc import RTCSessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mutations import mutated
from tests.ports import udp_port
from whipbird.client import WhipClient, WhipError
from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.sdp.errors import SdpError
from whipbird.sdp.fragment import write_fragment
from whipbird.sdp.offer import parse_offer

# Takes the head and the body of a request; returns a whole response.
Answer = Callable[[bytes, bytes], Awaitable[bytes]]


@functools.cache
def certificate() -> Certificate:
    return Certificate.generate()


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A server that answers each request with octets, and closes."""

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.lower().partition(b"content-length:")[2]
        length = int(fields.split(b"\r\n")[0] or 0)
        writer.write(await answer(head, await reader.readexactly(length)))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/whip/a"


@contextlib.asynccontextmanager
async def client_of(url: str) -> AsyncIterator[WhipClient]:
    async with udp_port() as port:
        client = WhipClient(url, timeout=0.5, options=PeerOptions(certificate(), port))
        client.peer.createDataChannel("ping")
        try:
            yield client
        finally:
            client.location = None
            await client.close()


async def post(response: bytes) -> None:
    async def answer(_head: bytes, _body: bytes) -> bytes:
        return response

    async with serving(answer) as url, client_of(url) as client:
        said = "nothing"
        try:
            await client.post()
        except WhipError as error:
            said = str(error)
    assert said.isprintable()
    assert 0 < len(said) < 2000


VALUES = st.sampled_from(
    [
        *("", " ", "/whip/a/b", "//", "http://[", "http://a:99999/", "mailto:x", "\\"),
        *("http://\xff/", "?", "#", "application/sdp", "application/sdp;", "text/html"),
        *("application/problem+json", ";charset=\xff", "a/b; charset=utf-16", "gzip"),
        *("identity", "br", "chunked", "gzip, chunked", "0", "-1", "9" * 4000, "1e9"),
        *('"a"', "W/", "*", "\u0661", "x" * 9000, "</a>; rel=ice-server", "<<<", '"'),
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
NAMES = st.sampled_from(
    [
        *("Location", "Content-Type", "Content-Length", "Transfer-Encoding", "ETag"),
        *("Content-Encoding", "Link", "Retry-After", "Set-Cookie", "X", "", "A b"),
    ]
)
BODIES = st.binary(max_size=100) | st.sampled_from(
    [
        b"[" * 100_000,
        b'{"title": "a\\u001b[2Jb\\n", "detail": ["x", null]}',
        json.dumps({"title": "t" * 50_000, "detail": {"a": 1}}).encode(),
        b"null",
        b"v=0\r\n",
    ]
)
STATUS = st.sampled_from(
    [
        *("200 OK", "201 Created", "204", "301 x", "307 x", "308", "400 Bad", "401 a"),
        *("429 Slow \x1b[2J", "500 x", "503 y", "999 z", "099 a", "1", "x", "100 go"),
    ]
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=5))
    if draw(st.booleans()):
        fields.append(("Content-Length", str(len(body))))
    lines = [
        f"HTTP/1.1 {draw(STATUS)}",
        *(f"{name}: {value}" for name, value in fields),
    ]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    return head + b"\r\n\r\n" + body


@settings(max_examples=80)
@given(responses() | st.binary(max_size=100))
def test_any_response_to_an_offer(response: bytes) -> None:
    asyncio.run(post(response))


@pytest.mark.parametrize("status", ["400 Bad", "503 Busy"])
def test_problems_that_are_nested_without_end(status: str) -> None:
    body = b"[" * 100_000
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\n"
    length = f"Content-Length: {len(body)}\r\nRetry-After: {'9' * 4000}\r\n\r\n"
    asyncio.run(post(head.encode() + length.encode() + body))


@functools.cache
def exchanged() -> tuple[str, str]:
    """An offer, and the answer of a server to it."""

    async def exchange() -> tuple[str, str]:
        async with udp_port() as port:
            client = Peer(PeerOptions(certificate(), port))
            client.createDataChannel("ping")
            await client.setLocalDescription(await client.createOffer())
            offer = client.localDescription.sdp
            server = Peer(PeerOptions(Certificate.generate(), port))
            answer = await server.answer(parse_offer(offer), "live")
            await client.close()
            await server.close()
            return offer, answer

    return asyncio.run(exchange())


def spoiled(text: Callable[[], str]) -> st.SearchStrategy[str]:
    octets = st.deferred(lambda: mutated(text()))
    return octets.map(lambda data: data.decode(errors="replace"))


async def accept(answer: str) -> None:
    async with udp_port() as port:
        peer = Peer(PeerOptions(certificate(), port))
        peer.createDataChannel("ping")
        await peer.setLocalDescription(await peer.createOffer())
        with contextlib.suppress(SdpError):
            await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await peer.close()


@settings(max_examples=150)
@given(spoiled(lambda: exchanged()[1]) | st.text(max_size=80))
def test_any_answer(answer: str) -> None:
    asyncio.run(accept(answer))


async def restart(fragment: str, headers: str) -> None:
    """A session that is well, and a server that answers a restart with anything."""
    async with udp_port() as port:
        server = Peer(PeerOptions(Certificate.generate(), port))

        async def answer(head: bytes, body: bytes) -> bytes:
            if head.startswith(b"PATCH"):
                octets = fragment.encode(errors="replace")
                return (
                    f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(octets)}\r\n\r\n"
                ).encode() + octets
            text = (await server.answer(parse_offer(body.decode()), "live")).encode()
            return (
                "HTTP/1.1 201 Created\r\nLocation: /whip/a/b\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(text)}\r\n\r\n"
            ).encode() + text

        async with serving(answer) as url, client_of(url) as client:
            await client.post()
            client.timeout = 0.05
            with contextlib.suppress(WhipError):
                await client.restart()
        await server.close()


def fragment() -> str:
    parsed = parse_offer(exchanged()[0])
    assert parsed.ice is not None
    return write_fragment(
        "application 9 UDP/DTLS/SCTP webrtc-datachannel", "0", parsed.ice, ()
    )


@settings(max_examples=40, deadline=None)
@given(
    spoiled(fragment) | st.text(max_size=60),
    st.sampled_from(
        [
            "Content-Type: application/trickle-ice-sdpfrag\r\n",
            "Content-Type: text/html\r\n",
            "",
        ]
    ),
)
def test_any_response_to_a_restart(text: str, headers: str) -> None:
    asyncio.run(restart(text, headers))


def test_errors_cannot_control_a_terminal() -> None:
    error: Any = WhipError("a\x1b[2J\nb", "\u202e" + "c" * 5000, 400)
    assert str(error).startswith("400 a [2J b:")
    assert str(error).isprintable()
    assert len(str(error)) < 1100
