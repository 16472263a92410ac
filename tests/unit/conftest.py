"""Fixtures of more than one room, and the marker ``virtual_time``."""

from collections.abc import AsyncIterator

import pytest

from tests.netem.plugin import pytest_asyncio_loop_factories, pytest_configure, world
from tests.ports import udp_port
from tests.server import ServerProcess
from whipbird.net import UdpPort

__all__ = ["pytest_asyncio_loop_factories", "pytest_configure", "world"]


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    """A real server process."""
    server = ServerProcess()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def port() -> AsyncIterator[UdpPort]:
    """A server's UDP port on the loopback address."""
    async with udp_port() as port:
        yield port


@pytest.fixture
async def client_port() -> AsyncIterator[UdpPort]:
    """The UDP port of its clients."""
    async with udp_port() as port:
        yield port
