"""Sound over a lossy path, from Chromium and to Chromium: redundancy and requests."""

import asyncio
from typing import Any

import pytest

from tests.interop.described import described, layer_of
from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

from .command_publisher import publishing
from .conftest import OpenPage
from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOSS = 0.15

# Packets that are lost before what is sent is adapted, and those that count then.
BEFORE, COUNTED = 30, 60

#: Publishes a tone as RED, beside a picture: without one, the path would be probed with
#: padding among the sound.
_PUBLISH = """async (stream) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    const destination = context.createMediaStreamDestination();
    oscillator.connect(destination);
    oscillator.start();
    window.client = new WhipClient(`/whip/${stream}`);
    const [track] = destination.stream.getTracks();
    const transceiver = client.pc.addTransceiver(track, { direction: 'sendonly' });
    const { codecs } = RTCRtpSender.getCapabilities('audio');
    const named = (name) => codecs.find(({ mimeType }) => mimeType === name);
    transceiver.setCodecPreferences([named('audio/red'), named('audio/opus')]);
    const canvas = Object.assign(
        document.createElement('canvas'), { width: 160, height: 90 });
    const paint = canvas.getContext('2d');
    let pictures = 0;
    setInterval(() => {
        paint.fillStyle = `hsl(${(pictures += 1) % 360} 80% 50%)`;
        paint.fillRect(0, 0, 160, 90);
    }, 100);
    client.pc.addTransceiver(
        canvas.captureStream(10).getTracks()[0], { direction: 'sendonly' });
    await client.connect();
}"""

#: Watches, and makes `window.received`: statistics of the sound.
_WATCH = """async ([stream, requests]) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const { offerReceivedSound } = await import('/media/sound-offer.js');
    const adaptOffer = requests ? offerReceivedSound : undefined;
    window.client = new WhipClient(`/whep/${stream}`, { adaptOffer });
    client.pc.addEventListener('track', ({ track }) => {
        const player = document.createElement(track.kind);
        Object.assign(player, { autoplay: true, muted: true });
        player.srcObject = new MediaStream([track]);
        document.body.append(player);
    });
    for (const kind of ['video', 'audio']) {
        client.pc.addTransceiver(kind, { direction: 'recvonly' });
    }
    window.received = async () => [...(await client.pc.getStats()).values()].find(
        ({ type, kind }) => type === 'inbound-rtp' && kind === 'audio') ?? {};
    await client.connect();
}"""


async def test_lost_sound_is_not_missed(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    """Neither by the server, nor by viewers with and without requests for packets."""
    options = ("--video-codec", "vp8", "--size", "160x90", "--rate", "10")
    async with (
        publishing(f"{own_server.url}/whip/loud", *options, "--bitrate", "200k"),
        # At the same time: it takes a while until enough is lost.
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(restores(own_server, open_page))
        for requests in (False, True):
            tasks.create_task(misses_little(own_server, open_page, requests))


async def restores(server: ServerProcess, open_page: OpenPage) -> None:
    """The server restores what a publisher's packets bring twice.

    Chromium has the frame before in each packet.
    """
    async with LossyPath(server.url, LOSS) as path:
        page = await open_page(server)
        page.url = path.url
        await page.open_without_application()
        await page.run(_PUBLISH, "red")

        async def lost(count: int) -> dict[str, Any]:
            def is_enough(stream: dict[str, Any]) -> bool:
                layer = layer_of(stream, "audio")
                return bool(layer["packets"]) and bool(layer["lost"] >= count)

            url = f"{server.url}/"
            stream = await described(url, "red", is_enough, token="", limit=60)
            return layer_of(stream, "audio")

        before = await lost(BEFORE)
        layer = await lost(before["lost"] + COUNTED)
        await page.run("() => client.close()")
    assert layer["codec"] == "opus"
    recovered, lost_since = (layer[k] - before[k] for k in ("recovered", "lost"))
    assert recovered >= 0.7 * lost_since


async def misses_little(
    server: ServerProcess, open_page: OpenPage, requests: bool
) -> None:
    """A viewer plays nearly all of the sound.

    Args:
        requests: whether it may ask for lost packets.
    """
    async with LossyPath(server.url, LOSS) as path:
        page = await open_page(server)
        page.url = path.url
        await page.open_without_application()
        await page.run(_WATCH, ["loud", requests])
        await lose(page, path, BEFORE)
        before = await page.run("() => received()")
        lost = await lose(page, path, COUNTED)
        after = await page.run("() => received()")
        await page.run("() => client.close()")
    concealed = after["concealmentEvents"] - before["concealmentEvents"]
    # Without redundancy each lost packet is concealed, but those in a row together.
    assert concealed <= 0.4 * lost
    assert bool(after.get("nackCount")) is requests


async def lose(page: PingPage, path: LossyPath, count: int) -> int:
    """Wait until more packets of sound are lost on their way to the viewer."""
    sources = path.relay.back.sources

    async def ssrc() -> Any:
        return (await page.run("() => received()")).get("ssrc")

    async with asyncio.timeout(90):
        # Statistics have no event.
        while (source := sources.get(await ssrc() or 0)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        begin = source.lost
        while source.lost < begin + count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return source.lost - begin
