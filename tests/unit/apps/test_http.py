"""A stream of an application, as HTTP shows it."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.unit.apps.pictures import picture
from whipbird import Application, Server, Stream
from whipbird.app import create_app
from whipbird.apps.loading import ApplicationError
from whipbird.config import Settings

Client = TestClient[web.Request, web.Application]


class Clock(Application):
    """Publishes a stream as long as the server runs."""

    async def start(self, server: Server) -> None:
        server.create_task(self.run(server))

    async def run(self, server: Server) -> None:
        async with await server.publish("clock") as source:
            while True:
                await source.send(picture(100))
                await asyncio.sleep(0.05)


async def published(client: Client) -> Any:
    """Wait until the stream is published, and return what is said of it."""
    # Nothing in HTTP tells of it.
    while (response := await client.get("/api/streams/clock")).status == 404:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return await response.json()


async def test_it_is_listed_and_pictured() -> None:
    app = create_app(Settings(), apps=[Clock()])
    async with TestClient(TestServer(app)) as client, asyncio.timeout(60):
        stream = await published(client)
        assert (stream["state"], stream["viewers"]) == ("connected", 0)
        assert [track["kind"] for track in stream["tracks"]] == ["video"]
        while (response := await client.get("/api/streams/clock/snapshot.jpg")).status:
            if response.status == 200:
                break
        assert response.content_type == "image/jpeg"
        status = await (await client.get("/api/status")).json()
        assert [one["name"] for one in status["applications"]] == ["Clock"]


async def test_no_session_of_it_can_be_ended() -> None:
    app = create_app(Settings(), apps=[Clock()])
    async with TestClient(TestServer(app)) as client, asyncio.timeout(60):
        await published(client)
        response = await client.delete("/api/streams/clock/publisher")
        assert response.status == 409
        assert "An application" in (await response.json())["detail"]
        assert (await client.delete("/api/streams/none/publisher")).status == 404


async def test_one_that_cannot_start_stops_those_before_it() -> None:
    done: list[str] = []

    class First(Application):
        async def start(self, server: Server) -> None:
            done.append("start")

        async def stop(self) -> None:
            done.append("stop")

        async def on_stream(self, stream: Stream) -> None:
            """Never called."""

    class Second(First):
        async def start(self, server: Server) -> None:
            raise OSError("no camera")

    server = TestServer(create_app(Settings(), apps=[First(), Second()]))
    with pytest.raises(ApplicationError, match="Second cannot start: OSError"):
        await server.start_server()
    await server.close()
    assert done == ["start", "stop"]
