"""The load tool: clients come, stay and go, and what they saw is added up."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from whipbird.app import STORE, create_app
from whipbird.client import watch
from whipbird.config import Settings
from whipbird.load import Bench, BenchReport, Limit, Plan, Role
from whipbird.load.effort import BUSY_LAG, Effort
from whipbird.load.repeated import LENGTH, encode_once

LIMIT = 60.0


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    server = TestServer(create_app(Settings()))
    async with server:
        yield server


async def ran(
    server: TestServer, clients: dict[Role, int], path: str = "", seconds: float = 1.0
) -> BenchReport:
    """Run a plan on a server, and see that nothing is left of it."""
    urls = {
        Role.PING: str(server.make_url("/whip/ping-")) + "{n}",
        Role.PUBLISH: str(server.make_url("/whip/show-")) + "{n}",
        Role.VIEW: str(server.make_url("/whep/show-")) + "{n}",
    }
    if path:
        urls = dict.fromkeys(urls, str(server.make_url(path)))
    streams = clients.get(Role.PUBLISH, 1)
    bench = Bench(
        Plan(urls, clients, seconds=seconds, ramp=0.2, interval=0.02, streams=streams)
    )
    async with asyncio.timeout(LIMIT):
        await bench.run()
    assert server.app[STORE].newest(0, 1)[1] == 0
    return bench.report


async def test_all_kinds_of_clients(server: TestServer) -> None:
    report = await ran(
        server, {Role.PING: 3, Role.PUBLISH: 1, Role.VIEW: 2}, seconds=2.0
    )
    assert report.is_flawless
    assert report.seconds >= 2.2
    assert report.cpu_share > 0
    pings, publishers, viewers = (report.roles[role] for role in Role)
    assert (pings.clients, pings.connected, pings.lost) == (3, 3, 0)
    assert pings.setup.count == 3
    assert pings.missing == 0
    assert pings.rtt.count == pings.received > 0
    assert publishers.sent > 10
    assert publishers.octets > 1000
    assert viewers.connected == 2
    assert viewers.received > 10
    assert viewers.frame_rate.count == viewers.bitrate.count == 2
    assert (viewers.frame_rate.max or 0) > 0
    assert viewers.errors == {}


async def test_clients_that_are_refused(server: TestServer) -> None:
    """Errors are counted by what they say; it ends all the same."""
    report = await ran(server, {Role.PING: 3}, "/whip/a:b", seconds=0.3)
    assert not report.is_flawless
    found = report.roles[Role.PING]
    assert (found.connected, found.lost) == (0, 0)
    [(error, count)] = found.errors.items()
    assert count == 3
    assert "404 Not a stream name" in error


async def test_viewers_of_nobody(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They connect, and wait: that is not the fault of the connection."""
    monkeypatch.setattr(watch, "SILENCE", 0.1)
    report = await ran(server, {Role.VIEW: 1}, "/whep/nobody", seconds=0.5)
    found = report.roles[Role.VIEW]
    assert (found.connected, found.lost, found.received) == (1, 0, 0)


def test_media_goes_on_without_a_jump() -> None:
    """Twice the same, two seconds apart."""
    media = encode_once()
    count = len(media._frames)
    frames = media.frames(lambda _: False)
    first = [next(frames) for _ in range(count)]
    second = [next(frames) for _ in range(count)]
    assert [frame.data for frame in first] == [frame.data for frame in second]
    for before, frame in zip(first, second, strict=True):
        ticks = frame.timestamp - before.timestamp
        assert ticks == LENGTH * frame.clock_rate == LENGTH * before.clock_rate
    for kind, rate in (("video", 30), ("audio", 50)):
        assert sum(frame.kind == kind for frame in first) == rate * LENGTH
    assert {stream.kind for stream in media.streams} == {"audio", "video"}


async def test_what_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that uses a core, or one that others keep from running."""
    effort = Effort()
    effort.start()
    effort.lags.add(BUSY_LAG)
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    assert effort.limit is Limit.MACHINE
    effort.stop()
    assert effort.limit is Limit.MACHINE
    busy = Effort()
    monkeypatch.setattr(time, "process_time", lambda: 1e6)
    assert busy.limit is Limit.PROCESS


async def test_the_lag_is_measured() -> None:
    effort = Effort()
    effort.start()
    while not effort.lags.count:  # noqa: ASYNC110 - no event of a measurement
        await asyncio.sleep(0.01)
    effort.stop()
    count = effort.lags.count
    await asyncio.sleep(0.15)
    assert effort.lags.count == count
    assert effort.cpu_share >= 0
