"""Publishers of video that was encoded beforehand, so that they cost little."""

import asyncio
import re
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from typing import cast

import aiohttp
import av
from av.video.frame import VideoFrame
from yarl import URL

from .clients import Clients, TimedClient
from .servers import Server

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
# Frames of the clip; it begins with the key frame, so one comes every two seconds.
LENGTH = 60
# What libvpx is told, in bits per second. Of this picture it makes about 2.5 Mb/s.
TARGET = 1_350_000

# How many there are: beside the textbook server, which cannot do more, and alone.
FEW = 4
MANY = (1, 25, 100)
# Seconds to measure an idle server, and until the publishers' streams are steady.
IDLE = 1.0
WARM_UP = 1.5
# Seconds from one packet's arrival to the server's account of it, at most.
SETTLE = 0.5

_CLOCK_RATE = 90_000
# Octets of a payload: with all headers it fits into any path.
_PAYLOAD_SIZE = 1180


def encode_clip() -> list[bytes]:
    """Encode a moving test picture with noise as VP8.

    Returns:
        Its frames.
    """
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={FRAME_RATE}")
    noise = graph.add("noise", "alls=8:allf=t")
    pixels = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    source.link_to(noise)
    noise.link_to(pixels)
    pixels.link_to(sink)
    graph.configure()

    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = Fraction(1, FRAME_RATE)
    encoder.bit_rate = TARGET
    encoder.gop_size = LENGTH
    encoder.options = {
        "minrate": str(TARGET),
        "maxrate": str(TARGET),
        "bufsize": str(TARGET // 2),
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
    }
    frames: list[bytes] = []
    for _ in range(LENGTH):
        picture = cast(VideoFrame, graph.pull())
        frames.extend(bytes(packet) for packet in encoder.encode(picture))
    frames.extend(bytes(packet) for packet in encoder.encode(None))
    return frames


def packetize(frames: Sequence[bytes]) -> list[list[bytes]]:
    """The RTP payloads of VP8 frames (RFC 7741), in the shortest form."""
    return [
        [
            (b"\x00" if start else b"\x10") + frame[start : start + _PAYLOAD_SIZE]
            for start in range(0, len(frame), _PAYLOAD_SIZE)
        ]
        for frame in frames
    ]


class Publisher:
    """Plays a clip again and again, at its frame rate.

    Attributes:
        packets, octets: how many were sent.
    """

    def __init__(self, client: TimedClient, clip: list[list[bytes]]) -> None:
        self.packets = 0
        self.octets = 0
        self._client = client
        self._clip = clip
        self._frame = 0
        self._began = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self) -> None:
        """Offer VP8, and wait for the connection."""
        self._client.peer.addTransceiver("video", direction="sendonly")
        await self._client.connect()
        payload_type = re.search(r"a=rtpmap:(\d+) VP8/90000", self._client.offer)
        ssrc = re.search(r"a=ssrc:(\d+) ", self._client.offer)
        assert payload_type is not None
        assert ssrc is not None
        self._payload_type, self._ssrc = int(payload_type[1]), int(ssrc[1])

    def start(self, at: float) -> None:
        """Begin at a time of the loop's clock."""
        self._began = at
        self._timer = self._loop.call_at(at, self._send)

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        timestamp = self._frame * _CLOCK_RATE // FRAME_RATE & 0xFFFFFFFF
        payloads = self._clip[self._frame % len(self._clip)]
        send = self._client.peer.transport.send_rtp
        last = len(payloads) - 1
        for number, payload in enumerate(payloads):
            header = struct.pack(
                "!BBHII",
                0x80,
                (number == last) << 7 | self._payload_type,
                self.packets & 0xFFFF,
                timestamp,
                self._ssrc,
            )
            send(header + payload)
            self.packets += 1
            self.octets += len(payload)
        self._frame += 1
        due = self._began + self._frame / FRAME_RATE
        self._timer = self._loop.call_at(due, self._send)


@asynccontextmanager
async def publishing(
    server: Server, clients: Clients, clip: list[list[bytes]], count: int
) -> AsyncIterator[list[Publisher]]:
    """Publish the clip several times at once, each as a stream of its own."""
    loop = asyncio.get_running_loop()
    publishers: list[Publisher] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            client = await stack.enter_async_context(
                clients.new(f"{server.url}-{number}")
            )
            publisher = Publisher(client, clip)
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
    server: Server, clients: Clients, clip: list[list[bytes]], seconds: float
) -> dict[str, float]:
    """A few publishers at once.

    Returns:
        Percent of a core that the server uses for one, and the Mb/s that each sends.
    """
    idle = await _idle(server)
    async with publishing(server, clients, clip, FEW) as publishers:
        cpu, sent = await _measured(server, publishers, seconds)
    return {"cpu": (cpu - idle) / FEW * 100, "sent": sent}


async def many(
    server: Server, clients: Clients, clip: list[list[bytes]], seconds: float
) -> dict[str, float]:
    """More and more publishers at once.

    Returns:
        Percent of a core for one of so many, and how many packets of the most were
        lost, of how many.
    """
    idle = await _idle(server)
    figures: dict[str, float] = {}
    for count in MANY:
        async with publishing(server, clients, clip, count) as publishers:
            cpu, _ = await _measured(server, publishers, seconds)
            figures[f"cpu{count}"] = (cpu - idle) / count * 100
            for publisher in publishers:
                publisher.stop()
            await asyncio.sleep(SETTLE)
            sent = sum(publisher.packets for publisher in publishers)
            figures |= {"packets": sent, "lost": sent - await _received(server)}
    return figures


async def soak(
    server: Server, clients: Clients, clip: list[list[bytes]], seconds: float
) -> dict[str, float]:
    """A few publishers for a long time.

    Returns:
        The server's memory in MB after a tenth of it, and at the end.
    """
    async with publishing(server, clients, clip, FEW):
        await asyncio.sleep(seconds / 10)
        early = server.memory()
        await asyncio.sleep(seconds * 9 / 10)
        late = server.memory()
    return {"early": early / 1e6, "late": late / 1e6}


async def _idle(server: Server) -> float:
    """Cores that the server uses for nothing."""
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
