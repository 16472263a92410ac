"""What a session costs: time to open, CPU to come and go, memory to stay."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from .clients import Clients, TimedClient, Wire
from .servers import Server

# Sessions that are set up at the same time.
AT_ONCE = 10

# Sessions held before memory is read first, so that what the first few make once
# (imports, caches, buffers) is not counted.
FIRST = 20
# Seconds for both sides to come to rest.
SETTLE = 1.0


async def post_to_open(
    server: Server, clients: Clients, count: int
) -> dict[str, float]:
    """Set up sessions one after another.

    Returns:
        The median times from sending the POST to its answer, and to the open channel,
        in ms.
    """
    answers, times = [], []
    for _ in range(count):
        async with clients.wired(server.publish()) as wire:
            client = wire.client
            times.append(time.perf_counter() - client.posted)
            answers.append(client.answered - client.posted)
    return {
        "answer": statistics.median(answers) * 1e3,
        "open": statistics.median(times) * 1e3,
    }


async def turnover(server: Server, clients: Clients, count: int) -> dict[str, float]:
    """Set up and end sessions, ``AT_ONCE`` at a time: POST, open channel, DELETE.

    The clients' preparations and their end are not within the time: with one core
    for each side, the client would be what is measured.

    Returns:
        Sessions per second, and the server's CPU time for one, in ms.
    """
    ready = [clients.new(server.publish()) for _ in range(count)]
    channels = {client: await client.prepare() for client in ready}

    async def visit(client: TimedClient) -> None:
        await client.post()
        await client.opened(channels[client])
        await client.delete()

    elapsed, cpu = await come_and_go(server, ready, visit)
    return {"rate": count / elapsed, "cpu": cpu * 1e3 / count}


async def come_and_go(
    server: Server,
    ready: Sequence[TimedClient],
    visit: Callable[[TimedClient], Awaitable[None]],
) -> tuple[float, float]:
    """Let clients visit a server, ``AT_ONCE`` at a time, and close them.

    Returns:
        Seconds until all have been there, and the server's CPU time meanwhile.
    """
    waiting = iter(ready)

    async def work() -> None:
        for client in waiting:
            await visit(client)

    try:
        began, cpu = time.perf_counter(), server.cpu()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        return time.perf_counter() - began, server.cpu() - cpu
    finally:
        await asyncio.gather(*(client.close() for client in ready))


async def memory(server: Server, clients: Clients, count: int) -> dict[str, float]:
    """Hold sessions that are connected and idle.

    Returns:
        The growth of the server's memory for one, in kB.
    """
    wires: list[Wire] = []

    async def hold(more: int) -> float:
        while more:
            batch = min(more, AT_ONCE)
            async with asyncio.TaskGroup() as group:
                opening = [
                    group.create_task(clients.wire(server.publish()))
                    for _ in range(batch)
                ]
            wires.extend(task.result() for task in opening)
            more -= batch
        await asyncio.sleep(SETTLE)
        return server.memory()

    try:
        first = await hold(FIRST)
        growth = await hold(count) - first
    finally:
        await asyncio.gather(*(wire.client.close() for wire in wires))
    return {"session": growth / count / 1e3}
