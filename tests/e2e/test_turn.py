"""Debian's coturn between the page and the server, with a shared secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Route

from tests.coturn import SECRET, coturn, needs_coturn
from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    needs_coturn,
]

#: The browser has no other way than the relay.
RELAY_ONLY = """
const Connection = RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Connection {
  constructor(configuration) {
    super({ ...configuration, iceTransportPolicy: 'relay' });
  }
};
"""


@asynccontextmanager
async def relayed(
    folder: Path, open_page: OpenPage, transport: str, *options: str
) -> AsyncIterator[tuple[PingPage, ServerProcess]]:
    """A page that can reach the server by the relay only."""
    async with coturn(folder) as port:
        server = ServerProcess(
            *("--ice-loopback", "--turn-secret", SECRET, *options),
            *("--ice-server", f"turn:127.0.0.1:{port}?transport={transport}"),
        )
        try:
            await server.start()
            page = await open_page(server)
            await page.page.add_init_script(RELAY_ONLY)
            yield page, server
            # Before the server: it would ask for its session.
            await page.page.close()
        finally:
            await server.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_ping_through_the_relay(
    tmp_path: Path, open_page: OpenPage, transport: str
) -> None:
    async with relayed(tmp_path, open_page, transport) as (page, _):
        await page.open_connected()
        await page.ping_once()
        relay = page.page.get_by_text("through a TURN relay").first
        await relay.wait_for(state="attached", timeout=30_000)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_publish_and_watch_through_the_relay(
    tmp_path: Path, open_page: OpenPage, transport: str
) -> None:
    async with relayed(tmp_path, open_page, transport) as (page, server):
        await page.open_without_application()
        size = await page.run(
            """async () => {
                const { WhipClient } = await import('/client/whip-client.js');
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [320, 240];
                const context = canvas.getContext('2d');
                let n = 0;
                const timer = setInterval(() => {
                    context.fillStyle = `hsl(${(n += 7) % 360} 90% 50%)`;
                    context.fillRect(0, 0, 320, 240);
                }, 50);
                const publisher = new WhipClient('/whip/live');
                for (const track of canvas.captureStream(20).getTracks()) {
                    publisher.pc.addTransceiver(track, { direction: 'sendonly' });
                }
                await publisher.connect();
                const viewer = new WhipClient('/whep/live');
                const video = document.createElement('video');
                video.muted = true;
                viewer.pc.addEventListener('track', ({ streams, track }) => {
                    video.srcObject = streams[0] ?? new MediaStream([track]);
                    video.play();
                });
                viewer.pc.addTransceiver('video', { direction: 'recvonly' });
                await viewer.connect();
                while (!video.videoWidth) await new Promise((r) => setTimeout(r, 50));
                const size = [video.videoWidth, video.videoHeight];
                clearInterval(timer);
                await viewer.close();
                await publisher.close();
                return size;
            }"""
        )
        assert size == [320, 240]
        await server.wait_for_sessions(0)


async def test_another_secret_is_said(tmp_path: Path, open_page: OpenPage) -> None:
    # The setting that comes last counts.
    async with relayed(tmp_path, open_page, "udp", "--turn-secret", "south-wind") as (
        page,
        _,
    ):
        # The session may have ended before the page has said so.
        page.expects("404")
        await page.open()
        await page.page.get_by_text("does not accept the credentials").wait_for(
            timeout=60_000
        )


async def test_expired_credentials_are_said(
    tmp_path: Path, open_page: OpenPage
) -> None:
    async with relayed(tmp_path, open_page, "udp", "--turn-lifetime", "1") as (page, _):

        async def late(route: Route) -> None:
            response = await route.fetch()
            # Until the credentials have expired.
            await asyncio.sleep(2.5)
            await route.fulfill(response=response)

        page.expects("404")
        await page.page.route("**/whip/**", late)
        await page.open()
        await page.page.get_by_text("they were valid until").wait_for(timeout=60_000)
