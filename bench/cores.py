"""What a second worker adds: the load that a server of two takes, to that of one.

The client is one process, and has as much to do as the server. So it is not the rates
that are compared, but what the same load costs the busiest worker: a server is full
when one of its workers is.

What would compare something else is kept away: all workers are on the server's core, as
the one process is, not beside the client, whose work would drive theirs out of the
caches; each has served sessions before, since the first ones cost more; sessions come
to one worker after another, so that as many come at once to each as to the one process;
and viewers are so many that publishers and timers are a small part of the load.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
from yarl import URL

from whipbird.net.shard import Shard

from . import echo, sessions
from .clients import Clients
from .clip import Clip
from .publisher import publishing
from .servers import START_TIMEOUT, Server, running
from .viewers import Viewers

WORKERS = 2

# Viewers of each of the two streams, and of the one stream: a quarter of what fills a
# core. Streams with far fewer need no second worker.
VIEWERS = 50
VIEWERS_OF_ONE = 200

# Sessions that each worker has served before.
FIRST = 20

# Seconds for viewers to have caught up.
WARM_UP = 1.0

# Octets of a message of the echo, and how many are on their way.
MESSAGE = 1_000
WINDOW = 64

_Cost = Callable[[Sequence[Server]], Awaitable[float]]


async def ratios(
    one: Server,
    clients: Clients,
    clips: Sequence[Clip],
    count: int,
    seconds: float,
) -> dict[str, float]:
    """Compare a server of one process with one of two workers, in turn.

    Args:
        one: the server of one process, on the core of the servers.
        clips: a picture and sound.
        count: sessions that come and go.
        seconds: of echoes, and of watching.

    Returns:
        How many times the load of one the server of two takes: of sessions, of
        messages that are echoed, of viewers of two streams, and of one.
    """
    several = replace(
        one.program, arguments=(*one.program.arguments, "--workers", str(WORKERS))
    )

    async def turnover(at: Sequence[Server]) -> float:
        return await _sessions(at, clients, count // WORKERS)

    async def echoes(at: Sequence[Server]) -> float:
        return await _echoes(at, clients, seconds)

    async def viewers(at: Sequence[Server]) -> float:
        return await _viewers(at, at, clients, clips, VIEWERS, seconds)

    async def viewers_of_one(at: Sequence[Server]) -> float:
        return await _viewers(at[:1], at, clients, clips, VIEWERS_OF_ONE, seconds)

    # The supervisor's core is that of its workers.
    async with running(several, _core_of(one)) as two:
        pids = await _worker_pids(two)
        of_one = [_with_stream(one, worker, one.pid) for worker in range(WORKERS)]
        of_two = [_with_stream(two, worker, pids[worker]) for worker in range(WORKERS)]
        for servers in (of_one, of_two):
            await _sessions(servers, clients, FIRST)
        figures = {}
        for name, cost in (
            ("sessions", turnover),
            ("echo", echoes),
            ("viewers", viewers),
            ("viewers_of_one", viewers_of_one),
        ):
            figures[name] = await cost(of_one) / await cost(of_two)
    return figures


def _core_of(server: Server) -> int | None:
    """The core that a server has; None if it may use several."""
    assert server.pid is not None
    cores = os.sched_getaffinity(server.pid)
    return cores.pop() if len(cores) == 1 else None


def _with_stream(server: Server, worker: int, pid: int | None) -> Server:
    """A server with a stream of one worker, as one process of it."""
    shard = Shard(worker, WORKERS)
    # Publishers add a number to the name.
    number = next(n for n in range(10_000) if shard.owns(f"cores{n}-0"))
    return replace(server, stream=f"cores{number}", pid=pid)


async def _worker_pids(server: Server) -> list[int]:
    """The processes of a server's workers, once all of them run.

    Raises:
        TimeoutError: when they do not in time.
    """
    url = URL(server.url).with_path("/api/status")
    async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as http:
        while True:
            async with http.get(url) as response:
                workers = (await response.json())["workers"]
            running = [one["pid"] for one in workers if one["state"] == "running"]
            if len(running) == WORKERS:
                return running
            await asyncio.sleep(0.05)


class _Busiest:
    """The CPU time of the process that uses most, in seconds."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = {server.pid: server for server in servers}
        self._before = {pid: one.cpu() for pid, one in self._servers.items()}

    @property
    def cpu(self) -> float:
        return max(one.cpu() - self._before[pid] for pid, one in self._servers.items())


async def _sessions(servers: Sequence[Server], clients: Clients, count: int) -> float:
    """The busiest worker's CPU time for one session, in seconds."""
    busiest = _Busiest(servers)
    for server in servers:
        await sessions.turnover(_named(server), clients, count)
    return busiest.cpu / (count * len(servers))


def _named(server: Server) -> Server:
    """A server whose stream has the name of its first publisher's."""
    return replace(server, stream=f"{server.stream}-0")


async def _echoes(servers: Sequence[Server], clients: Clients, seconds: float) -> float:
    """The busiest worker's CPU time for one MB, in seconds."""
    busiest, began = _Busiest(servers), time.perf_counter()
    found = await asyncio.gather(
        *(
            echo.throughput(_named(server), clients, MESSAGE, WINDOW, seconds)
            for server in servers
        )
    )
    elapsed = time.perf_counter() - began
    return busiest.cpu / (sum(one["rate"] for one in found) * elapsed)


async def _viewers(
    servers: Sequence[Server],
    processes: Sequence[Server],
    clients: Clients,
    clips: Sequence[Clip],
    count: int,
    seconds: float,
) -> float:
    """The busiest worker's CPU time for one packet to a viewer, in seconds.

    Args:
        servers: each has one stream.
        processes: all workers.
        count: viewers of each stream.
    """
    async with AsyncExitStack() as stack:
        watched = []
        for server in servers:
            published = publishing(server, clients, clips, 1)
            (publisher,) = await stack.enter_async_context(published)
            viewers = Viewers(server, clients)
            await stack.enter_async_context(viewers)
            await viewers.grow(count)
            watched.append((publisher, viewers))
        await asyncio.sleep(WARM_UP)
        busiest, began = _Busiest(processes), time.perf_counter()
        seen = await asyncio.gather(
            *(viewers.watch(publisher, seconds) for publisher, viewers in watched)
        )
        cpu, elapsed = busiest.cpu, time.perf_counter() - began
        return cpu / (sum(one.packets for one in seen) * count * elapsed)
