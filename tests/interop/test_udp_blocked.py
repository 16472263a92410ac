"""Chromium whose network drops all UDP: it connects over TCP, to the one number.

``tests/networks`` has this with a server that has other settings.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import async_playwright

from bench.loss.browsers import Chromium, Tab, chromium
from bench.servers import Endpoint
from tests.e2e.browser import NoBrowserError
from tests.networks.world import NO_UDP

from .namespace import why_impossible
from .namespaces import PUBLIC, URL, Internet

# Milliseconds from the POST to the first echo.
IN_TIME = 3000

PING = """async (url) => {
    const pc = new RTCPeerConnection();
    const channel = pc.createDataChannel('ping');
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== 'complete')
        await new Promise((resolve) =>
            pc.addEventListener('icegatheringstatechange', resolve, { once: true }));
    const begin = performance.now();
    const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp' },
        body: pc.localDescription.sdp,
    });
    await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    const echo = new Promise((resolve) =>
        channel.addEventListener('message', ({ data }) => resolve(data)));
    channel.addEventListener('open', () => channel.send('here'));
    const data = await echo;
    return { data, took: performance.now() - begin };
}"""


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    if reason := why_impossible():
        pytest.skip(reason)
    async with Internet() as internet:
        internet.client.nft(NO_UDP)
        yield internet


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [("--ice-lite",), ("--hide-host-addresses",)])
async def test_chromium_pings_publishes_and_watches(
    internet: Internet, options: tuple[str, ...]
) -> None:
    server = await internet.start_server("--public-address", PUBLIC, *options)
    async with async_playwright() as playwright:
        try:
            browsing = chromium(playwright, internet.client.name, URL)
            async with browsing as browser:
                page = await browser.new_page()
                await page.goto(URL)
                ping = await page.evaluate(PING, f"{URL}/whip/ping")
                assert ping["data"] == "here"
                assert ping["took"] < IN_TIME
                tabs = Chromium(browser)
                async with tabs.tab(URL) as publisher, tabs.tab(URL) as viewer:
                    await publisher.publish(Endpoint(f"{URL}/whip/show"))
                    await viewer.watch(Endpoint(f"{URL}/whep/show"))
                    for one in (publisher, viewer):
                        assert await protocols_of(one) == {"tcp"}
        except NoBrowserError as error:
            pytest.skip(str(error))
    assert internet.sources() == set()
    assert await server.stop() == 0
    assert "Traceback" not in server.output, server.output


async def protocols_of(one: Tab) -> set[object]:
    """The protocols of the candidates in use, as soon as the browser tells them."""
    protocols: set[object] = set()
    async with asyncio.timeout(60):
        while not protocols:
            found = (await one.look())["statistics"]
            protocols = {
                s["protocol"]
                for s in found
                if s["type"] == "local-candidate" and s["id"] in selected(found)
            }
            await asyncio.sleep(0.1)
    return protocols


def selected(statistics: list[dict[str, object]]) -> set[object]:
    """The local candidates of the pairs in use."""
    return {
        s["localCandidateId"]
        for s in statistics
        if s["type"] == "candidate-pair" and s.get("nominated")
    }
