"""Data channels of publishers and viewers, as docs/api.md has them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web
from aiortc.mediastreams import AudioStreamTrack
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import create_app
from whipbird.client import WhipClient
from whipbird.config import Settings
from whipbird.rtc import DataChannel

Message = str | bytes


class End:
    """A publisher or a viewer, its channels, and what comes on them, by label."""

    def __init__(self, client: WhipClient, *labels: str) -> None:
        self.client = client
        self.channels: dict[str, DataChannel] = {}
        self.heard: dict[str, list[Message]] = {}
        client.peer.on("datachannel", self._add)
        for label in labels:
            self.open(label)

    def open(self, label: str) -> DataChannel:
        channel = self.client.peer.createDataChannel(label)
        self._add(channel)
        return channel

    def _add(self, channel: DataChannel) -> None:
        self.channels[channel.label] = channel
        heard = self.heard.setdefault(channel.label, [])
        channel.on("message", heard.append)

    async def hears(self, label: str, *messages: Message) -> None:
        await until(lambda: len(self.heard[label]) >= len(messages))
        assert self.heard[label] == list(messages)


Connect = Callable[..., Awaitable[End]]


@pytest.fixture
async def server(aiohttp_server: AiohttpServer) -> str:
    app: web.Application = create_app(Settings())
    return str((await aiohttp_server(app)).make_url("/")).rstrip("/")


@pytest.fixture
async def connect(server: str) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def connect(
            path: str, *labels: str, media: bool = True, sound: bool = False
        ) -> End:
            client = WhipClient(server + path)
            await stack.enter_async_context(client)
            end = End(client, *labels)
            if media:
                direction = "sendonly" if path.startswith("/whip") else "recvonly"
                client.peer.addTransceiver(
                    AudioStreamTrack() if sound else "audio", direction=direction
                )
            await client.connect()
            for label in labels:
                await client.opened(end.channels[label])
            return end

        yield connect


async def watching(connect: Connect, path: str = "/whep/live") -> End:
    """A viewer with a channel of its own, and the server's."""
    viewer = await connect(path, "chat")
    await until(lambda: "broadcast" in viewer.channels)
    return viewer


async def test_messages_go_to_all_viewers(connect: Connect) -> None:
    publisher = await connect("/whip/live", "broadcast", "notes")
    viewers = [await watching(connect) for _ in range(3)]
    other = await watching(connect, "/whep/other")
    said: list[Message] = ["caption", b"\x00\x01", "", "x" * 60_000]
    publisher.channels["notes"].send("for the server alone")
    for message in said:
        publisher.channels["broadcast"].send(message)
    for viewer in viewers:
        await viewer.hears("broadcast", *said)
        assert viewer.heard["chat"] == []
    # The publisher has everything echoed, as anybody else.
    await publisher.hears("broadcast", *said)
    await publisher.hears("notes", "for the server alone")
    assert other.heard["broadcast"] == []


async def test_messages_go_to_viewers_of_a_live_stream(
    connect: Connect, server: str
) -> None:
    """Those that come when there is sound already, with a channel beside it."""
    publisher = await connect("/whip/live", "broadcast", sound=True)
    async with ClientSession() as http, asyncio.timeout(20):
        layers: list[object] = []
        # What the server receives has no event.
        while not layers:
            async with http.get(f"{server}/api/streams/live") as response:
                layers = (await response.json())["tracks"][0]["layers"]
            await asyncio.sleep(0.05)
    viewer = await watching(connect)
    publisher.channels["broadcast"].send("to all")
    await viewer.hears("broadcast", "to all")


async def test_what_a_viewer_says_comes_back_to_it_alone(connect: Connect) -> None:
    publisher = await connect("/whip/live", "broadcast")
    first, second = await watching(connect), await watching(connect)
    first.channels["broadcast"].send("from a viewer")
    first.channels["chat"].send("x")
    await first.hears("broadcast", "from a viewer")
    await first.hears("chat", "x")
    # The next message to the others is the publisher's.
    publisher.channels["broadcast"].send("to all")
    await second.hears("broadcast", "to all")
    await publisher.hears("broadcast", "to all")
    await first.hears("broadcast", "from a viewer", "to all")


async def test_who_publishes_nothing_speaks_to_nobody(connect: Connect) -> None:
    """A session with only data channels is not the publisher."""
    viewer = await watching(connect)
    stranger = await connect("/whip/live", "broadcast", media=False)
    stranger.channels["broadcast"].send("from a stranger")
    await stranger.hears("broadcast", "from a stranger")
    publisher = await connect("/whip/live", "broadcast")
    publisher.channels["broadcast"].send("from the publisher")
    await viewer.hears("broadcast", "from the publisher")


async def test_no_channel_for_who_has_offered_none(connect: Connect) -> None:
    publisher = await connect("/whip/live", "broadcast")
    viewer = await connect("/whep/live")
    publisher.channels["broadcast"].send("hello")
    await publisher.hears("broadcast", "hello")
    assert viewer.channels == {}
