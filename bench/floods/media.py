"""Floods of RTP and RTCP within a session that is authentic."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from struct import Struct

from whipbird.rtp.rtcp import (
    ReportBlock,
    write_feedback,
    write_fir,
    write_pli,
    write_receiver_report,
    write_remb,
)
from whipbird.rtp.xr import write_reference_time

from ..clip import Clip, packetize
from ..publisher import Player
from .attacker import Attacker
from .datagrams import Strike, connected

_RTP = Struct("!BBHII")
_RTPFB, _NACK, _TRANSPORT_WIDE = 205, 1, 15
_ITEM = Struct("!HH")


@asynccontextmanager
async def new_sources(url: str) -> AsyncIterator[Strike]:
    """RTP packets, each with another SSRC."""
    async with connected(url, media=True) as attacker:
        payload_type = _payload_type(attacker)
        yield lambda: attacker.peer.connection.send_rtp(
            _RTP.pack(0x80, payload_type, 1, 0, secrets.randbits(32)) + bytes(100)
        )


@asynccontextmanager
async def leaps(url: str) -> AsyncIterator[Strike]:
    """RTP packets of one source, each with a number that is far from the last."""
    async with connected(url, media=True) as attacker:
        payload_type, numbers = _payload_type(attacker), count(0, 301)
        yield lambda: attacker.peer.connection.send_rtp(
            _RTP.pack(0x80, payload_type, next(numbers) & 0xFFFF, 0, 7) + bytes(100)
        )


@asynccontextmanager
async def new_reporters(url: str) -> AsyncIterator[Strike]:
    """Receiver reports of a viewer, each with another SSRC."""
    async with _viewer(url) as (send, _):
        yield lambda: send(write_receiver_report(secrets.randbits(32), []))


@asynccontextmanager
async def nacks(url: str) -> AsyncIterator[Strike]:
    """NACKs of a viewer for 320 times 17 packets each."""
    async with _viewer(url) as (send, ssrc):
        firsts = count()

        def strike() -> None:
            first = next(firsts)
            items = b"".join(
                _ITEM.pack((first + 17 * n) & 0xFFFF, 0xFFFF) for n in range(320)
            )
            send(write_feedback(_RTPFB, _NACK, 1, ssrc, items))

        yield strike


@asynccontextmanager
async def key_frames(url: str) -> AsyncIterator[Strike]:
    """Requests of a viewer for key frames: 40 PLI and 20 FIR in each packet."""
    async with _viewer(url) as (send, ssrc):
        packet = write_pli(1, ssrc) * 40 + write_fir(1, ssrc, 1) * 20
        yield lambda: send(packet)


@asynccontextmanager
async def reports(url: str) -> AsyncIterator[Strike]:
    """RR with 31 blocks, REMB, XR and transport-wide feedback in each packet."""
    async with _viewer(url) as (send, ssrc):
        block = ReportBlock(ssrc, 128, 1000, 7, 0, 0, 0)
        packet = (
            write_receiver_report(1, [block] * 31)
            + write_remb(1, 1_000_000, [ssrc])
            + write_reference_time(1, 1 << 40)
            + write_feedback(_RTPFB, _TRANSPORT_WIDE, 1, ssrc, bytes(300))
        )
        yield lambda: send(packet)


@asynccontextmanager
async def _viewer(
    url: str,
) -> AsyncIterator[tuple[Callable[[bytes], None], int]]:
    """A viewer of a stream that is published, too.

    Returns:
        What sends its RTCP, and the SSRC of the picture that it watches.
    """
    clip = _clip()
    async with Attacker(url) as publisher:
        publisher.peer.addTransceiver("video", direction="sendonly")
        await publisher.connect()
        player = Player(publisher, clip)
        player.start(asyncio.get_running_loop().time())
        try:
            async with Attacker(url.replace("/whip/", "/whep/")) as viewer:
                viewer.peer.addTransceiver("video", direction="recvonly")
                await viewer.connect()
                ssrc = int(viewer.answer.partition("\na=ssrc:")[2].split()[0])
                yield viewer.peer.connection.send_rtcp, ssrc
        finally:
            player.stop()


def _clip() -> Clip:
    """Frames that look like VP8: a key frame of 640x480, then 29 others."""
    key = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\xe0\x01" + bytes(6000)
    frames = [key, *([b"\x11\x00\x00" + bytes(6000)] * 29)]
    return Clip("video", "VP8/90000", 90_000, 3_000, packetize(frames))


def _payload_type(attacker: Attacker) -> int:
    section = attacker.offer.partition("\nm=video")[2]
    return int(section.partition("a=rtpmap:")[2].split()[0])
