"""Fixtures of more than one room, and the marker ``virtual_time``."""

from collections.abc import AsyncIterator

import pytest

from tests.netem.plugin import pytest_asyncio_loop_factories, pytest_configure, world
from tests.ports import udp_port
from tests.server import ServerProcess
from tests.unit.rtc.media import Rig, Rigged, rig
from whipbird.net import UdpPort
from whipbird.outgoing import Outgoing
from whipbird.sdp.offer import parse_offer

__all__ = ["pytest_asyncio_loop_factories", "pytest_configure", "world"]


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    """A real server process."""
    server = ServerProcess()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    """The HTTP session for requests of the server."""
    made = Outgoing()
    yield made
    await made.close()


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


@pytest.fixture
async def rigged() -> AsyncIterator[Rigged]:
    """Make receivers for an offer, and stop them after the test."""
    made: list[Rig] = []

    def make(offer: str) -> Rig:
        made.append(rig(parse_offer(offer)))
        return made[-1]

    yield make
    for one in made:
        await one.stop()
