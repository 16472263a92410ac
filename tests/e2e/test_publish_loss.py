"""Chromium over a lossy path: packets are retransmitted over RTX and counted."""

from typing import Any

import pytest

from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

from .conftest import OpenPage
from .noise_publisher import NoisePublisher

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAMES = 75
# Packets that must be lost. The browser probes the path with packets that it sent a
# moment ago, so a few of the lost ones come before anybody asks for them.
LOST = 4

# Few enough pixels of noise that the browser need not save: when it does, it leaves
# some of what it is asked for unanswered.
SIZE = (64, 64)


@pytest.mark.parametrize("loss", [0.02, 0.10])
async def test_what_is_lost_is_sent_again(
    own_server: ServerProcess, open_page: OpenPage, loss: float
) -> None:
    async with LossyPath(own_server.url, loss) as path:
        publisher = NoisePublisher(await open_page(own_server), own_server.url, path)
        await publisher.start(*SIZE)
        sources = path.relay.there.sources
        ssrc = (await publisher.sent())["ssrc"]
        await publisher.received(
            lambda layer: layer["frames"] >= FRAMES and sources[ssrc].lost >= LOST
        )
        # Nobody would know of the last packets.
        path.relay.lose(0.0)
        await publisher.received(lambda layer: layer["frames"] >= FRAMES + 5)
        await publisher.stop()
        source = sources[ssrc]

        def is_complete(layer: dict[str, Any]) -> bool:
            known = layer["packets"] + layer["lost"] == len(source.first_sent)
            return known and bool(layer["lost"] == layer["recovered"])

        layer = await publisher.received(is_complete)
        sent = await publisher.sent()
        await publisher.close()
    # Every frame has come, and what was lost is known to the packet.
    assert layer["frames"] == sent["framesSent"]
    assert layer["lost"] == source.lost >= LOST
    # No packet of the source came twice: what came again came over RTX.
    assert source.again == 0
    assert sent["retransmittedPacketsSent"] > 0
    assert sent["nackCount"] > 0
