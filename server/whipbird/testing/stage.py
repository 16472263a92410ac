"""A server with applications, whose network is memory."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from aiortc import RTCSessionDescription

from ..apps import Application, Server, Track
from ..apps.applications import Applications
from ..client.whep import undecoded
from ..recording import Recorder
from ..rtc import Certificate, DataChannel, Peer, PeerOptions
from ..sdp.offer import parse_offer
from ..sdp.role import PUBLISHER, VIEWER, Role
from ..sessions import SessionStore
from ..streams import BROADCAST
from .client import LIMIT, Channel, Client, Outlet, Publisher, Viewer
from .network import MemoryNetwork, MemoryPort

# Octets that a session may hold (the setting echo_buffer).
_ECHO_BUFFER = 1024 * 1024

_ADDRESS = "198.51.100.200"

_Client = TypeVar("_Client", bound=Client)


class Stage:
    """A server with applications, and clients of it, without HTTP and sockets.

    Use it as a context manager::

        async with Stage(app) as stage:
            client = await stage.connect("room")

    Args:
        apps: the applications; for each channel the first that takes it counts.
        folder: where streams are recorded; None for nowhere.

    Attributes:
        server: the server, as applications have it.
    """

    server: Server

    def __init__(self, *apps: Application, folder: Path | None = None) -> None:
        self._apps = apps
        self._folder = folder
        self._network = MemoryNetwork()
        self._clients: list[tuple[Peer, MemoryPort]] = []

    async def __aenter__(self) -> Self:
        self._certificate = Certificate.generate()
        self._port = self._network.open()
        self._store = SessionStore(
            self._port, setup_timeout=LIMIT, echo_buffer=_ECHO_BUFFER
        )
        self._recorder = Recorder(self._folder)
        await self._recorder.open()
        self._applications = Applications(self._store, self._recorder)
        for app in self._apps:
            self._applications.add(type(app).__name__, app)
        self.server = self._applications.add("stage", Application()).server
        self._store.observers.append(self._applications)
        self._store.streams.observers += [self._recorder, self._applications]
        await self._applications.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for peer, port in self._clients:
            await peer.close()
            port.close()
        await self._store.close()
        await self._applications.close()
        await self._recorder.close()
        self._port.close()

    async def connect(self, stream: str) -> Client:
        """Connect a client with data channels alone."""
        peer = self._new_peer()
        first = Channel(peer.createDataChannel("first", negotiated=True, id=1000))
        client = await self._open(peer, stream, PUBLISHER, Client)
        await first.opened()
        return client

    async def publish(
        self, stream: str, *, video: bool = True, audio: bool = False
    ) -> Publisher:
        """Connect a client that publishes."""
        peer = self._new_peer()
        messages = Channel(peer.createDataChannel(BROADCAST))
        outlets = {kind: Outlet(kind) for kind in _kinds(video, audio)}
        for outlet in outlets.values():
            peer.addTransceiver(outlet, "sendonly")
        publisher = await self._open(peer, stream, PUBLISHER, Publisher)
        publisher.outlets, publisher.messages = outlets, messages
        await messages.opened()
        return publisher

    async def watch(
        self, stream: str, *, video: bool = True, audio: bool = False
    ) -> Viewer:
        """Connect a client that watches."""
        peer = self._new_peer()
        opened: asyncio.Future[DataChannel] = asyncio.get_running_loop().create_future()
        peer.on("datachannel", opened.set_result)
        # Without it the offer would have no section for channels.
        peer.createDataChannel("first", negotiated=True, id=1000)
        for kind in _kinds(video, audio):
            transceiver = peer.addTransceiver(kind, "recvonly")
            transceiver.undecoded = undecoded(kind)
        viewer = await self._open(peer, stream, VIEWER, Viewer)
        viewer.tracks = {
            t.kind: Track(t.receiver.media)  # type: ignore[attr-defined]
            for t in peer.getTransceivers()
        }
        async with asyncio.timeout(LIMIT):
            viewer.messages = Channel(await opened)
        return viewer

    def _new_peer(self) -> Peer:
        port = self._network.open()
        peer = Peer(PeerOptions(self._certificate, port))
        self._clients.append((peer, port))
        return peer

    async def _open(
        self, peer: Peer, stream: str, role: Role, kind: type[_Client]
    ) -> _Client:
        """Negotiate a session, and wait until it is connected."""
        await peer.setLocalDescription(await peer.createOffer())
        offer = parse_offer(peer.localDescription.sdp, role)
        opening = self._store.watch if role is VIEWER else self._store.publish
        session, answer = await opening(stream, offer, _ADDRESS)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(LIMIT):
            # A session that ends at once was connected, too.
            while not session.was_connected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return kind(peer, session)


def _kinds(video: bool, audio: bool) -> list[str]:
    return [kind for kind, wanted in (("video", video), ("audio", audio)) if wanted]
