"""Publishing by commands: ``whipbird publish testsrc``, and FFmpeg's."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

STOP_LIMIT = 20.0


def publishing(endpoint: str, *options: str) -> AbstractAsyncContextManager[None]:
    """Publish the test pattern; at the end, print what the command has written.

    Args:
        endpoint: its URL.
        options: of the command.
    """
    command = (sys.executable, "-m", "whipbird", "publish", "testsrc", endpoint)
    return _running(*command, *options)


def ffmpeg_publishing(ffmpeg: str, endpoint: str) -> AbstractAsyncContextManager[None]:
    """The same of FFmpeg: its test picture of 320 by 180 in H.264, and a tone.

    Args:
        ffmpeg: the program.
        endpoint: its URL.
    """
    return _running(
        *(ffmpeg, "-nostdin", "-loglevel", "warning", "-re"),
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15"),
        *("-f", "lavfi", "-i", "sine=frequency=440"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-profile:v", "baseline", "-bf", "0", "-g", "15", "-pix_fmt", "yuv420p"),
        *("-c:a", "libopus", "-ac", "2", "-ar", "48000", "-f", "whip", endpoint),
    )


@asynccontextmanager
async def _running(*command: str) -> AsyncIterator[None]:
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_LIMIT)
            output.seek(0)
            print(output.read().decode())  # noqa: T201
