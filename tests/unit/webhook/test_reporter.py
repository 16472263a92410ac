"""What sessions and recordings report, from real sessions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop.aiortc_viewer import AiortcViewer
from tests.unit.recording.publisher import files_in
from tests.waiting import until
from whipbird import Application, Server
from whipbird.app import RECORDER, create_app
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.config import Settings


@pytest.fixture
async def events() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """The URL of a receiver, and what it has received."""
    received: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        received.append(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/")), received
    await server.close()


@asynccontextmanager
async def publishing(url: str) -> AsyncIterator[WhipClient]:
    """A client that publishes a test pattern."""
    async with WhipClient(url) as client:
        publication = Publication(Pattern((160, 96), 30, "VP8", 200_000), client)
        await publication.connect()
        running = asyncio.create_task(publication.run())
        yield client
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_stream(
    aiohttp_server: AiohttpServer,
    events: tuple[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    url, received = events
    app = create_app(Settings(event_url=url, record=tmp_path, record_all=True))
    server = await aiohttp_server(app)
    # Of a session without media nothing is told.
    async with WhipClient(str(server.make_url("/whip/data"))) as pinging:
        pinging.peer.createDataChannel("ping")
        await pinging.connect()
    async with publishing(str(server.make_url("/whip/live"))):
        async with AiortcViewer(str(server.make_url("/whep/live"))) as viewer:
            await until(lambda: len(viewer.frames["video"]) > 3)
        await until(lambda: len(received) >= 3)
    await until(lambda: len(received) >= 5)
    types = [event["type"] for event in received]
    assert types[:3] == ["published", "watched", "left"]
    assert sorted(types[3:]) == ["recorded", "unpublished"]
    assert {event["stream"] for event in received} == {"live"}
    by_type = {event["type"]: event for event in received}
    assert by_type["unpublished"]["reason"] == "deleted by the client"
    assert by_type["published"]["session"] == by_type["unpublished"]["session"]
    assert by_type["published"]["client"] == "127.0.0.1"
    assert by_type["published"]["publisher"] == "client"
    assert by_type["left"]["seconds"] > 0
    (path,) = files_in(tmp_path)
    assert by_type["recorded"]["file"] == path.name
    assert by_type["recorded"]["octets"] == path.stat().st_size
    assert len({event["id"] for event in received}) == 5


class Clock(Application):
    """Publishes two streams, of which it ends one."""

    async def start(self, server: Server) -> None:
        await (await server.publish("short")).close()
        await server.publish("clock")


async def test_streams_of_an_application(
    aiohttp_server: AiohttpServer, events: tuple[str, list[dict[str, Any]]]
) -> None:
    """They are told as those of clients are, and no client is named."""
    url, received = events
    server = await aiohttp_server(create_app(Settings(event_url=url), [Clock()]))
    await server.close()
    told = {
        name: [(e["type"], e.get("reason")) for e in received if e["stream"] == name]
        for name in ("short", "clock")
    }
    assert told == {
        "short": [("published", None), ("unpublished", "ended by its application")],
        "clock": [("published", None), ("unpublished", "server shutdown")],
    }
    for event in received:
        assert event["publisher"] == "application"
        assert (event["session"], event["client"]) == (None, None)


async def test_the_end_of_the_server(
    aiohttp_server: AiohttpServer,
    events: tuple[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """What its end causes is told before it."""
    url, received = events
    app = create_app(Settings(event_url=url, record=tmp_path, record_all=True))
    server = await aiohttp_server(app)
    async with publishing(str(server.make_url("/whip/live"))) as client:
        await until(lambda: files_in(tmp_path))
        await server.close()
        client.location = None
    assert [event["type"] for event in received] == [
        "published",
        "unpublished",
        "recorded",
    ]
    assert received[1]["reason"] == "server shutdown"


async def test_a_recording_that_fails(
    events: tuple[str, list[dict[str, Any]]],
    aiohttp_server: AiohttpServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told with the session of its publisher, which the log names too."""
    url, received = events
    app = create_app(Settings(event_url=url, record=tmp_path, record_all=True))
    server = await aiohttp_server(app)
    async with publishing(str(server.make_url("/whip/live"))):
        recorder = app[RECORDER]
        await until(lambda: (recorder.describe("live") or {}).get("file"))
        recorder._fail_all("No space left on device")
        await until(lambda: any(e["type"] == "recording_failed" for e in received))
    by_type = {event["type"]: event for event in received}
    failed = by_type["recording_failed"]
    assert failed["stream"] == "live"
    assert failed["session"] == by_type["published"]["session"]
    assert failed["problem"] == "No space left on device"
    assert failed["file"].startswith("live")
    about = [r for r in caplog.records if r.name.startswith("whipbird.recording")]
    assert {vars(r).get("session") for r in about if "live" in r.getMessage()} == {
        failed["session"]
    }
