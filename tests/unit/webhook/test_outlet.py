"""Events go to the URL of the settings, and to another when that changes."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.waiting import until
from whipbird.outgoing import Outgoing
from whipbird.webhook import Event, EventType, Outlet


class Receiver:
    """A real receiver of events, which takes them when it may."""

    def __init__(self) -> None:
        self.streams: list[str] = []
        self.signed: list[bool] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        app = web.Application()
        app.router.add_post("/", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        await self.may_answer.wait()
        self.streams.append(json.loads(await request.read())["stream"])
        self.signed.append("webhook-signature" in request.headers)
        return web.Response()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))


@pytest.fixture
async def receivers() -> AsyncIterator[tuple[Receiver, Receiver]]:
    """Two receivers."""
    pair = Receiver(), Receiver()
    for one in pair:
        await one.server.start_server()
    yield pair
    for one in pair:
        await one.server.close()


def event(stream: str) -> Event:
    return Event(EventType.PUBLISHED, stream)


async def test_another_url(
    receivers: tuple[Receiver, Receiver], outgoing: Outgoing
) -> None:
    one, two = receivers
    outlet = Outlet(outgoing, one.url)
    one.may_answer.clear()
    outlet.put(event("before"))
    outlet.change(two.url, b"key")
    outlet.put(event("after"))
    await until(lambda: two.streams)
    one.may_answer.set()
    # What was for the old one still gets there.
    await until(lambda: one.streams)
    await outlet.close()
    assert (one.streams, two.streams) == (["before"], ["after"])
    assert (one.signed, two.signed) == ([False], [True])


async def test_from_nowhere_and_to_nowhere(
    receivers: tuple[Receiver, Receiver], outgoing: Outgoing
) -> None:
    one, _ = receivers
    outlet = Outlet(outgoing)
    outlet.put(event("too early"))
    outlet.change(one.url, None)
    outlet.put(event("in time"))
    outlet.change(None, None)
    outlet.put(event("too late"))
    await outlet.close()
    assert one.streams == ["in time"]


async def test_the_same_url_again(
    receivers: tuple[Receiver, Receiver], outgoing: Outgoing
) -> None:
    one, _ = receivers
    outlet = Outlet(outgoing, one.url)
    before = outlet._delivery
    outlet.change(one.url, None)
    assert outlet._delivery is before
    await outlet.close()


async def test_nothing_is_left(
    receivers: tuple[Receiver, Receiver], outgoing: Outgoing
) -> None:
    one, two = receivers
    tasks = asyncio.all_tasks()
    outlet = Outlet(outgoing, one.url)
    for _ in range(3):
        for receiver in (two, one):
            outlet.put(event("live"))
            outlet.change(receiver.url, None)
    await outlet.close()
    await outgoing.close()
    await until(lambda: asyncio.all_tasks() <= tasks)
