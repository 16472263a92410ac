"""A path that becomes thin: the browser learns of it by transport-wide feedback."""

import pytest

from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

from .conftest import OpenPage
from .noise_publisher import MAX_BITRATE, NoisePublisher

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Bits per second that the thin path takes.
LINK = 400_000

# Seconds: to go down, and up again by the 8 % per second of Google's congestion control
# (draft-ietf-rmcat-gcc-02 section 5.5).
DOWN_LIMIT = 15.0
UP_LIMIT = 45.0


async def test_the_bitrate_follows_the_path(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    async with LossyPath(own_server.url) as path:
        publisher = NoisePublisher(await open_page(own_server), own_server.url, path)
        await publisher.start()
        await publisher.sends(
            lambda s: s.get("targetBitrate", 0) > 1.5 * LINK, UP_LIMIT
        )

        path.relay.there.bitrate = LINK
        # It must make use of the path, and leave nothing waiting before it.
        await publisher.sends(lambda s: s["targetBitrate"] < LINK, DOWN_LIMIT)
        await publisher.sends(
            lambda s: (
                LINK / 2 < s["targetBitrate"] < 1.2 * LINK
                and path.relay.there.delay < 0.1
            ),
            UP_LIMIT,
        )
        before = await publisher.received(lambda layer: layer["bitrate"] < LINK)

        path.relay.there.bitrate = None
        await publisher.sends(lambda s: s["targetBitrate"] > 2 * LINK, UP_LIMIT)
        after = await publisher.received(lambda layer: layer["bitrate"] > 1.5 * LINK)
        assert after["bitrate"] < 1.5 * MAX_BITRATE
        # The path does not lose packets now.
        assert after["lost"] == before["lost"]
        assert after["frames"] > before["frames"]
        await publisher.close()
