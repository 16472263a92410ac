"""What viewers cost: CPU for each packet, time on its way, memory."""

import asyncio
import statistics
from collections.abc import Sequence

from whipbird.client import WhipError

from .clients import Clients
from .clip import Clip
from .publisher import IDLE, publishing
from .servers import Server
from .sessions import FIRST, SETTLE
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
        idle = server.cpu()
        await asyncio.sleep(IDLE)
        idle = (server.cpu() - idle) / IDLE
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
