"""Chats, as docs/api.md has them, over real connections."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiortc.mediastreams import AudioStreamTrack
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import STORE, create_app, reconfigure
from whipbird.client import WhipClient
from whipbird.config import Settings
from whipbird.rtc import DataChannel

PROTOCOL = "whipbird.chat"


class End:
    """A client with a channel of the chat, and what comes on it and beside it."""

    def __init__(self, client: WhipClient) -> None:
        self.client = client
        self.heard: list[dict[str, Any]] = []
        self.broadcasts: list[str | bytes] = []
        self.channel = self.open()
        client.peer.on("datachannel", self._add)

    def open(self) -> DataChannel:
        channel = self.client.peer.createDataChannel("broadcast", protocol=PROTOCOL)
        channel.on("message", lambda text: self.heard.append(json.loads(text)))
        return channel

    def _add(self, channel: DataChannel) -> None:
        assert (channel.label, channel.protocol) == ("broadcast", "")
        channel.on("message", self.broadcasts.append)

    def asks(self, **request: object) -> None:
        self.channel.send(json.dumps(request))

    def says(self, text: str, name: str = "Ada", **more: object) -> None:
        self.asks(type="message", name=name, text=text, **more)

    async def hears(self, count: int) -> list[dict[str, Any]]:
        """Wait until so much was heard since the welcome."""
        await until(lambda: len(self.heard) > count)
        assert len(self.heard) == count + 1
        assert self.heard[0]["type"] == "welcome"
        return self.heard[1:]


Connect = Callable[..., Awaitable[End]]


@pytest.fixture
def app() -> web.Application:
    return create_app(Settings(chat=True))


@pytest.fixture
async def connect(
    app: web.Application, aiohttp_server: AiohttpServer
) -> AsyncIterator[Connect]:
    server = await aiohttp_server(app)
    async with AsyncExitStack() as stack:

        async def connect(path: str, *, media: bool = True) -> End:
            client = WhipClient(str(server.make_url(path)))
            await stack.enter_async_context(client)
            end = End(client)
            if media and path.startswith("/whip"):
                client.peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
            elif media:
                client.peer.addTransceiver("audio", direction="recvonly")
            await client.connect()
            await client.opened(end.channel)
            return end

        yield connect


async def test_viewers_and_the_publisher_talk(
    app: web.Application, connect: Connect
) -> None:
    publisher = await connect("/whip/live")
    first, second = await connect("/whep/live"), await connect("/whep/live")
    other = await connect("/whep/other")
    first.says("Hello", ref="1")
    own, heard = (await first.hears(1))[0], (await second.hears(1))[0]
    assert own == {**heard, "ref": "1"}
    assert (heard["from"], heard["name"], heard["text"]) == ("viewer", "Ada", "Hello")
    assert await publisher.hears(1) == [heard]
    publisher.says("Welcome", name="live")
    answer = (await first.hears(2))[1]
    assert answer["from"] == "publisher"
    assert (await publisher.hears(2))[1] == (await second.hears(2))[1] == answer
    first.asks(type="reaction", emoji="👏")
    second.asks(type="reaction", emoji="👏")
    reactions = (await publisher.hears(3))[2]
    assert reactions["type"] == "reactions"
    second.says("Bye", name="Live")
    assert (await second.hears(4))[3]["code"] == "name-taken"

    # Who comes late has what was said, and nobody else has heard of it.
    late = await connect("/whep/live")
    assert await late.hears(2) == [heard, answer]
    assert late.heard[0]["history"] == 2
    assert await other.hears(0) == []
    # Nothing is echoed, and what the publisher broadcasts has its own channel.
    assert [end.broadcasts for end in (first, second, late)] == [[], [], []]
    counts = app[STORE].stats.counts
    assert (counts.chat_messages, counts.chat_refused, counts.messages) == (4, 1, 0)
    # Operators see who has written under which name.
    sessions, _ = app[STORE].newest(0, 9)
    assert Counter(session.stats.chat_name for session in sessions) == Counter(
        ["Ada", "live", None, None, None]
    )


async def test_a_chat_goes_with_the_last_one_in_it(
    app: web.Application, connect: Connect
) -> None:
    chats = app[STORE].audiences.chats
    viewer, other = await connect("/whep/live"), await connect("/whep/live")
    viewer.says("Hello")
    await other.hears(1)
    viewer.asks(type="reaction", emoji="👏")
    await viewer.client.close()
    # It outlasts whoever has said something.
    assert (await other.hears(2))[1] == {"type": "reactions", "counts": {"👏": 1}}
    other.asks(type="reaction", emoji="👍")
    await other.client.close()
    await until(lambda: len(chats) == 0)
    again = await connect("/whep/live")
    assert await again.hears(0) == []
    # A channel that closes is left, and so are its session's other ones.
    second = again.open()
    await until(lambda: second.readyState == "closed")
    again.channel.close()
    await until(lambda: again.channel.readyState == "closed")
    assert len(again.heard) == 1


async def test_malformed_requests_are_answered(connect: Connect) -> None:
    viewer, other = await connect("/whep/live"), await connect("/whep/live")
    viewer.channel.send(b"binary")
    viewer.channel.send("")
    viewer.channel.send("x" * 60_000)
    viewer.says("\u202e")
    codes = [answer["code"] for answer in await viewer.hears(4)]
    assert codes == ["malformed", "malformed", "too-large", "text-empty"]
    assert await other.hears(0) == []


async def test_a_flood_is_answered_and_goes_nowhere(connect: Connect) -> None:
    viewer, other = await connect("/whep/live"), await connect("/whep/live")
    for number in range(300):
        viewer.says(str(number))
    answers = await viewer.hears(300)
    passed_on = [answer for answer in answers if answer["type"] == "message"]
    assert 5 <= len(passed_on) < 30
    refused = next(answer for answer in answers if answer["type"] == "refused")
    assert refused["code"] == "too-many"
    assert 0 < refused["retry_after"] <= 2
    assert await other.hears(len(passed_on)) == passed_on


async def test_off_by_default(
    app: web.Application, connect: Connect, tmp_path: Path
) -> None:
    """A setting turns it off and on while the server runs, rules by stream."""
    off = {"type": "refused", "code": "off", "detail": "This stream has no chat."}
    viewer = await connect("/whep/live")
    await viewer.hears(0)
    reconfigure(app, Settings())
    viewer.says("Hello")
    assert await viewer.hears(1) == [off]
    stranger = await connect("/whep/live")
    await until(lambda: stranger.heard)
    assert stranger.heard == [off]
    assert app[STORE].stats.counts.chat_refused == 1
    stranger.says("Hello", ref="7")
    await until(lambda: len(stranger.heard) == 2)
    assert stranger.heard == [off, {**off, "ref": "7"}]
    reconfigure(app, Settings(chat=True))
    viewer.says("Hello")
    assert (await viewer.hears(2))[1]["text"] == "Hello"

    rules = tmp_path / "rights.toml"
    rules.write_text('[[streams]]\nnames = ["talk-*"]\nchat = true\n')
    ruled = create_app(Settings(rights_file=rules))
    is_on = ruled[STORE].audiences.chats.is_on
    assert (is_on("talk-1"), is_on("live")) == (True, False)


async def test_pings_have_no_chat(connect: Connect) -> None:
    """A session with only data channels has its messages echoed on any of them."""
    pinging = await connect("/whip/live", media=False)
    pinging.says("Hello")
    await until(lambda: pinging.heard)
    assert pinging.heard == [{"type": "message", "name": "Ada", "text": "Hello"}]
