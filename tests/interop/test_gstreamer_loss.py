"""webrtcbin over a path that loses packets: it sends them again over RTX."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop.described import Condition, described, layer_of
from tests.interop.lossy_path import LossyPath
from whipbird.app import create_app
from whipbird.config import Settings

TOKEN = "gstreamer-token"

FRAMES = 180
# Packets are lost between these frames: nobody would know of the last ones.
LOSSY = (30, 150)
VIDEO_PAYLOAD_TYPE = 96  # the client's


async def test_what_is_lost_is_sent_again(
    aiohttp_server: AiohttpServer, gstreamer: Sequence[str]
) -> None:
    server = await aiohttp_server(create_app(Settings(token=SecretStr(TOKEN))))
    url = str(server.make_url("/"))

    async def video(condition: Condition) -> dict[str, Any]:
        stream = await described(
            url, "lossy", lambda s: condition(layer_of(s, "video")), token=TOKEN
        )
        return layer_of(stream, "video")

    async with LossyPath(url.rstrip("/")) as path:
        process = await asyncio.create_subprocess_exec(
            *(*gstreamer, f"{path.url}/whip/lossy", "--token", TOKEN, "--rtx"),
            *("--video", "h264", "--size", "1280x720", "--frames", str(FRAMES)),
        )
        try:
            await video(lambda layer: (layer["frames"] or 0) >= LOSSY[0])
            path.relay.lose(0.1)
            await video(lambda layer: layer["frames"] >= LOSSY[1])
            path.relay.lose(0.0)
            layer = await video(
                lambda layer: (
                    layer["frames"] == FRAMES and layer["lost"] == layer["recovered"]
                )
            )
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(20):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        sources = path.relay.there.sources.values()
        [lost] = (s.lost for s in sources if s.payload_type == VIDEO_PAYLOAD_TYPE)
    assert lost > 0
    assert (layer["lost"], layer["recovered"]) == (lost, lost)
