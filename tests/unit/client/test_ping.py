"""Pings: sent on time, counted as late, reordered or lost, over sessions that end."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from whipbird.app import STORE, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.client.ping import (
    MIN_SIZE,
    Connected,
    Disconnected,
    Event,
    Ping,
    PingOptions,
)
from whipbird.client.round_trips import Overdue, PingStats, Reply, Unsent
from whipbird.config import Settings
from whipbird.echo import Echo
from whipbird.sdp.role import PUBLISHER
from whipbird.sessions import EndReason
from whipbird.transport.sctp import MAX_MESSAGE_SIZE

LIMIT = 30.0


async def endpoint(aiohttp_server: AiohttpServer) -> tuple[str, web.Application]:
    app = create_app(Settings())
    server = await aiohttp_server(app)
    return str(server.make_url("/whip/live")), app


async def pinged(
    url: str, options: PingOptions, on_event: Callable[[Event], None] | None = None
) -> tuple[list[Event], PingStats]:
    """Ping to the end, and return the events and the results."""
    events: list[Event] = []

    def heard(event: Event) -> None:
        events.append(event)
        if on_event is not None:
            on_event(event)

    ping = Ping(lambda: WhipClient(url), options, heard)
    async with asyncio.timeout(LIMIT):
        await ping.run()
    return events, ping.stats


def test_loss_is_of_what_is_settled() -> None:
    assert PingStats().loss == 0
    assert PingStats(sent=4, received=2).loss == 0.5
    on_the_way = PingStats(sent=5, received=2, waiting=1)
    assert (on_the_way.lost, on_the_way.loss) == (2, 0.5)


@pytest.mark.parametrize("size", [MIN_SIZE, 64, 5000, MAX_MESSAGE_SIZE])
async def test_ping(aiohttp_server: AiohttpServer, size: int) -> None:
    url, _ = await endpoint(aiohttp_server)
    events, stats = await pinged(url, PingOptions(count=3, interval=0, size=size))
    connected, *replies = events
    assert isinstance(connected, Connected)
    steps = [name for name, _ in connected.setup.steps]
    assert steps == ["offer", "answer", "ICE", "DTLS", "channel"]
    assert all(seconds >= 0 for _, seconds in connected.setup.steps)
    assert connected.setup.total > 0
    assert connected.address is not None
    for number, reply in enumerate(replies, start=1):
        assert isinstance(reply, Reply)
        assert (reply.sequence, reply.size) == (number, size)
        assert reply.rtt > 0
        assert not reply.is_reordered
    assert (stats.sent, stats.received, stats.lost) == (3, 3, 0)
    assert stats.min is not None
    assert stats.p50 is not None
    assert stats.p99 is not None
    assert stats.max is not None
    assert stats.min <= stats.p50 <= stats.p99 <= stats.max


class SlowEcho:
    """Keeps echoes back until it is told, and drops some for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: list[Callable[[], None]] = []
        self.holds = True
        self.drops: set[int] = set()
        self.seen = 0
        receive = Echo._echo

        def take(echo: Echo, *message: object) -> None:
            self.seen += 1
            if self.seen in self.drops:
                return

            def give() -> None:
                receive(echo, *message)  # type: ignore[arg-type]

            if self.holds:
                self.held.append(give)
            else:
                give()

        monkeypatch.setattr(Echo, "_echo", take)

    def let_go(self, order: int = 1) -> None:
        self.holds = False
        for give in self.held[::order]:
            give()
        self.held.clear()


async def test_messages_are_sent_on_time_and_late_echoes_are_not_lost(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of several intervals costs time, and no message."""
    url, _ = await endpoint(aiohttp_server)
    echo = SlowEcho(monkeypatch)

    def let_go(event: Event) -> None:
        # All but the last have been sent when the first of them is late.
        if isinstance(event, Overdue) and echo.holds:
            echo.let_go()

    options = PingOptions(count=5, interval=0.1, timeout=0.45, deadline=20)
    events, stats = await pinged(url, options, let_go)
    assert echo.seen == 5
    assert (stats.sent, stats.received, stats.lost) == (5, 5, 0)
    assert stats.late >= 1
    assert stats.reordered == 0
    first = next(event for event in events if isinstance(event, Reply))
    assert (first.sequence, first.is_late) == (1, True)
    assert first.rtt > options.timeout


async def test_what_comes_out_of_order_and_what_never_comes(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = await endpoint(aiohttp_server)
    echo = SlowEcho(monkeypatch)
    echo.drops = {2}
    sent_all = asyncio.Event()

    async def watch() -> None:
        async with asyncio.timeout(LIMIT):
            while echo.seen < 4:  # noqa: ASYNC110 - no event of the server's
                await asyncio.sleep(0.01)
        echo.let_go(-1)
        sent_all.set()

    watching = asyncio.create_task(watch())
    options = PingOptions(
        count=4, interval=0.02, timeout=2.0, ordered=False, max_retransmits=0
    )
    _, stats = await pinged(url, options)
    await watching
    assert (stats.sent, stats.received, stats.lost, stats.loss) == (4, 3, 1, 0.25)
    assert stats.reordered == 2


async def test_the_deadline_ends_it(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """... though nothing comes back, and more is to be sent."""
    url, _ = await endpoint(aiohttp_server)
    SlowEcho(monkeypatch)
    options = PingOptions(interval=0.05, timeout=60, deadline=0.3)
    _, stats = await pinged(url, options)
    assert stats.sent >= 2
    assert (stats.received, stats.lost, stats.waiting) == (0, stats.sent, 0)


async def test_what_is_on_the_way_when_it_is_interrupted_is_not_lost(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = await endpoint(aiohttp_server)
    echo = SlowEcho(monkeypatch)
    ping = Ping(lambda: WhipClient(url), PingOptions(interval=30, timeout=30))
    running = asyncio.create_task(ping.run())
    async with asyncio.timeout(LIMIT):
        while not echo.seen:  # noqa: ASYNC110 - no event of the server's
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (ping.stats.sent, ping.stats.waiting, ping.stats.loss) == (1, 1, 0)


def end_session(app: web.Application, clients: list[WhipClient]) -> None:
    location = clients[-1].location
    assert location is not None
    session = app[STORE].get(PUBLISHER, "live", location.name)
    assert session is not None
    session.end_soon(EndReason.SHUTDOWN)


async def test_a_session_that_ends_between_two_pings(
    aiohttp_server: AiohttpServer,
) -> None:
    """ "WhipError: ... when one is lost and there is to be no other." """
    url, app = await endpoint(aiohttp_server)
    clients: list[WhipClient] = []

    def connect() -> WhipClient:
        clients.append(WhipClient(url))
        return clients[-1]

    def end(event: Event) -> None:
        if isinstance(event, Reply) and event.sequence == 1:
            end_session(app, clients)

    ping = Ping(connect, PingOptions(count=500, interval=0.02, timeout=0.5), end)
    async with asyncio.timeout(LIMIT):
        with pytest.raises(WhipError, match="Connection lost"):
            await ping.run()
    assert ping.stats.sent < 500
    assert ping.stats.waiting == 0


async def test_another_session_after_one_that_has_ended(
    aiohttp_server: AiohttpServer,
) -> None:
    """Messages that are due meanwhile are lost; the numbers go on."""
    url, app = await endpoint(aiohttp_server)
    clients: list[WhipClient] = []
    events: list[Event] = []

    def connect() -> WhipClient:
        clients.append(WhipClient(url))
        return clients[-1]

    def heard(event: Event) -> None:
        events.append(event)
        if isinstance(event, Reply) and event.sequence == 2:
            end_session(app, clients)

    options = PingOptions(count=100, interval=0.02, timeout=5, reconnect=True)
    ping = Ping(connect, options, heard)
    async with asyncio.timeout(LIMIT):
        await ping.run()
    assert len(clients) == ping.stats.sessions == 2
    assert [type(e) for e in events if isinstance(e, Connected | Disconnected)] == [
        Connected,
        Disconnected,
        Connected,
    ]
    replies = [e.sequence for e in events if isinstance(e, Reply)]
    unsent = [e.sequence for e in events if isinstance(e, Unsent)]
    overdue = [e.sequence for e in events if isinstance(e, Overdue)]
    assert replies == sorted(replies)
    assert replies[-1] == 100
    assert sorted([*replies, *unsent, *overdue]) == list(range(1, 101))
    assert ping.stats.lost == len(unsent) + len(overdue)


async def test_a_server_that_was_killed_is_asked_whether_the_session_is_there(
    aiohttp_server: AiohttpServer,
) -> None:
    """It says no good-bye; the next one does not know the session."""
    url, app = await endpoint(aiohttp_server)
    clients: list[WhipClient] = []
    events: list[Event] = []
    again = asyncio.Event()

    def connect() -> WhipClient:
        clients.append(WhipClient(url))
        return clients[-1]

    def heard(event: Event) -> None:
        events.append(event)
        if isinstance(event, Reply) and len(clients) == 1:
            # Nothing comes through any more, and the server forgets the session.
            clients[0].peer.connection.vanish()
            end_session(app, clients)
        elif isinstance(event, Connected) and len(clients) == 2:
            again.set()

    options = PingOptions(interval=0.02, timeout=0.1, reconnect=True)
    ping = Ping(connect, options, heard)
    running = asyncio.create_task(ping.run())
    async with asyncio.timeout(LIMIT):
        await again.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert any(isinstance(e, Overdue) for e in events)
    assert sum(isinstance(e, Disconnected) for e in events) == 1


async def test_messages_larger_than_the_server_takes(
    aiohttp_server: AiohttpServer,
) -> None:
    """Said before anything is sent; RFC 8841 section 6.1 has the limit."""
    url, _ = await endpoint(aiohttp_server)
    with pytest.raises(WhipError, match="the server accepts at most 262144 octets"):
        await pinged(url, PingOptions(count=1, size=MAX_MESSAGE_SIZE + 1))
