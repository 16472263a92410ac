"""All of Chromium's codecs are received: codecs, encodings, bitrates."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from .publish_page import PublishPage, layers

pytestmark = pytest.mark.asyncio(loop_scope="session")

CODECS = ["VP8", "VP9", "AV1", "H.264"]

#: The layers that the browser says it sends: rid, codec, width, height.
SENT = """async () => {
    const report = await window.connections.at(-1).getStats();
    return [...report.values()]
        .filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video')
        .map(({ rid = null, codecId, frameWidth, frameHeight, targetBitrate }) => ({
            rid, codec: report.get(codecId)?.mimeType.split('/')[1],
            width: frameWidth, height: frameHeight, bitrate: targetBitrate,
        }));
}"""
NOTE_CONNECTIONS = """window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); connections.push(this); }
};"""


async def open_with(publisher: PublishPage, codec: str) -> None:
    """Open the view, or skip the test when the browser has no such encoder."""
    await publisher.page.add_init_script(NOTE_CONNECTIONS)
    await publisher.open()
    names = await publisher.codec.locator("option").all_inner_texts()
    if codec not in names:
        pytest.skip(f"this build of Chromium cannot send {codec}: {names}")


def size_of(layer: dict[str, Any]) -> tuple[int, int]:
    return layer["width"], layer["height"]


@pytest.mark.parametrize("codec", CODECS)
async def test_codec_and_size_are_those_of_the_browser(
    publisher: PublishPage, codec: str
) -> None:
    await open_with(publisher, codec)
    await publisher.choose("Test pattern", "320x180", codec=codec)
    await publisher.start.click()
    await publisher.is_on_air()
    stream = await publisher.until_received(
        lambda stream: (
            [layer["width"] for layer in layers(stream).values()] == [320]
            and layers(stream)[None]["frames"] > 20
        )
    )
    layer = layers(stream)[None]
    assert layer["codec"] == codec.replace(".", "")
    assert (layer["width"], layer["height"]) == (320, 180)
    assert 5 < layer["frame_rate"] < 25
    (sent,) = await publisher.frame.run(SENT)
    assert (sent["codec"], sent["width"]) == (layer["codec"], layer["width"])


@pytest.mark.parametrize("codec", ["VP8", "H.264"])
async def test_the_bitrate_reaches_what_was_asked(
    publisher: PublishPage, codec: str
) -> None:
    wanted = 2500
    await open_with(publisher, codec)
    await publisher.choose(
        "Test pattern", "640x360", codec=codec, bitrate=wanted, frame_rate=30
    )
    await publisher.start.click()
    await publisher.is_on_air()
    enough = 0.8 * 1000 * wanted
    await publisher.until_received(
        lambda stream: any(
            layer["bitrate"] >= enough for layer in layers(stream).values()
        ),
        limit=60,
    )
    async with asyncio.timeout(60):
        while (await publisher.frame.run(SENT))[0]["bitrate"] < enough:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    (layer,) = layers(await publisher.received()).values()
    assert layer["lost"] == layer["recovered"]
    # The page tells the same.
    await expect(publisher.row("Bitrate")).to_contain_text("Mb/s")


@pytest.mark.parametrize("codec", CODECS)
async def test_three_layers_of_simulcast(publisher: PublishPage, codec: str) -> None:
    await open_with(publisher, codec)
    # Chromium sends fewer encodings of a small picture.
    await publisher.choose(
        "Test pattern", "1280x720", codec=codec, bitrate=1200, simulcast=True
    )
    await publisher.start.click()
    await publisher.is_on_air()
    sizes = {"q": (320, 180), "h": (640, 360), "f": (1280, 720)}
    stream = await publisher.until_received(
        lambda stream: (
            {rid: size_of(layer) for rid, layer in layers(stream).items()} == sizes
            and all(layer["frames"] > 5 for layer in layers(stream).values())
        ),
        limit=60,
    )
    for layer in layers(stream).values():
        assert layer["codec"] == codec.replace(".", "")
    sent = await publisher.frame.run(SENT)
    assert {layer["rid"]: size_of(layer) for layer in sent} == sizes
    for name, line in (("offer", "send q;h;f"), ("answer", "recv q;h;f")):
        text = await publisher.page.locator(f"#{name}").text_content()
        assert f"a=simulcast:{line}" in (text or "")
    for title in ("Video, layer f", "Video, layer h", "Video, layer q"):
        await expect(publisher.figures(title)).to_be_visible()
