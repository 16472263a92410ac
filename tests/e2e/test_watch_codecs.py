"""A publisher whose codec the viewer's browser cannot decode."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenViewer
from .counter_publisher import CounterPublisher
from .watch_page import WatchPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Makes a browser that can decode VP8 and no other picture.
_VP8_ALONE = """
const every = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
RTCRtpReceiver.getCapabilities = (kind) => {
    const { codecs, ...others } = every(kind);
    const known = codecs.filter(({ mimeType }) =>
        kind === 'audio' || /vp8|rtx/i.test(mimeType));
    return { ...others, codecs: known };
};
const add = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (kind, ...others) {
    const transceiver = add.call(this, kind, ...others);
    if (kind === 'video') {
        transceiver.setCodecPreferences(RTCRtpReceiver.getCapabilities(kind).codecs);
    }
    return transceiver;
};
"""


async def hears_more(viewer: WatchPage) -> None:
    """Wait until more sound is received."""
    await viewer.hears()
    before = (await viewer.hears()).energy
    async with asyncio.timeout(20):
        # Levels have no event.
        while (await viewer.hears()).energy <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_returning_publisher_has_another_codec(
    server: ServerProcess, counter: CounterPublisher, open_viewer: OpenViewer
) -> None:
    """It is said, and the sound plays; with the next one there is a picture again."""
    await counter.start(codec="video/VP8")
    viewer = await open_viewer(server, counter.stream)
    await viewer.page.add_init_script(_VP8_ALONE)
    await viewer.open()
    await viewer.reads(beyond=0)
    await viewer.mute.click()
    await counter.start(first=20_000, codec="video/VP9")
    await expect(viewer.note).to_have_text(
        f"The picture of “{counter.stream}” is sent as VP9 now, which this browser "
        "cannot play. The sound goes on."
    )
    await hears_more(viewer)
    await expect(viewer.frame.state_word).to_have_text("Connected")
    await counter.start(first=40_000, codec="video/VP8")
    await viewer.reads(beyond=40_000)
    await viewer.plays()
    assert len(viewer.requests("POST")) == 1


async def test_who_comes_while_it_is_so(
    server: ServerProcess, counter: CounterPublisher, open_viewer: OpenViewer
) -> None:
    """The sound plays, and the picture as soon as there is one that can be played."""
    await counter.start(codec="video/VP9")
    viewer = await open_viewer(server, counter.stream)
    await viewer.page.add_init_script(_VP8_ALONE)
    await viewer.open()
    await expect(viewer.note).to_have_text(
        f"“{counter.stream}” is sent as VP9, which this browser cannot play."
    )
    await viewer.mute.click()
    await hears_more(viewer)
    await counter.start(first=20_000, codec="video/VP8")
    await viewer.reads(beyond=20_000)
    await viewer.plays()
