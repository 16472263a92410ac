"""Our own client in a network: it does all that there is to do, and says how it went.

python -m tests.networks.client URL
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiortc import MediaStreamTrack

from tests.waiting import until
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.rtc import DataChannel

from .cells import ACTIONS, Cell, as_json
from .world import SIZE, STREAM

# Messages, frames or pictures that are enough.
ENOUGH = 15
# Octets of messages: of one packet, and of many.
SIZES = (20, 60_000)
# Seconds for an action.
LIMIT = 60.0


class Connected(WhipClient):
    """A client that notes how long it takes to connect."""

    took = 0.0

    async def post(self) -> None:
        began = time.perf_counter()
        await super().post()
        self.took -= began

    async def connected(self) -> None:
        await super().connected()
        self.took += time.perf_counter()

    @property
    def cell(self) -> Cell:
        """How it is connected."""
        assert self.peer.peer_address is not None
        address, _ = self.peer.peer_address
        return Cell(connected=self.took, protocol="udp", address=address)


async def echoed(channel: DataChannel, *messages: bytes) -> None:
    """Send messages, and wait for exactly these.

    Raises:
        AssertionError: when others come back.
    """
    found: list[bytes | str] = []
    channel.on("message", found.append)
    for message in messages:
        channel.send(message)
    await until(lambda: len(found) >= len(messages))
    assert found == list(messages)
    channel.remove_listener("message", found.append)


@asynccontextmanager
async def channelled(url: str) -> AsyncIterator[tuple[Connected, DataChannel]]:
    """A client that is connected, with an open data channel."""
    async with Connected(f"{url}/whip/{secrets.token_hex(4)}") as client:
        channel = client.peer.createDataChannel("test")
        await client.connect()
        await client.opened(channel)
        yield client, channel


async def ping(url: str) -> Cell:
    async with channelled(url) as (client, channel):
        for size in SIZES:
            await echoed(channel, *(secrets.token_bytes(size) for _ in range(ENOUGH)))
        return client.cell


async def restart(url: str) -> Cell:
    async with channelled(url) as (client, channel):
        await echoed(channel, b"before")
        before = client.peer.local_ice.ice.ufrag
        began = time.perf_counter()
        await client.restart()
        took = time.perf_counter() - began
        assert client.peer.local_ice.ice.ufrag != before
        await echoed(channel, *(secrets.token_bytes(SIZES[-1]) for _ in range(ENOUGH)))
        return client.cell.replace(went_on=took)


async def publish(url: str) -> Cell:
    stream = secrets.token_hex(4)
    pattern = Pattern(SIZE, rate=30, codec="VP8", bitrate=1_000_000)
    async with Connected(f"{url}/whip/{stream}") as client:
        publication = Publication(pattern, client)
        await publication.connect()
        sending = asyncio.create_task(publication.run())
        try:
            async with aiohttp.ClientSession() as http:
                # Nothing in another process to await.
                while await received(http, url, stream) < ENOUGH:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        return client.cell


async def received(http: aiohttp.ClientSession, url: str, stream: str) -> int:
    """How many pictures of a stream the server has got."""
    async with http.get(f"{url}/api/streams/{stream}") as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
    layers = next(t["layers"] for t in found["tracks"] if t["kind"] == "video")
    if not layers or layers[0]["width"] is None:
        return 0
    assert (layers[0]["width"], layers[0]["height"]) == SIZE
    frames: int = layers[0]["frames"]
    return frames


async def watch(url: str) -> Cell:
    async with Connected(f"{url}/whep/{STREAM}") as client:
        frames: dict[str, list[Any]] = {"audio": [], "video": []}
        reading: list[asyncio.Task[None]] = []

        async def read(track: MediaStreamTrack) -> None:
            while True:
                frames[track.kind].append(await track.recv())

        client.peer.on("track", lambda t: reading.append(asyncio.create_task(read(t))))
        for kind in frames:
            client.peer.addTransceiver(kind, direction="recvonly")
        try:
            await client.connect()
            await until(lambda: all(len(f) >= ENOUGH for f in frames.values()))
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        assert {(f.width, f.height) for f in frames["video"]} == {SIZE}
        return client.cell


async def act(url: str) -> dict[str, Cell]:
    """Do everything, one after the other."""
    doing: dict[str, Callable[[str], Awaitable[Cell]]] = {
        "ping": ping,
        "publish": publish,
        "watch": watch,
        "restart": restart,
    }
    cells = {}
    for action in ACTIONS:
        try:
            async with asyncio.timeout(LIMIT):
                cells[action] = await doing[action](url)
        except Exception as error:
            cells[action] = Cell.failed(error)
    return cells


if __name__ == "__main__":
    print(json.dumps(as_json(asyncio.run(act(sys.argv[1])))))  # noqa: T201
