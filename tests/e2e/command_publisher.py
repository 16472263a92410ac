"""Publishing by the command: ``whipbird publish testsrc``."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STOP_LIMIT = 20.0


@asynccontextmanager
async def publishing(endpoint: str, *options: str) -> AsyncIterator[None]:
    """Publish the test pattern; at the end, print what the command has written.

    Args:
        endpoint: its URL.
        options: of the command.
    """
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "whipbird", "publish", "testsrc", endpoint),
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), STOP_LIMIT)
            output.seek(0)
            print(output.read().decode())  # noqa: T201
