"""Simulcast that is told by SSRCs, as browsers sent it before there were rids."""

import asyncio
import secrets
from typing import Any

import pytest

from tests.server import ServerProcess

from .conftest import OpenPage
from .publish_page import layers, received

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Publishes a moving picture of 1280 by 720 in three layers, without header extensions
#: for the rid.
_PUBLISH = """async (stream) => {
    const { WhipClient } = await import('/client/whip-client.js');
    const canvas = Object.assign(
        document.createElement('canvas'), { width: 1280, height: 720 });
    const paint = canvas.getContext('2d');
    setInterval(() => {
        for (let i = 0; i < 50; i += 1) {
            paint.fillStyle = `hsl(${360 * Math.random()} 90% 50%)`;
            paint.fillRect(1280 * Math.random(), 720 * Math.random(), 90, 90);
        }
    }, 50);
    const grouped = (sdp) => {
        const cname = /a=ssrc:\\d+ cname:(.*)/.exec(sdp)[1];
        const msid = /a=msid:(.*)/.exec(sdp)[1];
        const lines = sdp.trim().split('\\r\\n')
            .filter((line) => !/^a=ssrc|rtp-stream-id/.test(line));
        lines.push('a=ssrc-group:SIM 101 102 103');
        for (const ssrc of [101, 102, 103]) {
            lines.push(`a=ssrc-group:FID ${ssrc} ${100 + ssrc}`);
            for (const each of [ssrc, 100 + ssrc]) {
                lines.push(`a=ssrc:${each} cname:${cname}`);
                lines.push(`a=ssrc:${each} msid:${msid}`);
            }
        }
        return `${lines.join('\\r\\n')}\\r\\n`;
    };
    window.client = new WhipClient(`/whip/${stream}`, { adaptOffer: grouped });
    const [track] = canvas.captureStream().getVideoTracks();
    const media = new MediaStream([track]);
    const transceiver = client.pc.addTransceiver(
        track, { direction: 'sendonly', streams: [media] });
    transceiver.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs
        .filter(({ mimeType }) => /vp8|rtx/i.test(mimeType)));
    addEventListener('pagehide', () => client.close());
    await client.connect();
    const parameters = transceiver.sender.getParameters();
    [4, 2, 1].forEach((scale, layer) => {
        parameters.encodings[layer].scaleResolutionDownBy = scale;
    });
    await transceiver.sender.setParameters(parameters);
    return client.answer;
}"""


async def test_each_source_is_a_layer(
    server: ServerProcess, open_page: OpenPage
) -> None:
    stream = f"sources-{secrets.token_hex(4)}"
    publisher = await open_page(server)
    await publisher.open_without_application()
    answer = await publisher.run(_PUBLISH, stream)
    assert "a=simulcast" not in answer
    widths: dict[str | None, Any] = {}
    async with asyncio.timeout(60):
        # What the server receives has no event.
        while set(widths.values()) != {320, 640, 1280}:
            await asyncio.sleep(0.2)
            found = layers(await received(server.url, stream))
            widths = {rid: layer["width"] for rid, layer in found.items()}
    assert widths == {"0": 320, "1": 640, "2": 1280}
    await publisher.run("() => client.close()")
