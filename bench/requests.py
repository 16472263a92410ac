"""What a request over HTTP costs."""

import asyncio
import time

import aiohttp

from .servers import Server

# Connections, each with a request on its way at all times.
AT_ONCE = 10
WARM_UP = 0.3


async def options(server: Server, seconds: float) -> dict[str, float]:
    """Ask the WHIP endpoint for its OPTIONS again and again.

    Whatever it answers counts: some servers know no OPTIONS.

    Returns:
        Requests per second, and the server's CPU time for one, in microseconds.
    """
    endpoint, count = server.publish(), 0

    async def ask(http: aiohttp.ClientSession) -> None:
        nonlocal count
        while True:
            async with http.options(endpoint.url) as response:
                await response.read()
            count += 1

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(http)) for _ in range(AT_ONCE)]
        await asyncio.sleep(WARM_UP)
        before, began, cpu = count, time.perf_counter(), server.cpu()
        await asyncio.sleep(seconds)
        elapsed, cpu = time.perf_counter() - began, server.cpu() - cpu
        answered = count - before
        for task in asking:
            task.cancel()
    return {"rate": answered / elapsed, "cpu": cpu * 1e6 / answered}
