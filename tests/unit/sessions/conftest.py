"""A store of sessions, and clients of them without HTTP between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiortc import RTCSessionDescription

from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, DataChannel, Peer, PeerOptions
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import Session, SessionStore


@dataclass
class Opened:
    """A session and its client."""

    session: Session
    client: Peer
    channel: DataChannel
    answer: str

    async def apply_answer(self) -> None:
        await self.client.setRemoteDescription(
            RTCSessionDescription(sdp=self.answer, type="answer")
        )

    async def connected(self) -> None:
        await until(lambda: self.channel.readyState == "open")


Open = Callable[..., Awaitable[Opened]]
NewStore = Callable[..., SessionStore]


@pytest.fixture
async def new_store(port: UdpPort) -> AsyncIterator[NewStore]:
    """Make stores, and close them after the test: nothing of them must be left."""
    made: list[SessionStore] = []

    def new_store(**options: object) -> SessionStore:
        settings = {"setup_timeout": 10, "echo_buffer": 1024 * 1024} | options
        made.append(SessionStore(port, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield new_store
    for store in made:
        await store.close()
    assert not port.dispatcher.endpoints


@pytest.fixture
async def store(new_store: NewStore) -> SessionStore:
    return new_store()


@pytest.fixture(scope="session")
def client_certificate() -> Certificate:
    return Certificate.generate()


@pytest.fixture
async def open_session(
    client_certificate: Certificate, client_port: UdpPort
) -> AsyncIterator[Open]:
    """Open sessions, and close their clients after the test."""
    clients: list[Peer] = []
    options = PeerOptions(client_certificate, client_port)

    async def open_session(store: SessionStore, *, connect: bool = True) -> Opened:
        client = Peer(options)
        clients.append(client)
        channel = client.createDataChannel("test")
        await client.setLocalDescription(await client.createOffer())
        offer = parse_offer(client.localDescription.sdp)
        session, answer = await store.publish("stream", offer, "198.51.100.1")
        opened = Opened(session, client, channel, answer)
        if connect:
            await opened.apply_answer()
            await opened.connected()
        return opened

    yield open_session
    for client in clients:
        await client.close()
