"""Watching: figures, recordings, and why it ends; and counter-offers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from aiortc import RTCSessionDescription

from tests.ports import udp_port
from whipbird.app import STORE, create_app
from whipbird.check.client import _Silence
from whipbird.client import WhipClient, WhipError, watch
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.client.watch import End, TrackFigures, Watch, WatchOptions
from whipbird.client.whep import WhepClient
from whipbird.config import Settings
from whipbird.recording.named import NamedFile
from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.sdp.role import VIEWER
from whipbird.sessions import EndReason

LIMIT = 60.0


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    server = TestServer(create_app(Settings()))
    async with server:
        yield server


class Publishing:
    """A small test pattern on a stream, until it is told to stop."""

    def __init__(self, server: BaseTestServer, stream: str = "live") -> None:
        self._url = str(server.make_url(f"/whip/{stream}"))
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Publishing":
        self._client = WhipClient(self._url)
        source = Pattern((64, 64), 15, "VP8", 100_000)
        self._publication = Publication(source, self._client)
        await self._publication.connect(None)
        self._task = asyncio.create_task(self._publication.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
            await self._client.close()


def refused(_refusal: WhipError) -> None:
    raise AssertionError("it waits")


async def watched(
    url: str,
    options: WatchOptions,
    on_second: Callable[[int], None] = lambda _: None,
    on_wait: Callable[[WhipError], None] = refused,
) -> tuple[End, Watch, dict[str, TrackFigures]]:
    """Watch to the end."""
    async with WhepClient(url) as client, asyncio.timeout(LIMIT):
        watching = Watch(client, options, on_second)
        try:
            await watching.connect(on_wait)
            end = await watching.run()
        finally:
            await watching.close()
        return end, watching, {f.kind: f for f in watching.figures}


async def test_frames_are_counted_and_recorded(
    server: TestServer, tmp_path: Path
) -> None:
    """What was counted is in the file, as it came."""
    file = NamedFile(tmp_path / "show.mkv")
    seconds: list[int] = []
    async with Publishing(server):
        end, watching, figures = await watched(
            str(server.make_url("/whep/live")),
            WatchOptions(frames=25, file=file),
            seconds.append,
        )
    assert end is End.FRAMES
    assert watching.frames >= 25
    video, audio = figures["video"], figures["audio"]
    assert (video.codec, video.size) == ("vp8", (64, 64))
    assert audio.codec == "opus"
    assert audio.frames > 10
    assert video.packets >= video.frames >= 25
    assert video.frame_rate > 0
    assert video.bitrate > 0
    assert video.key_frame_requests >= 1
    assert (video.lost, video.left_out) == (0, 0)
    assert seconds[:1] == [1]
    assert watching.recording is not None
    assert watching.recording.problem is None
    [path] = file.written
    with av.open(str(path)) as container:
        assert container.format.name == "matroska,webm"
        assert container.streams.video[0].codec_context.name == "vp8"
        pictures = sum(1 for packet in container.demux(video=0) if packet.size)
    assert 20 <= pictures <= video.frames


async def test_a_stream_that_ends(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server leaves viewers waiting for the next publisher."""
    monkeypatch.setattr(watch, "SILENCE", 1.5)
    async with Publishing(server) as publishing:
        ending: list[asyncio.Task[None]] = []

        def end_soon(_second: int) -> None:
            if not ending:
                ending.append(asyncio.create_task(publishing.stop()))

        end, watching, _ = await watched(
            str(server.make_url("/whep/live")), WatchOptions(), end_soon
        )
        await ending[0]
    assert end is End.SILENT
    assert watching.frames > 0


async def test_nothing_comes(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.3)
    url = str(server.make_url("/whep/nobody"))
    end, watching, _ = await watched(url, WatchOptions())
    assert (end, watching.frames) == (End.NOTHING, 0)


async def test_the_server_ends_the_session(server: TestServer) -> None:
    url = str(server.make_url("/whep/live"))
    store = server.app[STORE]

    def end_it(_second: int) -> None:
        for session in store.newest(0, 10)[0]:
            if session.role is VIEWER:
                session.end_soon(EndReason.SHUTDOWN)

    end, _, _ = await watched(url, WatchOptions(waits=True), end_it)
    assert end is End.CLOSED


async def test_the_time_is_over(server: TestServer) -> None:
    url = str(server.make_url("/whep/nobody"))
    end, watching, _ = await watched(url, WatchOptions(seconds=0.3, waits=True))
    assert end is End.TIME
    assert watching.seconds >= 0.3


async def test_waiting_for_a_publisher_that_the_server_does_not_wait_for() -> None:
    """Such a server refuses viewers (section 4.3.8); only who waits asks again."""
    settings = Settings(wait_for_publisher=False)
    async with TestServer(create_app(settings)) as server:
        url = str(server.make_url("/whep/live"))
        with pytest.raises(WhipError) as caught:
            await watched(url, WatchOptions())
        assert caught.value.status in watch.NOT_PUBLISHED
        publishing = Publishing(server)
        beginning: list[asyncio.Task[Publishing]] = []

        def begin(refusal: WhipError) -> None:
            assert refusal.status in watch.NOT_PUBLISHED
            beginning.append(asyncio.create_task(publishing.__aenter__()))

        try:
            end, _, _ = await watched(
                url, WatchOptions(frames=1, waits=True), on_wait=begin
            )
        finally:
            await beginning[0]
            await publishing.stop()
    assert end is End.FRAMES


class CounterOffers:
    """A WHEP server that offers by itself (section 4.3.2)."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.answer = ""
        self.deleted = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_post("/whep", self._offer)
        self.app.router.add_patch("/session", self._accept)
        self.app.router.add_delete("/session", self._delete)

    async def _offer(self, request: web.Request) -> web.Response:
        assert "a=recvonly" in await request.text()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return web.Response(
            status=406,
            headers={"Location": "/session"},
            content_type="application/sdp",
            text=self._peer.localDescription.sdp,
        )

    async def _accept(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/sdp"
        self.answer = await request.text()
        await self._peer.setRemoteDescription(
            RTCSessionDescription(self.answer, "answer")
        )
        return web.Response(status=204)

    async def _delete(self, _request: web.Request) -> web.Response:
        self.deleted.set()
        return web.Response()


async def test_a_counter_offer_is_answered() -> None:
    async with udp_port() as port:
        peer = Peer(PeerOptions(Certificate.generate(), port))
        peer.addTransceiver(_Silence(), "sendonly")
        counter = CounterOffers(peer)
        async with TestServer(counter.app) as server:
            url = str(server.make_url("/whep"))
            end, _, figures = await watched(url, WatchOptions(frames=5))
        await peer.close()
    assert end is End.FRAMES
    assert figures["audio"].frames >= 5
    assert "a=recvonly" in counter.answer
    assert counter.deleted.is_set()


async def test_an_offer_that_is_not_acceptable_at_all() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=406, text="no")

    app = web.Application()
    app.router.add_post("/whep", refuse)
    async with TestServer(app) as server:
        with pytest.raises(WhipError, match="406 Not Acceptable"):
            await watched(str(server.make_url("/whep")), WatchOptions())
