"""Publishers of video that was encoded beforehand, so that they cost little."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from fractions import Fraction
from typing import cast

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.stats import RTCRemoteInboundRtpStreamStats
from av.stream import Stream
from av.video.frame import VideoFrame

from .clients import Clients
from .servers import Server

WIDTH, HEIGHT, FRAME_RATE = 1280, 720, 30
# Frames of the clip; it begins with the key frame, so one comes every two seconds.
LENGTH = 60
# What libvpx is told, in bits per second. Of this picture it makes about 2.5 Mb/s.
TARGET = 1_350_000

PUBLISHERS = 4
# Seconds to measure an idle server, and until the publishers' streams are steady.
IDLE = 1.0
WARM_UP = 1.5

_CLOCK = Fraction(1, 90_000)


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


class ClipTrack(MediaStreamTrack):
    """Plays a clip again and again, at its frame rate.

    Attributes:
        octets: how many were handed out.
    """

    kind = "video"

    def __init__(self, frames: list[bytes]) -> None:
        super().__init__()
        self._frames = frames
        self._began: float | None = None
        self._next = 0
        self.octets = 0

    async def recv(self) -> "av.Packet[Stream]":
        """The next frame, encoded, when it is due."""
        if self._began is None:
            self._began = time.monotonic()
        due = self._began + self._next / FRAME_RATE
        await asyncio.sleep(due - time.monotonic())
        data = self._frames[self._next % len(self._frames)]
        packet = av.Packet(data)
        packet.pts = self._next * 90_000 // FRAME_RATE
        packet.time_base = _CLOCK
        self._next += 1
        self.octets += len(data)
        return packet


async def publishers(
    server: Server, clients: Clients, frames: list[bytes], seconds: float
) -> dict[str, float]:
    """Publish the clip several times at once.

    Returns:
        Percent of a core that the server uses for one publisher, the Mb/s that each
        has sent, and the percentage of packets that the server reports as lost (when
        its reports come through).
    """
    idle = server.cpu()
    await asyncio.sleep(IDLE)
    idle = (server.cpu() - idle) / IDLE
    tracks: list[ClipTrack] = []
    senders: list[RTCRtpSender] = []
    async with AsyncExitStack() as stack:
        for _ in range(PUBLISHERS):
            client = await stack.enter_async_context(clients.new(server.url))
            track = ClipTrack(frames)
            transceiver = client.peer.addTransceiver(track, direction="sendonly")
            transceiver.setCodecPreferences(
                [
                    codec
                    for codec in RTCRtpSender.getCapabilities("video").codecs
                    if codec.mimeType == "video/VP8"
                ]
            )
            await client.connect()
            tracks.append(track)
            senders.append(transceiver.sender)
        await asyncio.sleep(WARM_UP)
        octets = sum(track.octets for track in tracks)
        began, cpu = time.perf_counter(), server.cpu()
        await asyncio.sleep(seconds)
        elapsed, cpu = time.perf_counter() - began, server.cpu() - cpu
        octets = sum(track.octets for track in tracks) - octets
        losses = [await _loss(sender) for sender in senders]
    known = [loss for loss in losses if loss is not None]
    figures = {
        "cpu": (cpu / elapsed - idle) / PUBLISHERS * 100,
        "sent": octets * 8 / 1e6 / elapsed / PUBLISHERS,
    }
    return figures | ({"lost": statistics.mean(known) * 100} if known else {})


async def _loss(sender: RTCRtpSender) -> float | None:
    """The part of the packets that the server says, in its receiver reports, it lost.

    None when no report has come.
    """
    for report in (await sender.getStats()).values():
        if isinstance(report, RTCRemoteInboundRtpStreamStats):
            return report.packetsLost / (report.packetsReceived + report.packetsLost)
    return None
