"""What viewers cost: CPU for each packet, time on its way, memory."""

import asyncio
import statistics
import time
from collections.abc import Sequence

from whipbird.client import WhipError

from . import echo
from .clients import Clients, TimedClient
from .clip import Clip
from .publisher import idle_cpu, publishing
from .servers import Server
from .sessions import FIRST, SETTLE, come_and_go
from .viewers import Viewers

# Of how many there are figures in the table.
SHOWN = (1, 50, 200)
# Seconds that those of one number may take to come.
JOIN_TIMEOUT = 15.0
# The 99th percentile of a frame's way that viewers put up with, in ms.
IN_TIME = 50.0
# Seconds for viewers to have caught up.
WARM_UP = 1.0


async def few_and_many(
    server: Server, clients: Clients, clips: Sequence[Clip], seconds: float
) -> dict[str, float]:
    """Let as many as in ``SHOWN`` watch one publisher.

    Returns:
        As below; of the textbook server, for those that it can be thought to have.
    """
    counts = [count for count in SHOWN if count <= max(server.program.viewers)]
    return await more_and_more(server, clients, clips, counts, seconds)


async def more_and_more(
    server: Server,
    clients: Clients,
    clips: Sequence[Clip],
    counts: Sequence[int],
    seconds: float,
) -> dict[str, float]:
    """Let more and more watch one publisher, until it is too much for the server.

    Args:
        clips: a picture and sound.
        counts: how many are tried, one number after another.
        seconds: how long each number watches, once all are there.

    Returns:
        How many have lost nothing and got their frames in time; and for each number
        that was tried, percent of a core for one viewer, its microseconds for one
        packet, and how long frames and, where they are forwarded, packets take from the
        publisher to the viewer, in ms.
    """
    figures = {"held": 0.0}
    async with (
        publishing(server, clients, clips, 1) as (publisher,),
        Viewers(server, clients) as viewers,
    ):
        idle = await idle_cpu(server)
        for count in counts:
            try:
                async with asyncio.timeout(JOIN_TIMEOUT):
                    await viewers.grow(count)
            except (TimeoutError, WhipError):
                # Too busy to take them.
                break
            await asyncio.sleep(WARM_UP)
            seen = await viewers.watch(publisher, seconds)
            video = seen.video
            lost = video.frames_missing + seen.audio_missing
            cpu = (seen.cpu - idle) / count
            delays = _spread(f"frame{count}", video.frame_delays)
            figures |= {
                f"cpu{count}": cpu * 100,
                f"packet{count}": cpu * 1e6 / seen.packets,
                **delays,
            }
            if server.program.forwards:
                lost += video.packets_missing
                figures |= _spread(f"delay{count}", video.packet_delays)
            if lost or delays.get(f"frame{count}p99", 0.0) > IN_TIME:
                break
            figures["held"] = count
    return figures


async def set_up(
    server: Server, clients: Clients, clips: Sequence[Clip], openings: int, count: int
) -> dict[str, float]:
    """Set up viewers of one publisher: one after another, then many that leave again.

    As in ``sessions``, what the clients do before and after it is not in the time.

    Args:
        openings: how many come one after another.
        count: how many come and go.

    Returns:
        The median time from sending the POST to being connected, in ms; viewers per
        second, some at once: POST, connected, DELETE; and the server's CPU time for
        one of these, in ms, without what the publisher costs.
    """
    async with publishing(server, clients, clips, 1):
        times = []

        async def visit(client: TimedClient) -> None:
            await client.connect()
            times.append(time.perf_counter() - client.posted)
            await client.delete()

        async def ready(number: int) -> list[TimedClient]:
            new = [clients.with_one_path(server.watch(0)) for _ in range(number)]
            for client in new:
                await client.prepare_to_watch()
            return new

        for client in await ready(openings):
            async with client:
                await visit(client)
        median = statistics.median(times)
        idle = await idle_cpu(server)
        elapsed, cpu = await come_and_go(server, await ready(count), visit)
    return {
        "connected": median * 1e3,
        "rate": count / elapsed,
        "cpu": (cpu - idle * elapsed) * 1e3 / count,
    }


async def pings_beside(
    server: Server, clients: Clients, clips: Sequence[Clip], seconds: float
) -> dict[str, float]:
    """Ping now and then while many watch.

    Returns:
        The median and the 99th percentile of the round trip, in ms.
    """
    async with (
        publishing(server, clients, clips, 1),
        Viewers(server, clients) as viewers,
    ):
        await viewers.grow(SHOWN[-1])
        await asyncio.sleep(WARM_UP)
        return await echo.paced_round_trips(server, clients, seconds)


async def memory(
    server: Server, clients: Clients, clips: Sequence[Clip], count: int
) -> dict[str, float]:
    """Hold viewers of a stream.

    Args:
        clips: a picture and sound; nothing, if the viewers wait for a publisher.

    Returns:
        The growth of the server's memory for one, in kB.
    """
    async with (
        publishing(server, clients, clips, 1 if clips else 0),
        Viewers(server, clients) as viewers,
    ):
        await viewers.grow(FIRST)
        await asyncio.sleep(SETTLE)
        first = server.memory()
        await viewers.grow(FIRST + count)
        await asyncio.sleep(SETTLE)
        return {"viewer": (server.memory() - first) / count / 1e3}


def _spread(name: str, delays: Sequence[int]) -> dict[str, float]:
    """The median and the 99th percentile, from ns to ms."""
    if len(delays) < 2:
        return {}
    cuts = statistics.quantiles(delays, n=100)
    return {f"{name}p50": cuts[49] / 1e6, f"{name}p99": cuts[98] / 1e6}
