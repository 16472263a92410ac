"""Publishers of media that was encoded beforehand, so that they cost little."""

import asyncio
import re
import struct
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from yarl import URL

from whipbird.client import WhipClient

from .clients import Clients
from .clip import FRAME_RATE, Clip
from .servers import Server

# How many there are: beside the textbook server, which cannot do more, and alone.
FEW = 4
MANY = (1, 25, 100)
# Seconds to measure an idle server, and until the publishers' streams are steady.
IDLE = 1.0
WARM_UP = 1.5
# Seconds from one packet's arrival to the server's account of it, at most.
SETTLE = 0.5


class Player:
    """Sends a clip again and again, at its speed.

    Args:
        client: a publisher's, connected.
        clip: what it has offered to send.

    Attributes:
        clip: what is sent.
        sent_at: when each packet was sent, of ``time.time_ns``.
        octets: how many were sent in all, without headers.
    """

    def __init__(self, client: WhipClient, clip: Clip) -> None:
        self.clip = clip
        self.sent_at = array("q")
        self.octets = 0
        self._transport = client.peer.connection
        section = client.offer.partition(f"\nm={clip.kind}")[2].partition("\nm=")[0]
        payload_type = re.search(rf"a=rtpmap:(\d+) {clip.rtpmap}", section)
        ssrc = re.search(r"a=ssrc:(\d+) ", section)
        assert payload_type is not None
        assert ssrc is not None
        self._payload_type, self._ssrc = int(payload_type[1]), int(ssrc[1])
        self._frame = 0
        self._began = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, at: float) -> None:
        """Begin at a time of the loop's clock."""
        self._began = at
        self._timer = self._loop.call_at(at, self._send)

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        clip, sent_at, send = self.clip, self.sent_at, self._transport.send_rtp
        timestamp = clip.timestamp(self._frame) & 0xFFFFFFFF
        payloads = clip.payloads(self._frame)
        last = len(payloads) - 1
        for number, payload in enumerate(payloads):
            header = struct.pack(
                "!BBHII",
                0x80,
                (number == last and clip.kind == "video") << 7 | self._payload_type,
                len(sent_at) & 0xFFFF,
                timestamp,
                self._ssrc,
            )
            sent_at.append(time.time_ns())
            send(header + payload)
            self.octets += len(payload)
        self._frame += 1
        due = self._began + self._frame * clip.ticks / clip.clock_rate
        self._timer = self._loop.call_at(due, self._send)


class Publisher:
    """Plays clips together, each as a track of one stream.

    Attributes:
        players: one for each, in their order.
    """

    def __init__(self, client: WhipClient, clips: Sequence[Clip]) -> None:
        self.players: list[Player] = []
        self._client = client
        self._clips = clips

    @property
    def packets(self) -> int:
        """How many were sent."""
        return sum(len(player.sent_at) for player in self.players)

    @property
    def octets(self) -> int:
        """How many were sent, without headers."""
        return sum(player.octets for player in self.players)

    async def connect(self) -> None:
        """Offer the tracks, and wait for the connection."""
        for clip in self._clips:
            self._client.peer.addTransceiver(clip.kind, direction="sendonly")
        await self._client.connect()
        self.players = [Player(self._client, clip) for clip in self._clips]

    def start(self, at: float) -> None:
        """Begin at a time of the loop's clock."""
        for player in self.players:
            player.start(at)

    def stop(self) -> None:
        """Send nothing more."""
        for player in self.players:
            player.stop()


@asynccontextmanager
async def publishing(
    server: Server, clients: Clients, clips: Sequence[Clip], count: int
) -> AsyncIterator[list[Publisher]]:
    """Publish the clips several times at once, each time as a stream of its own."""
    loop = asyncio.get_running_loop()
    publishers: list[Publisher] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            client = await stack.enter_async_context(
                clients.new(server.publish(number))
            )
            publisher = Publisher(client, clips)
            await publisher.connect()
            publishers.append(publisher)
        now = loop.time()
        for number, publisher in enumerate(publishers):
            stack.callback(publisher.stop)
            # As they come in life: evenly, not all in one moment.
            publisher.start(now + number / count / FRAME_RATE)
        await asyncio.sleep(WARM_UP)
        yield publishers


async def few(
    server: Server, clients: Clients, clips: Sequence[Clip], seconds: float
) -> dict[str, float]:
    """A few publishers at once.

    Returns:
        Percent of a core that the server uses for one, and the Mb/s that each sends.
    """
    idle = await idle_cpu(server)
    async with publishing(server, clients, clips, FEW) as publishers:
        cpu, sent = await _measured(server, publishers, seconds)
    return {"cpu": (cpu - idle) / FEW * 100, "sent": sent}


async def packet(
    server: Server,
    clients: Clients,
    clips: Sequence[Clip],
    count: int,
    seconds: float,
) -> float:
    """Some publishers at once.

    Returns:
        The server's CPU time for one packet, in microseconds.
    """
    idle = await idle_cpu(server)
    async with publishing(server, clients, clips, count) as publishers:
        packets = sum(publisher.packets for publisher in publishers)
        cpu, _ = await _measured(server, publishers, seconds)
        packets = sum(publisher.packets for publisher in publishers) - packets
    return (cpu - idle) * seconds * 1e6 / packets


async def many(
    server: Server, clients: Clients, clips: Sequence[Clip], seconds: float
) -> dict[str, float]:
    """More and more publishers at once.

    Returns:
        Percent of a core for one of so many, and how many packets of the most were
        lost, of how many.
    """
    idle = await idle_cpu(server)
    figures: dict[str, float] = {}
    for count in MANY:
        async with publishing(server, clients, clips, count) as publishers:
            cpu, _ = await _measured(server, publishers, seconds)
            figures[f"cpu{count}"] = (cpu - idle) / count * 100
            for publisher in publishers:
                publisher.stop()
            await asyncio.sleep(SETTLE)
            sent = sum(publisher.packets for publisher in publishers)
            figures |= {"packets": sent, "lost": sent - await _received(server)}
    return figures


async def soak(
    server: Server, clients: Clients, clips: Sequence[Clip], seconds: float
) -> dict[str, float]:
    """A few publishers for a long time.

    Returns:
        The server's memory in MB after a tenth of it, and at the end.
    """
    async with publishing(server, clients, clips, FEW):
        await asyncio.sleep(seconds / 10)
        early = server.memory()
        await asyncio.sleep(seconds * 9 / 10)
        late = server.memory()
    return {"early": early / 1e6, "late": late / 1e6}


async def idle_cpu(server: Server) -> float:
    """Cores that the server uses for what is there already."""
    cpu = server.cpu()
    await asyncio.sleep(IDLE)
    return (server.cpu() - cpu) / IDLE


async def _measured(
    server: Server, publishers: Sequence[Publisher], seconds: float
) -> tuple[float, float]:
    """Cores that the server uses, and the Mb/s that each publisher sends."""
    octets = sum(publisher.octets for publisher in publishers)
    began, cpu = time.perf_counter(), server.cpu()
    await asyncio.sleep(seconds)
    elapsed, cpu = time.perf_counter() - began, server.cpu() - cpu
    octets = sum(publisher.octets for publisher in publishers) - octets
    return cpu / elapsed, octets * 8 / 1e6 / elapsed / len(publishers)


async def _received(server: Server) -> int:
    """How many packets Whipbird has received, of all that is published now."""
    url = URL(server.url).with_path("/api/streams")
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        streams = (await response.json())["streams"]
    return sum(
        layer["packets"]
        for stream in streams
        for track in stream["tracks"]
        for layer in track["layers"]
    )
