"""GStreamer's webrtcbin as a viewer: it trickles, asks over RTX, and decodes."""

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_publisher import publishing
from tests.server import ServerProcess

TOKEN = "gstreamer-token"
SIZE = (320, 180)

# Pictures: two seconds.
ENOUGH = 30


async def next_event(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(40):
        line = await process.stdout.readline()
    event: dict[str, Any] = json.loads(line)
    return event


@pytest.mark.parametrize("option", ["--rtx", "--bare", "--unbundled"])
@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_it_decodes(gstreamer: Sequence[str], codec: str, option: str) -> None:
    """Also with the offer of ``whepsrc``, which leaves the parameters out; and without
    BUNDLE, where the first section, the picture, has the only transport.
    """
    python, client = gstreamer
    server = ServerProcess("--token", TOKEN)
    try:
        await server.start()
        process = await asyncio.create_subprocess_exec(
            *(python, str(Path(client).with_name("gstreamer_viewer.py"))),
            *(f"{server.url}/whep/live", "--token", TOKEN, "--video", codec, option),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            # It comes first, and waits.
            connected = await next_event(process)
            assert connected["candidates"] > 0
            async with publishing(
                f"{server.url}/whip/live",
                *("--video-codec", codec, "--size", "320x180", "--rate", "15"),
                *("--bitrate", "300k", "--token", TOKEN),
            ):
                while (decoded := await next_event(process))["video"] < ENOUGH:
                    pass
            assert decoded["size"] == list(SIZE)
            assert ("audio" in decoded) is (option != "--unbundled")
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(20):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await server.wait_for_sessions(0)
    finally:
        await server.stop()
