"""A viewer whose link becomes thin, and wide again: a player from npm in Chromium."""

import pytest
from aiohttp.test_utils import TestServer

from whipbird.app import create_app
from whipbird.config import Settings

from .conftest import OpenPlayer
from .lossy_path import LossyPath
from .simulcast_publisher import SIZES, publishing

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Bits per second: half of what the largest layer needs, and twice the next one.
THIN = 1_000_000

# Seconds: a failed attempt is followed by a pause of ten, and a browser's estimate
# grows by 8 % a second; on a busy machine it sees jams where there are none.
UP_LIMIT = 60.0


def lost_on(path: LossyPath) -> int:
    """How many packets the viewer has lost so far."""
    return sum(source.lost for source in path.relay.back.sources.values())


@pytest.mark.timeout(180)
async def test_it_gets_a_layer_that_its_link_carries(open_player: OpenPlayer) -> None:
    app = create_app(Settings(setup_timeout=300))
    by_size = [SIZES["q"], SIZES["h"], SIZES["f"]]
    async with (
        TestServer(app) as server,
        LossyPath(str(server.make_url("")).rstrip("/")) as path,
        publishing(app, "live"),
    ):
        page = await open_player()
        await page.play("whip-whep", f"{path.url}/whep/live", "")
        await page.shows(SIZES["f"])

        path.relay.back.bitrate = THIN
        await page.shows(*by_size[:2])
        lost = lost_on(path)
        assert lost > 0
        # There is room for it: it plays, and nothing is lost any more.
        small = await page.shows(*by_size[:2], more=30)
        assert lost_on(path) == lost

        path.relay.back.bitrate = None
        larger = by_size[by_size.index(small) + 1 :]
        await page.shows(*larger, limit=UP_LIMIT)
        await page.stop()
