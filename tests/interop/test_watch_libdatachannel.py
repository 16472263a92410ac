"""libdatachannel as a viewer: it counts packets, and can be stopped in its tracks."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.command_publisher import publishing
from tests.server import ServerProcess

from .libdatachannel import Viewer, install

TOKEN = "viewer-token"

# Frames of video: two seconds.
ENOUGH = 30


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Path:
    return install(request.config.cache)


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess("--token", TOKEN)
    try:
        await server.start()
        yield server
        print(server.output)  # noqa: T201
    finally:
        await server.stop()


def options(codec: str) -> tuple[str, ...]:
    picture = ("--video-codec", codec.lower(), "--size", "320x180", "--rate", "15")
    return (*picture, "--bitrate", "300k", "--token", TOKEN)


async def receives(viewer: Viewer, frames: int = ENOUGH) -> dict[str, dict[str, int]]:
    """Wait until as many more frames have come.

    Returns:
        What it has received so far.
    """
    begun = (await viewer.received())["video"]["frames"]
    async with asyncio.timeout(30):
        while (now := await viewer.received())["video"]["frames"] < begun + frames:
            pass
    return now


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_every_packet_comes(
    server: ServerProcess, library: Path, tmp_path: Path, codec: str
) -> None:
    endpoint = f"{server.url}/whep/live"
    async with Viewer(library, tmp_path, endpoint, TOKEN, codec) as viewer:
        # It comes first, and waits.
        await viewer.connect()
        async with publishing(f"{server.url}/whip/live", *options(codec)):
            received = await receives(viewer)
        assert received["audio"]["packets"] > 0
        assert received["audio"]["missing"] == received["video"]["missing"] == 0
        assert await viewer.end() == 200
    await server.wait_for_sessions(0)


async def test_one_that_stops_reading_slows_nobody(
    server: ServerProcess, library: Path, tmp_path: Path
) -> None:
    """Its socket is full, and the kernel throws away what comes."""
    endpoint = f"{server.url}/whep/live"
    folders = [tmp_path / name for name in ("frozen", "healthy")]
    for folder in folders:
        folder.mkdir()
    async with (
        publishing(f"{server.url}/whip/live", *options("VP8")),
        Viewer(library, folders[0], endpoint, TOKEN, "VP8") as frozen,
        Viewer(library, folders[1], endpoint, TOKEN, "VP8") as healthy,
    ):
        for viewer in (frozen, healthy):
            await viewer.connect()
            await receives(viewer, 5)
        assert frozen.process is not None
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            received = await receives(healthy, 3 * ENOUGH)
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        assert received["audio"]["missing"] == received["video"]["missing"] == 0
        # It has lost nothing but time: its session is still there.
        await receives(frozen, ENOUGH)
        for viewer in (frozen, healthy):
            assert await viewer.end() == 200
