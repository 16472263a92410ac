"""Pings: their arithmetic, and the pinging itself."""

import math

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from whipbird.app import STORE, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.client.ping import MIN_SIZE, Reply, Summary, ping
from whipbird.config import Settings
from whipbird.sdp.role import PUBLISHER
from whipbird.sessions import EndReason
from whipbird.transport.sctp import MAX_MESSAGE_SIZE


def replies(*rtts: float | None) -> list[Reply]:
    return [Reply(number, 64, rtt) for number, rtt in enumerate(rtts, start=1)]


def test_summary() -> None:
    summary = Summary.of(replies(0.002, 0.004, 0.006, 0.008))
    assert (summary.sent, summary.received, summary.loss) == (4, 4, 0)
    assert (summary.min, summary.max) == (0.002, 0.008)
    assert summary.avg == pytest.approx(0.005)
    assert summary.mdev == pytest.approx(math.sqrt(5e-6))


def test_summary_with_losses() -> None:
    summary = Summary.of(replies(None, 0.001, None, 0.003))
    assert (summary.sent, summary.received, summary.loss) == (4, 2, 0.5)
    assert (summary.min, summary.max) == (0.001, 0.003)
    assert summary.avg == pytest.approx(0.002)
    assert summary.mdev == pytest.approx(0.001)


def test_summary_of_one() -> None:
    summary = Summary.of(replies(0.25))
    assert summary.min == summary.avg == summary.max == 0.25
    assert summary.mdev == 0


def test_summary_of_equal_ones() -> None:
    summary = Summary.of(replies(*[0.1] * 1000))
    assert summary.avg == pytest.approx(0.1)
    assert summary.mdev == pytest.approx(0, abs=1e-12)


def test_summary_of_losses_alone() -> None:
    summary = Summary.of(replies(None, None))
    assert summary == Summary(2, 0)
    assert summary.loss == 1
    assert summary.min is summary.avg is summary.max is summary.mdev is None


def test_summary_of_nothing() -> None:
    assert Summary.of([]) == Summary(0, 0)
    assert Summary.of([]).loss == 0


async def endpoint(aiohttp_server: AiohttpServer) -> tuple[str, web.Application]:
    app = create_app(Settings())
    server = await aiohttp_server(app)
    return str(server.make_url("/whip/live")), app


@pytest.mark.parametrize("size", [MIN_SIZE, 64, 5000, MAX_MESSAGE_SIZE])
async def test_ping(aiohttp_server: AiohttpServer, size: int) -> None:
    url, _ = await endpoint(aiohttp_server)
    async with WhipClient(url) as client:
        got = [reply async for reply in ping(client, count=3, interval=0, size=size)]
    assert [reply.sequence for reply in got] == [1, 2, 3]
    assert {reply.size for reply in got} == {size}
    assert all(reply.rtt is not None and reply.rtt > 0 for reply in got)


async def test_a_session_that_ends_between_two_pings(
    aiohttp_server: AiohttpServer,
) -> None:
    """ "WhipError: when no connection can be made, or it is lost." """
    url, app = await endpoint(aiohttp_server)
    count = 0

    async def ping_until_it_ends(client: WhipClient) -> None:
        nonlocal count
        async for _ in ping(client, count=50, interval=0.05, timeout=0.5):
            count += 1
            if count == 1:
                assert client.location is not None
                session = app[STORE].get(PUBLISHER, "live", client.location.name)
                assert session is not None
                session.end_soon(EndReason.SHUTDOWN)

    async with WhipClient(url) as client:
        with pytest.raises(WhipError):
            await ping_until_it_ends(client)
    assert count < 50


async def test_messages_larger_than_the_server_takes(
    aiohttp_server: AiohttpServer,
) -> None:
    """Said before anything is sent; RFC 8841 section 6.1 has the limit."""
    server = await aiohttp_server(create_app(Settings()))
    async with WhipClient(str(server.make_url("/whip/live"))) as client:
        with pytest.raises(WhipError, match="the server accepts at most 262144 octets"):
            async for _ in ping(client, count=1, size=MAX_MESSAGE_SIZE + 1):
                pass
