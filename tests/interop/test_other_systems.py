"""Everything works where the system lacks what only Linux has."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.interop import other_system
from tests.interop.aiortc_viewer import AiortcViewer
from tests.server import ServerProcess
from tests.unit.recording.publisher import boxes, files_in, read
from tests.waiting import until

LAUNCHER = other_system.__file__
WIDTH, HEIGHT = 320, 180


@pytest.fixture(params=["bare", "selector"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server(system: str, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(
        *("--record", str(tmp_path), "--record-all"), command=(LAUNCHER, system)
    )
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def start(system: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a command of ours on such a system."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, LAUNCHER, system, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )


async def test_ping(system: str, server: ServerProcess) -> None:
    process = await start(system, "ping", f"{server.url}/whip/x", "-c", "3", "--json")
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output.splitlines()[-1])["received"] == 3


async def test_publish_watch_and_record(
    system: str, server: ServerProcess, tmp_path: Path
) -> None:
    publishing = await start(
        *(system, "publish", "testsrc", f"{server.url}/whip/live"),
        *("--size", f"{WIDTH}x{HEIGHT}", "--rate", "15"),
    )
    try:
        await until(lambda: any(p.stat().st_size for p in files_in(tmp_path)))
        async with AiortcViewer(f"{server.url}/whep/live") as viewer:
            await until(
                lambda: (
                    len(viewer.frames["video"]) >= 5
                    and len(viewer.frames["audio"]) >= 10
                )
            )
            assert viewer.sizes() == [(WIDTH, HEIGHT)]
        # As Ctrl+C does.
        publishing.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            output, errors = await publishing.communicate()
        assert publishing.returncode == 0, errors
        assert b"publish statistics" in output
    finally:
        if publishing.returncode is None:
            publishing.kill()
            await publishing.wait()
    await server.wait_for_sessions(0)
    (path,) = files_in(tmp_path)
    # The file is replaced by a copy that has its index in front.
    await until(lambda: boxes(path) == ["ftyp", "moov", "mdat"])
    recorded = read(path)
    assert recorded.size == (WIDTH, HEIGHT)
    assert recorded.decoded >= 5
    assert recorded.packets["audio"]


async def test_ctrl_c_ends_the_server(server: ServerProcess) -> None:
    assert await server.end(signal.SIGINT) == 0
    assert "Traceback" not in server.output
