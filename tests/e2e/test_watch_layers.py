"""The choice among several encodings, and the codecs of other publishers."""

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .command_publisher import ffmpeg_publishing, publishing
from .conftest import OpenViewer
from .publish_page import PublishPage, layers, size
from .watch_page import WatchPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_layer_is_chosen(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    # Chromium sends fewer encodings of a smaller picture.
    await publisher.publish(
        "Test pattern", "960x540", codec="VP8", bitrate=900, simulcast=True
    )
    await publisher.until_received(
        lambda stream: (
            {layer["width"] for layer in layers(stream).values()} == {240, 480, 960}
        ),
        limit=60,
    )
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await viewer.plays()
    options = viewer.layer.locator("option")
    await expect(options).to_have_text(
        [
            "Auto",
            f"f, {size(960, 540)}",
            f"h, {size(480, 270)}",
            f"q, {size(240, 135)}",
        ]
    )
    await expect(viewer.layer).to_have_value("")
    for rid, picture in (("q", size(240, 135)), ("h", size(480, 270))):
        await viewer.layer.select_option(rid)
        await expect(viewer.figure("Resolution")).to_have_text(picture, timeout=60_000)
        await viewer.plays()
        await expect(viewer.layer).to_have_value(rid)
        assert viewer.requests("POST")[-1].url.endswith(f"?layer={rid}")
    # A layer that is not sent any more can be deselected.
    await publisher.stop()
    await expect(viewer.note).to_contain_text("has left")
    await expect(viewer.layer).to_have_value("h")


async def test_one_layer_is_no_choice(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await viewer.plays()
    await expect(viewer.layer).to_be_hidden()


async def needs(viewer: WatchPage, codec: str) -> None:
    """Skip the test if the browser cannot decode a codec."""
    known = await viewer.frame.run(
        "() => RTCRtpReceiver.getCapabilities('video').codecs.map((c) => c.mimeType)"
    )
    if f"video/{codec}" not in known:
        pytest.skip(f"this build of Chromium cannot decode {codec}: {sorted(known)}")


async def test_what_ffmpeg_publishes_plays(
    server: ServerProcess, open_viewer: OpenViewer
) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    viewer = await open_viewer(server, "ffmpeg")
    await viewer.open()
    await needs(viewer, "H264")
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    async with ffmpeg_publishing(ffmpeg, f"{server.url}/whip/ffmpeg"):
        await viewer.plays(limit=60)
        await expect(viewer.figure("Resolution")).to_have_text(size(320, 180))
        await expect(viewer.figure("Codecs")).to_have_text("H.264, Opus")


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_what_the_command_publishes_plays(
    server: ServerProcess, open_viewer: OpenViewer, codec: str
) -> None:
    stream = f"command-{codec}"
    viewer = await open_viewer(server, stream)
    await viewer.open()
    await needs(viewer, codec)
    size_and_rate = ("--size", "320x180", "--rate", "15", "--bitrate", "300k")
    async with publishing(
        f"{server.url}/whip/{stream}", *size_and_rate, "--video-codec", codec.lower()
    ):
        await viewer.plays(limit=60)
        await expect(viewer.figure("Resolution")).to_have_text(size(320, 180))
        assert (await viewer.received())["codec"] == f"video/{codec}"
