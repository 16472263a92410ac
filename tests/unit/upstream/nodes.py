"""Servers in the process of a test that get streams from each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import offers
from tests.server import free_port
from tests.unit.media.watching import KEY
from tests.unit.rtc.media import rtp
from tests.waiting import until
from whipbird.app import STORE, UPSTREAMS, create_app
from whipbird.client import WhipClient
from whipbird.client.events import events_of
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.client.whep import WhepClient
from whipbird.config import Settings
from whipbird.rtc import DataChannel
from whipbird.rtp import extensions
from whipbird.sessions import Session, SessionStore
from whipbird.streams.events import EVENT_TYPES
from whipbird.upstream import PullState, Upstreams


class Node:
    """A server at a port that it keeps over restarts."""

    def __init__(self, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = settings
        self._server: TestServer | None = None

    async def start(self) -> None:
        self._server = TestServer(create_app(Settings(**self.settings)), port=self.port)
        await self._server.start_server()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    @property
    def store(self) -> SessionStore:
        assert self._server is not None
        return self._server.app[STORE]

    @property
    def upstreams(self) -> Upstreams:
        assert self._server is not None
        return self._server.app[UPSTREAMS]

    def viewers(self, stream: str = "live") -> int:
        """The sessions of viewers, those of other nodes included."""
        return self.store.audiences.count(stream)

    def state(self, stream: str = "live") -> PullState | None:
        """How a stream is pulled; None if it is not."""
        stats = self.upstreams.get(stream)
        return None if stats is None else stats.state

    async def reaches(self, state: PullState, stream: str = "live") -> None:
        await until(lambda: self.state(stream) is state)


class Viewer:
    """A viewer, what it gets, and what it is told."""

    def __init__(self, client: WhepClient) -> None:
        self.client = client
        self.messages: list[bytes] = []
        self.events: list[tuple[str, Any]] = []
        client.peer.createDataChannel("viewer")
        client.peer.on_message = self._heard

    def _heard(self, channel: DataChannel, _protocol: int, data: bytes) -> None:
        if channel.label == "broadcast":
            self.messages.append(data)

    async def listen(self) -> None:
        async for event in events_of(self.client, EVENT_TYPES):
            self.events.append(event)

    def told(self, kind: str) -> list[Any]:
        """The data of all events of a type, without those that only repeat it."""
        return [data for name, data in self.events if name == kind]

    async def hears(self, *messages: bytes) -> None:
        await until(lambda: self.messages == list(messages))

    async def is_told(self, kind: str, count: int) -> None:
        await until(lambda: len(self.told(kind)) >= count)

    @property
    def upstream_states(self) -> list[str]:
        states = [data["state"] for data in self.told("upstream")]
        pairs = zip([None, *states], states, strict=False)
        return [state for before, state in pairs if state != before]

    @property
    def frames(self) -> int:
        """Pictures, from the first key frame on."""
        return sum(
            encoding.frames
            for track in self.client.peer.tracks
            for encoding in track.encodings
            if track.kind == "video" and encoding.key_frames
        )

    async def sees_more(self, count: int = 5) -> None:
        before = self.frames
        await until(lambda: self.frames >= before + count)


class Lab:
    """Nodes, viewers and publishers, all gone after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def node(self, *upstreams: str, **settings: Any) -> Node:
        node = Node(upstreams=upstreams, **settings)
        await node.start()
        self._stack.push_async_callback(node.stop)
        return node

    async def viewer(self, node: Node, stream: str = "live") -> Viewer:
        client = WhepClient(f"{node.url}/whep/{stream}")
        await self._stack.enter_async_context(client)
        viewer = Viewer(client)
        await client.connect()
        listening = asyncio.create_task(viewer.listen())
        self._stack.push_async_callback(_ended, listening)
        return viewer

    async def publisher(self, node: Node, stream: str = "live") -> "Publisher":
        publisher = Publisher(node, stream)
        await publisher.start()
        self._stack.push_async_callback(publisher.stop)
        return publisher


class Publisher:
    """Publishes a small test pattern, with a key frame when one is asked for."""

    def __init__(self, node: Node, stream: str) -> None:
        self.client = WhipClient(f"{node.url}/whip/{stream}")
        self.channel = self.client.peer.createDataChannel("broadcast")
        self._publication = Publication(
            Pattern((64, 64), 15, "VP8", 100_000), self.client
        )
        self._task: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        await self._publication.connect(None)
        self._task = asyncio.create_task(self._publication.run())

    async def stop(self) -> None:
        if self._task is not None:
            await _ended(self._task)
            self._task = None
        await self.client.close()


async def _ended(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def lab() -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        yield Lab(stack)


class PlainOrigin:
    """A WHEP origin with neither events nor data channels: it passes on what a node
    answers without them.
    """

    def __init__(self, node: Node) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._pass_on)
        self._node = node
        self._server = TestServer(app)
        self.offers = 0

    async def __aenter__(self) -> "PlainOrigin":
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/play"))

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.offers += request.method == "POST"
        if "m=application" in body:
            return web.Response(status=400, text="no data channels")
        path = request.path.removeprefix("/play")
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{self._node.url}/whep{path}",
                data=body,
                headers={"Content-Type": request.content_type},
            ) as response,
        ):
            answer = web.Response(
                status=response.status,
                body=await response.read(),
                content_type=response.content_type,
            )
            if "Location" in response.headers:
                session = response.headers["Location"].removeprefix("/whep")
                answer.headers["Location"] = f"/play{session}"
            return answer


class Simulcast:
    """Packets of three layers on a node, as if a publisher had sent them."""

    RIDS = (b"q", b"h", b"f")

    def __init__(self, node: Node, session: Session) -> None:
        assert session.stream in {stream.name for stream in node.store.streams}
        self._take = session.peer.connection.rtp_routes[96]
        self._number = 0

    async def run(self) -> None:
        while True:
            self._number += 1
            for ssrc, rid in enumerate(self.RIDS, start=1):
                self._take(
                    rtp(
                        96,
                        self._number,
                        3000 * self._number,
                        ssrc,
                        KEY + rid,
                        extensions={10: rid},
                    )
                )
            await asyncio.sleep(0.03)


class Described:
    """Packets on a node that say something of themselves in header extensions."""

    RTPMAPS: ClassVar = {"audio": "multiopus/48000/6", "video": "VP8/90000"}
    EXTENSIONS: ClassVar = {
        "audio": {extensions.AUDIO_LEVEL: b"\x2a"},
        "video": {
            extensions.VIDEO_ORIENTATION: b"\x01",
            extensions.PLAYOUT_DELAY: b"\x00\x10\x20",
            extensions.DEPENDENCY_DESCRIPTOR: b"\x80\x00\x07",
        },
    }
    # Their identifiers; in a bundle they are the same for all sections.
    NUMBERS: ClassVar = {
        uri: number
        for number, uri in enumerate(
            (uri for each in EXTENSIONS.values() for uri in each), start=1
        )
    }

    def __init__(self, session: Session) -> None:
        self._routes = session.peer.connection.rtp_routes
        self._number = 0

    @classmethod
    def offer(cls) -> str:
        """An offer of it: surround sound, and VP8."""
        layout = "channel_mapping=0,4,1,2,3,5;num_streams=4;coupled_streams=2"
        rtpmap = f"a=rtpmap:112 {cls.RTPMAPS['audio']}"
        offer = offers.replaced(offers.EVERYTHING, "RTP/SAVPF 0", "RTP/SAVPF 112")
        offer = offers.added(offer, rtpmap, f"a=fmtp:112 {layout}", after="a=mid:mic")
        for kind, mid in (("audio", "mic"), ("video", "cam")):
            lines = (f"a=extmap:{cls.NUMBERS[u]} {u}" for u in cls.EXTENSIONS[kind])
            offer = offers.added(offer, *lines, after=f"a=mid:{mid}")
        return offer

    async def run(self) -> None:
        while True:
            self._number += 1
            self._send("audio", 112, 960, b"\xfc\xff\xfe")
            self._send("video", 100, 3000, KEY)
            await asyncio.sleep(0.03)

    def _send(self, kind: str, payload_type: int, step: int, payload: bytes) -> None:
        values = self.EXTENSIONS[kind].items()
        packet = rtp(
            payload_type,
            self._number,
            step * self._number,
            payload_type,
            payload,
            extensions={self.NUMBERS[uri]: value for uri, value in values},
        )
        self._routes[payload_type](packet)
