"""A session whose client never gets the answer to its POST does not stay."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests import offers
from tests.conformance.exchange import SDP
from tests.unit.http.in_process import Server
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.http.delivery import SessionResponse
from whipbird.rtc import Peer
from whipbird.sdp.offer import Offer
from whipbird.sessions import EndReason, Session, SessionStore

PATHS = pytest.mark.parametrize(
    ("path", "offer"),
    [
        ("/whip/live", offers.CHROMIUM_MEDIA),
        ("/whip/live", offers.CHROMIUM_DATA),
        ("/whep/live", offers.CHROMIUM_VIEWER),
    ],
)


@pytest.fixture(params=[False, True], ids=["goes-on", "is-cancelled"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    server = Server(create_app(Settings()))
    server.cancels = request.param
    await server.start_server()
    yield server
    await server.close()


def store_of(server: Server) -> SessionStore:
    assert isinstance(server.app, web.Application)
    return server.app[STORE]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """All sessions that are made, also those that do not stay."""
    made: list[Session] = []
    original = Session.__init__

    def remember(session: Session, *args: object, **options: object) -> None:
        original(session, *args, **options)  # type: ignore[arg-type]
        made.append(session)

    monkeypatch.setattr(Session, "__init__", remember)
    return made


def request_of(path: str, offer: str) -> bytes:
    body = offer.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {SDP}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port))


def reset(connection: socket.socket) -> None:
    """Close a connection with RST, as the kernel does for a process that is killed."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def answer_after(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], turns: int
) -> asyncio.Event:
    """Let something happen while a POST is handled.

    Args:
        turns: for how many turns of the event loop the handler then waits; with 0 the
            event loop cannot look at the sockets before the response is written.

    Returns:
        An event that is set when an answer is there.
    """
    answer, answered = Peer.answer, asyncio.Event()

    async def answer_late(peer: Peer, offer: Offer, stream: str = "-") -> str:
        sdp = await answer(peer, offer, stream)
        act()
        for _ in range(turns):
            await asyncio.sleep(0.01)
        answered.set()
        return sdp

    monkeypatch.setattr(Peer, "answer", answer_late)
    return answered


@PATHS
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
@pytest.mark.parametrize("turns", [0, 5])
async def test_a_client_that_goes_while_it_is_answered(
    server: Server,
    sessions: list[Session],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    offer: str,
    leave: Callable[[socket.socket], None],
    turns: int,
) -> None:
    connection = connect(server)
    answer_after(monkeypatch, lambda: leave(connection), turns)
    connection.sendall(request_of(path, offer))
    await until(lambda: sessions and sessions[0].reason)
    assert sessions[0].reason is EndReason.NOT_DELIVERED
    await sessions[0].end(EndReason.DELETED)
    store = store_of(server)
    assert store.count().total() == 0
    assert list(store.streams) == []
    # There is room at once, for anybody.
    monkeypatch.undo()
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            server.make_url(path),
            data=offers.of_another(offer).encode(),
            headers={"Content-Type": SDP},
        ) as response,
    ):
        assert response.status == 201


@PATHS
async def test_a_client_that_has_gone_before_its_turn_opens_no_session(
    server: Server,
    sessions: list[Session],
    path: str,
    offer: str,
) -> None:
    """It would take the name from the session of its next try."""
    assert server.runner is not None
    handlers = server.runner.server
    assert handlers is not None
    tasks = len(asyncio.all_tasks())
    connection = connect(server)
    connection.sendall(request_of(path, offer))
    connection.close()
    await until(lambda: handlers.requests_count)
    # Until it is answered, or cancelled.
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert sessions == []


async def test_a_response_that_cannot_be_written(
    server: Server, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_response: web.Response, _data: bytes = b"") -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(web.Response, "write_eof", fail)
    connection = connect(server)
    connection.sendall(request_of("/whip/live", offers.CHROMIUM_MEDIA))
    await until(lambda: sessions and sessions[0].reason)
    assert sessions[0].reason is EndReason.NOT_DELIVERED
    connection.close()


async def test_a_client_that_closes_after_the_answer_keeps_its_session(
    server: Server, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = asyncio.Event()
    write_eof = SessionResponse.write_eof

    async def write(response: SessionResponse, data: bytes = b"") -> None:
        await write_eof(response, data)
        written.set()

    monkeypatch.setattr(SessionResponse, "write_eof", write)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request_of("/whip/live", offers.CHROMIUM_MEDIA))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 ")
    writer.close()
    await writer.wait_closed()
    await written.wait()
    await asyncio.sleep(0.05)  # nothing is to happen
    (session,) = sessions
    assert session.reason is None
    assert store_of(server).count().total() == 1


async def test_the_answer_is_not_kept_while_the_connection_has_no_other_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[SessionResponse] = []
    original = SessionResponse.write_eof

    async def write_eof(response: SessionResponse, data: bytes = b"") -> None:
        assert response.body
        await original(response, data)
        made.append(response)

    monkeypatch.setattr(SessionResponse, "write_eof", write_eof)
    server = Server(create_app(Settings()))
    async with TestClient(server) as client:
        headers = {"Content-Type": SDP}
        answer = await client.post(
            "/whip/live", data=offers.CHROMIUM_DATA, headers=headers
        )
        assert (await answer.read()).startswith(b"v=0")
        await until(lambda: bool(made))
        assert made[0].body is None
