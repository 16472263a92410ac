"""Viewers that lose packets beside one that loses none: players from npm."""

import asyncio

import pytest

from tests.e2e.command_publisher import publishing
from tests.server import ServerProcess

from .conftest import OpenPlayer
from .lossy_path import LossyPath
from .players import PlayerPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = (320, 180)
OPTIONS = ("--video-codec", "vp8", "--size", "320x180", "--rate", "15")

# Lost packets, at least, for meaningful assertions.
ENOUGH = 10


async def recovers(page: PlayerPage, path: LossyPath) -> None:
    """Wait until enough packets were lost and retransmitted, while the video plays."""
    async with asyncio.timeout(40):
        while True:
            await page.shows(SIZE)
            video = await page.received("video")
            lost = sum(source.lost for source in path.relay.back.sources.values())
            if min(lost, video.get("retransmittedPacketsReceived", 0)) >= ENOUGH:
                break
    assert video["nackCount"] > 0


async def test_each_gets_what_its_link_carries(open_player: OpenPlayer) -> None:
    server = ServerProcess()
    await server.start()
    try:
        async with (
            LossyPath(server.url, 0.02) as bad,
            LossyPath(server.url, 0.10) as worse,
            publishing(f"{server.url}/whip/live", *OPTIONS, "--bitrate", "600k"),
        ):
            healthy, *lossy = [await open_player() for _ in range(3)]
            await healthy.play("@eyevinn/webrtc-player", f"{server.url}/whep/live", "")
            for page, path in zip(lossy, (bad, worse), strict=True):
                await page.play("whip-whep", f"{path.url}/whep/live", "")
            await asyncio.gather(recovers(lossy[0], bad), recovers(lossy[1], worse))
            await healthy.shows(SIZE)
            video, audio = [await healthy.received(k) for k in ("video", "audio")]
            for page in (healthy, *lossy):
                await page.stop()
        assert (video["packetsLost"], video["nackCount"]) == (0, 0)
        assert audio["packetsLost"] == 0
        assert video["framesDecoded"] >= 30
    finally:
        await server.stop()
