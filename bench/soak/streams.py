"""Publishers, viewers and recordings that come and go."""

import asyncio
import random
from collections.abc import Callable

import aiohttp
from yarl import URL

from ..clients import BenchError, Clients
from ..clip import Clip
from ..publisher import Publisher
from ..servers import Endpoint
from ..viewer import Viewer
from .sessions import vanish
from .tally import Tally

GoesOn = Callable[[], bool]

# Seconds: of a publisher until another takes its place, of a viewer, of a recording.
PUBLISHING = 3.5
WATCHING = 2.0
RECORDING = 2.5

# Seconds between two looks for packets.
_READ_INTERVAL = 0.1
# Seconds for a stream's first packet, or a recording's first frame.
_FIRST = 15.0


async def publish(
    url: str,
    clients: Clients,
    clips: list[Clip],
    tally: Tally,
    goes_on: GoesOn,
    *,
    changes: bool,
) -> None:
    """Publish a stream.

    Args:
        changes: every few seconds another publisher takes over.
    """
    while goes_on():
        with tally.expecting(f"publisher of {URL(url).name}"):
            await _publish(url, clients, clips, tally, goes_on, changes)


async def _publish(
    url: str,
    clients: Clients,
    clips: list[Clip],
    tally: Tally,
    goes_on: GoesOn,
    changes: bool,
) -> None:
    loop = asyncio.get_running_loop()
    client = clients.new(Endpoint(url))
    before: Publisher | None = None
    try:
        while True:
            publisher = Publisher(client, clips)
            if before is not None:
                before.stop()
            await publisher.connect()
            tally.counts["publishers"] += 1
            publisher.start(loop.time())
            began = loop.time()
            before = publisher
            while goes_on() and not (changes and loop.time() - began > PUBLISHING):  # noqa: ASYNC110 - time passes
                await asyncio.sleep(_READ_INTERVAL)
            if not goes_on():
                return
            # The new one has the same certificate, so it need not wait.
            old, client = client, clients.new(Endpoint(url))
            old.location = None
            tally.counts["takeovers"] += 1
            publisher.stop()
            await old.close()
    finally:
        if before is not None:
            before.stop()
        await client.close()


async def watch(
    url: str,
    clients: Clients,
    tally: Tally,
    rng: random.Random,
    goes_on: GoesOn,
    may_vanish: GoesOn,
) -> None:
    """One viewer after another: packets come, as long as it watches."""
    number = 0
    while goes_on():
        number += 1
        with tally.expecting(f"viewer of {URL(url).name}"):
            vanishes = may_vanish() and number % 3 == 0
            await _watch(url, clients, tally, number, goes_on, vanishes)
        await asyncio.sleep(rng.random() * 0.3)


async def _watch(
    url: str,
    clients: Clients,
    tally: Tally,
    number: int,
    goes_on: GoesOn,
    vanishes: bool,
) -> None:
    loop = asyncio.get_running_loop()
    client = clients.with_one_path(Endpoint(url))
    viewer = Viewer(client, number)
    try:
        await viewer.connect()
        tally.counts["viewers"] += 1
        began, first = loop.time(), None
        while first is None or loop.time() - first < WATCHING:
            viewer.read()
            if first is None and viewer.arrivals.times:
                first = loop.time()
            if first is None and not goes_on():
                # The publishers have gone.
                return
            if first is None and loop.time() - began > _FIRST:
                raise BenchError("no packet came")
            await asyncio.sleep(_READ_INTERVAL)
        tally.counts["packets watched"] += len(viewer.arrivals.times)
        if vanishes:
            vanish(client)
            tally.counts["viewers killed"] += 1
    finally:
        await viewer.close()


async def record(
    url: URL, stream: str, tally: Tally, goes_on: GoesOn, said: dict[str, int]
) -> None:
    """One recording after another.

    Args:
        url: of the server.
        said: file -> pictures that the server said it had written to it.
    """
    async with aiohttp.ClientSession() as http:
        resource = url / "api" / "streams" / stream / "recording"
        while goes_on():
            try:
                await _record(http, resource, tally, said)
            except (aiohttp.ClientError, BenchError, TimeoutError) as error:
                tally.fail(f"recording: {error or type(error).__name__}")
            await asyncio.sleep(0.5)


async def _record(
    http: aiohttp.ClientSession, resource: URL, tally: Tally, said: dict[str, int]
) -> None:
    async with http.post(resource) as response:
        if response.status == 404:
            # Nobody publishes yet, or any more.
            return
        response.raise_for_status()
    await asyncio.sleep(RECORDING)
    async with http.get(resource) as response:
        state = await response.json()
    async with http.delete(resource) as response:
        response.raise_for_status()
    if state["state"] == "failed":
        raise BenchError(f"it has failed: {state['problem']}")
    if state.get("file"):
        # What is said to be written is in the file, and what came since.
        said[state["file"]] = state["frames"]["video"]
        tally.counts["recordings"] += 1
