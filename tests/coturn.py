"""Debian's coturn, with a shared secret."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .server import free_port

SECRET = "north-wind"

needs_coturn = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn is not installed"
)


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """A TURN server that relays to the loopback address.

    Yields:
        Its port, for UDP and TCP.
    """
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"),
        *(
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            f"--listening-port={port}",
        ),
        *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=whipbird"),
        *("--allow-loopback-peers", "--simple-log"),
        *(f"--pidfile={folder / 'pid'}", f"--userdb={folder / 'users'}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()
