"""Server-sent events, as a WHEP client reads them."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.http.in_process import Server
from whipbird.app import create_app
from whipbird.client import WhipError
from whipbird.client.events import (
    EVENTS_RELATION,
    MAX_EVENT,
    events_of,
    read_events,
)
from whipbird.client.whep import WhepClient
from whipbird.config import Settings


async def events_in(octets: bytes) -> list[tuple[str, Any]]:
    loop = asyncio.get_running_loop()
    body = aiohttp.StreamReader(BaseProtocol(loop), 2**24, loop=loop)
    body.feed_data(octets)
    body.feed_eof()
    return [event async for event in read_events(body)]


@pytest.mark.parametrize(
    ("octets", "events"),
    [
        (b"", []),
        (b"event: active\ndata: {}\n\n", [("active", {})]),
        (b"event:a\r\ndata:1\r\n\r\n", [("a", 1)]),
        # A comment, a field that is not known, data without a name.
        (b":\n\nid: 5\ndata: [1,\ndata: 2]\n\n", [("message", [1, 2])]),
        # Neither what is not JSON, nor what has not ended.
        (b"event: a\ndata: {\n\nevent: b\ndata: 2\n\nevent: c\ndata: 3", [("b", 2)]),
        (b"event: a\n\ndata: 1\n\n", [("message", 1)]),
    ],
)
async def test_reading(octets: bytes, events: list[tuple[str, Any]]) -> None:
    assert await events_in(octets) == events


@given(octets=st.binary(max_size=300))
async def test_whatever_comes(octets: bytes) -> None:
    await events_in(octets)


async def test_an_event_without_end() -> None:
    with pytest.raises(ValueError, match="more than"):
        await events_in(b"data: x\n" * (MAX_EVENT // 2 + 1))
    # Empty lines count, too; those of other events do not.
    with pytest.raises(ValueError, match="more than"):
        await events_in(b"data\n" * (MAX_EVENT + 1))
    some = b"data: %s\n\n" % (b"5" * 3000)
    assert len(await events_in(some * (MAX_EVENT // 3000 + 2))) > MAX_EVENT // 3000


async def test_a_location_that_is_none() -> None:
    async def opened(_: web.Request) -> web.Response:
        return web.Response(status=201, headers={"Location": "http://[::1"})

    app = web.Application()
    app.router.add_post("/events", opened)
    async with Server(app) as server, WhepClient("http://127.0.0.1/whep/x") as client:
        client.links[EVENTS_RELATION] = server.make_url("/events")
        with pytest.raises(WhipError, match="Location"):
            await anext(events_of(client, ["active"]))


async def test_a_server_without_events() -> None:
    async with (
        Server(create_app(Settings())) as server,
        WhepClient(str(server.make_url("/whep/live"))) as client,
    ):
        await client.connect()
        known = client.links.pop(EVENTS_RELATION)
        with pytest.raises(WhipError, match="No events"):
            await anext(events_of(client, ["active"]))
        client.links[EVENTS_RELATION] = known
        with pytest.raises(WhipError, match="400 No such event"):
            await anext(events_of(client, ["scte35"]))
