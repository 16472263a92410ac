"""Fixtures of more than one room."""

from collections.abc import AsyncIterator

import pytest

from tests.server import ServerProcess


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    """A real server process."""
    server = ServerProcess()
    await server.start()
    yield server
    await server.stop()
