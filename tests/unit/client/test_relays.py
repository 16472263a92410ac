"""Clients whose only way to the server is a TURN server: Debian's coturn.

The client has IPv6 only, the server has IPv4 only, and the TURN server has IPv4.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.coturn import SECRET, coturn, needs_coturn
from tests.echoes import echoes_of
from tests.ports import Addresses, udp_port
from tests.waiting import until
from whipbird.app import UDP_PORT, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.config import Settings
from whipbird.net import UdpPort
from whipbird.rtc import Certificate, PeerOptions
from whipbird.transport.path import RelayAddress

pytestmark = needs_coturn

Serve = Callable[[web.Application], Awaitable[TestServer]]


@pytest.fixture
async def far_port() -> AsyncIterator[UdpPort]:
    """A port from which the server cannot be reached directly."""
    async with udp_port(Addresses("::1")) as port:
        yield port


@asynccontextmanager
async def far_client(
    serve: Serve, port: UdpPort, *servers: str, secret: str = SECRET
) -> AsyncIterator[tuple[WhipClient, UdpPort]]:
    """A client of a server that names TURN servers, and the server's UDP port."""
    settings = Settings.model_validate(
        {
            "ice_loopback": True,
            "interfaces": ("lo",),
            "ip_family": "4",
            "turn_secret": secret,
            "ice_servers": servers,
        }
    )
    app = create_app(settings)
    server = await serve(app)
    options = PeerOptions(Certificate.generate(), port)
    url = str(server.make_url("/whip/test"))
    async with WhipClient(url, options=options, timeout=60.0) as client:
        yield client, app[UDP_PORT]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_ping_through_a_relay(
    tmp_path: Path, aiohttp_server: Serve, far_port: UdpPort, transport: str
) -> None:
    async with coturn(tmp_path) as number:
        url = f"turn:127.0.0.1:{number}?transport={transport}"
        async with far_client(aiohttp_server, far_port, url) as (client, server_port):
            messages = [bytes([number]) * 1000 for number in range(5)]
            assert await echoes_of(client, *messages) == messages
            assert client.peer.is_relayed
            path = client.peer.connection.transport.ice.selected
            assert path is not None
            assert isinstance(path.local, RelayAddress)
            assert path.remote == ("127.0.0.1", server_port.number)
            # A restart goes on through the relay.
            await client.restart()
            assert client.peer.is_relayed
            relays = far_port.candidates()
            assert [c.candidate.type for c in relays].count("relay") == 1
        await until(
            lambda: "relay" not in [c.candidate.type for c in far_port.candidates()]
        )


async def test_a_direct_path_needs_no_relay(
    tmp_path: Path, aiohttp_server: Serve
) -> None:
    async with coturn(tmp_path) as number, udp_port(Addresses("127.0.0.1")) as port:
        url = f"turn:127.0.0.1:{number}"
        async with far_client(aiohttp_server, port, url) as (client, _):
            client.peer.createDataChannel("test")
            await client.connect()
            assert not client.peer.is_relayed
            assert [c.candidate.type for c in port.candidates()] == ["host"]


async def test_a_relay_that_refuses_is_named(
    tmp_path: Path, aiohttp_server: Serve, far_port: UdpPort
) -> None:
    async with coturn(tmp_path) as number:
        url = f"turn:127.0.0.1:{number}"
        async with far_client(aiohttp_server, far_port, url, secret="south-wind") as (
            client,
            _,
        ):
            client.timeout = 4.0
            client.peer.createDataChannel("test")
            with pytest.raises(WhipError) as caught:
                await client.connect()
    assert re.search(
        rf"the TURN server {url} refuses: Unauthorized \(401\)", str(caught.value)
    )
