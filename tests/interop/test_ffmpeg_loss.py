"""FFmpeg's WHIP muxer over a path that loses packets: it sends them again over RTX."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop import ffmpeg_publisher
from tests.interop.certificate import write_certificate
from tests.interop.described import Condition, described, layer_of
from tests.interop.lossy_path import LossyPath
from whipbird.app import create_app
from whipbird.config import Settings

pytestmark = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)

TOKEN = "ffmpeg-token"
VIDEO_PAYLOAD_TYPE = 106  # FFmpeg's
FRAMES = 6 * ffmpeg_publisher.RATE

# Packets are lost between these frames. FFmpeg listens only while it sends, and its
# DTLS does not repeat the last messages of the handshake.
LOSSY = (ffmpeg_publisher.RATE, 5 * ffmpeg_publisher.RATE)


async def test_what_is_lost_is_sent_again(
    aiohttp_server: AiohttpServer, tmp_path: Path
) -> None:
    server = await aiohttp_server(create_app(Settings(token=SecretStr(TOKEN))))
    url = str(server.make_url("/"))
    cert_file, key_file = write_certificate(tmp_path)

    async def video(condition: Condition) -> dict[str, Any]:
        stream = await described(
            url, "lossy", lambda s: condition(layer_of(s, "video")), token=TOKEN
        )
        return layer_of(stream, "video")

    async with LossyPath(url.rstrip("/")) as path:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, ffmpeg_publisher.__file__, f"{path.url}/whip/lossy"),
            *("--token", TOKEN, "--cert", str(cert_file), "--key", str(key_file)),
            *("--profile", "high", "--width", "1280", "--height", "720"),
            *("--frames", str(FRAMES)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            await video(lambda layer: (layer["frames"] or 0) >= LOSSY[0])
            path.relay.lose(0.1)
            await video(lambda layer: layer["frames"] >= LOSSY[1])
            path.relay.lose(0.0)
            async with asyncio.timeout(20):
                sent = json.loads(await process.stdout.readline())
            layer = await video(
                lambda layer: (
                    layer["frames"] == FRAMES and layer["lost"] == layer["recovered"]
                )
            )
            async with asyncio.timeout(20):
                await process.communicate(b"")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        sources = path.relay.there.sources.values()
        [lost] = (s.lost for s in sources if s.payload_type == VIDEO_PAYLOAD_TYPE)
    assert process.returncode == 0
    assert sent["video"] == FRAMES
    assert lost > 0
    assert (layer["lost"], layer["recovered"]) == (lost, lost)
