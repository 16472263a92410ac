"""FFmpeg's WHIP muxer is recorded completely, even if the server is killed.

That sound and pictures are together is seen in ``test_recording_sync``.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest

from tests.interop import ffmpeg_publisher
from tests.interop.certificate import write_certificate
from tests.server import ServerProcess
from tests.unit.recording.publisher import files_in, increasing, read
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)

WIDTH, HEIGHT = 640, 360
FRAMES = 5 * ffmpeg_publisher.RATE


@asynccontextmanager
async def publishing(
    url: str, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """FFmpeg publishes five seconds, and stays until its stdin ends."""
    certificate, key = write_certificate(folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, ffmpeg_publisher.__file__, url, "--token", "none"),
        *("--cert", str(certificate), "--key", str(key), "--profile", "high"),
        *("--width", str(WIDTH), "--height", str(HEIGHT), "--frames", str(FRAMES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def shades(path: Path) -> list[int]:
    """The shade of grey of each picture, which is its number."""
    with av.open(str(path)) as container:
        pictures = container.decode(video=0)
        return [bytes(picture.planes[0])[WIDTH // 2] for picture in pictures]


async def test_every_frame_is_in_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    server = ServerProcess(
        "--record", str(folder), "--record-all", "--record-segment=3"
    )
    await server.start()
    try:
        async with publishing(f"{server.url}/whip/show", tmp_path) as process:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                sent = json.loads(await process.stdout.readline())
                await process.communicate(b"")
            assert process.returncode == 0
        await server.wait_for_sessions(0)
    finally:
        await server.stop()
    first, second = files_in(folder)
    assert first.name.startswith("show_")
    # A key frame comes every two seconds, so the first file has four of them.
    assert shades(first) == pytest.approx(range(120), abs=2)
    assert shades(second) == pytest.approx(range(120, FRAMES), abs=2)
    sounds = 0
    for path in (first, second):
        file = read(path)
        assert file.codecs == {"video": "h264", "audio": "opus"}
        video, audio = file.times("video"), file.times("audio")
        assert increasing(video)
        assert increasing(audio)
        assert video[-1] - video[0] == pytest.approx((len(video) - 1) / 30, abs=0.04)
        # A file begins where the sound of the last one ended, or with its key frame.
        assert min(video[0], audio[0]) == pytest.approx(0, abs=0.001)
        sounds += len(audio)
    # FFmpeg keeps the last sound back, and does not wait until it has arrived.
    assert 0.95 * sent["audio"] <= sounds <= sent["audio"]


async def test_a_server_that_is_killed_leaves_what_it_has_recorded(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "recordings"
    server = ServerProcess("--record", str(folder), "--record-all")
    await server.start()
    try:
        async with publishing(f"{server.url}/whip/show", tmp_path) as process:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                await process.stdout.readline()
            await until(lambda: len(shades(*files_in(folder))) >= FRAMES - 45)
            await server.kill()
    finally:
        await server.stop()
    (path,) = files_in(folder)
    pictures = shades(path)
    assert pictures == pytest.approx(range(len(pictures)), abs=2)
    assert len(pictures) >= FRAMES - 45
