"""Publishing from the page: camera, screen and test pattern, beginning to end."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from .ping_page import PingPage
from .publish_page import NBSP, PublishPage, layers, received, size

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A moving picture: its size, whether it plays, and whether it can be heard.
PREVIEW = """(video) => ({
    width: video.videoWidth, height: video.videoHeight,
    plays: !video.paused && video.currentTime > 0, muted: video.muted,
})"""


async def test_camera_with_sound(publisher: PublishPage) -> None:
    await publisher.publish("Camera", "320x180", sound=True)
    stream = await publisher.until_received(
        lambda stream: (
            [layer["width"] for layer in layers(stream).values()] == [320]
            and layers(stream, "audio")
        )
    )
    (video,) = layers(stream).values()
    assert (video["width"], video["height"]) == (320, 180)
    (audio,) = layers(stream, "audio").values()
    assert audio["codec"] == "opus"
    await publisher.frames_advance()
    preview = await publisher.preview.evaluate(PREVIEW)
    assert preview == {"width": 320, "height": 180, "plays": True, "muted": True}


async def test_screen(publisher: PublishPage) -> None:
    await publisher.publish("Screen", "640x360")
    await publisher.until_received(
        lambda stream: any(layer["width"] for layer in layers(stream).values())
    )
    assert not layers(await publisher.received(), "audio")


async def test_test_pattern_with_a_tone(publisher: PublishPage) -> None:
    await publisher.publish("Test pattern", "320x180", sound=True)
    await publisher.frames_advance()
    # Silence would take a tenth of it.
    await publisher.until_received(
        lambda stream: any(
            layer["bitrate"] > 10_000 for layer in layers(stream, "audio").values()
        )
    )


async def test_figures_say_what_is_sent_and_received(publisher: PublishPage) -> None:
    await publisher.publish("Test pattern", "320x180", codec="VP8", sound=True)
    table = publisher.figures()
    await expect(table).to_contain_text(size(320, 180), timeout=60_000)
    await expect(publisher.row("Bitrate")).to_contain_text("kb/s", timeout=60_000)
    assert await publisher.figure("Codec") == ("VP8", "VP8")
    assert await publisher.figure("Codec", "Audio") == ("Opus", "Opus")
    # The received figures follow the sent ones.
    cell = table.locator("tr", has_text="Resolution").locator("td").nth(1)
    await expect(cell).to_have_text(size(320, 180))
    for row in ("Bitrate", "Frame rate", "Loss"):
        cells = table.locator("tr", has_text=row).locator("td")
        await expect(cells.nth(0)).not_to_have_text("\N{EN DASH}", timeout=60_000)
        await expect(cells.nth(1)).not_to_have_text("\N{EN DASH}", timeout=60_000)
    round_trip = table.locator("tr", has_text="Round trip")
    await expect(round_trip).to_contain_text("ms", timeout=60_000)


async def test_each_layer_stands_beside_what_is_received_of_it(
    publisher: PublishPage,
) -> None:
    await publisher.open()
    await publisher.frame.run(
        """async () => {
            const { showEncodings } = await import('/views/publish-figures.js');
            const sent = (rid, width) => ({ kind: 'video', rid, codec: 'VP8', width,
                height: width / 2, frameRate: 30, bitrate: 1e6, rtt: 0.0123,
                loss: 0.05, limit: rid === 'f' ? 'cpu' : 'none' });
            const received = (rid, width) => ({ rid, codec: 'VP8', width,
                height: width / 2, frame_rate: 29.6, bitrate: 9e5, packets: 99,
                lost: 1, recovered: 0 });
            const layers = [received('q', 320), received('f', 1280)];
            showEncodings([sent('f', 1280), sent('h', 640), sent('q', 320)],
                { tracks: [{ kind: 'audio', layers: [] }, { kind: 'video', layers }] });
        }"""
    )
    for title, width in (("Video, layer f", 1280), ("Video, layer q", 320)):
        both = (size(width, width // 2), size(width, width // 2))
        assert await publisher.figure("Resolution", title) == both
    # Nothing has come of this one.
    assert await publisher.figure("Resolution", "Video, layer h") == (
        size(640, 320),
        "\N{EN DASH}",
    )
    title = "Video, layer f"
    rates = (f"1.00{NBSP}Mb/s", f"900{NBSP}kb/s")
    assert await publisher.figure("Bitrate", title) == rates
    assert await publisher.figure("Loss", title) == (f"5.0{NBSP}%", f"1.0{NBSP}%")
    assert await publisher.figure("Round trip", title) == (f"12{NBSP}ms", "")
    assert await publisher.figure("Limited by", title) == ("this device", "")


async def test_stop_frees_the_name_and_the_camera_at_once(
    publisher: PublishPage,
) -> None:
    await publisher.publish("Camera", "320x180", sound=True)
    tracks = await publisher.preview.evaluate_handle("(v) => v.srcObject.getTracks()")
    await publisher.stop()
    assert await publisher.received() is None
    states = await tracks.evaluate("(tracks) => tracks.map((t) => t.readyState)")
    assert states == ["ended", "ended"]
    await expect(publisher.start).to_have_text("Start")
    await expect(publisher.start).to_be_focused()
    await expect(publisher.figures()).to_have_count(0)
    # ... and it can be begun again.
    await publisher.start.click()
    await publisher.is_on_air()
    await publisher.until_received(layers)


async def test_start_right_after_stop_waits_for_the_end(
    publisher: PublishPage,
) -> None:
    await publisher.publish()
    answer = asyncio.Event()

    async def slow(route: Route) -> None:
        if route.request.method == "DELETE":
            await answer.wait()
        await route.continue_()

    await publisher.page.route("**/whip/**", slow)
    async with publisher.page.expect_request(lambda r: r.method == "DELETE"):
        await publisher.start.click()
    await publisher.start.click()
    await expect(publisher.start).to_have_text("Stop")
    assert len(publisher.frame.whip_requests("POST")) == 1
    answer.set()
    await publisher.is_on_air()
    await expect(publisher.frame.problem).to_be_hidden()


async def test_leaving_the_page_frees_the_name(publisher: PublishPage) -> None:
    await publisher.publish()
    await publisher.page.goto("about:blank")
    await publisher.until_free()


async def test_it_goes_on_while_other_views_are_looked_at(
    publisher: PublishPage,
) -> None:
    await publisher.publish()
    page = publisher.page
    await page.get_by_role("link", name="Streams").click()
    await expect(page.get_by_role("heading", name=publisher.stream)).to_be_visible()
    await expect(page.get_by_role("link", name="Publish (on air)")).to_be_visible()
    await publisher.frames_advance()
    await page.get_by_role("link", name="Ping", exact=True).click()
    await publisher.frame.is_connected()
    await publisher.frame.ping_once()
    await page.get_by_role("link", name="Publish (on air)").click()
    await expect(publisher.frame.state_word).to_have_text("On air")
    await expect(publisher.name).to_have_value(publisher.stream)
    await publisher.frames_advance()
    assert len(publisher.frame.whip_requests("POST")) == 2
    await publisher.stop()
    await expect(publisher.on_air).to_be_hidden()


async def test_the_address_names_the_stream(publisher: PublishPage) -> None:
    await publisher.open()
    await expect(publisher.name).to_have_value(publisher.stream)
    await publisher.choose()
    other = f"{publisher.stream}-other"
    await publisher.name.fill(other)
    await expect(publisher.page.locator("#endpoint")).to_contain_text(f"/whip/{other}")
    await publisher.start.click()
    await publisher.is_on_air()
    assert publisher.page.url.endswith(f"/#publish/{other}")
    await publisher.page.reload()
    await expect(publisher.name).to_have_value(other)
    # Nobody is filmed without having said so.
    await expect(publisher.frame.state_word).to_have_text("Not publishing")


async def test_what_is_wrong_in_the_form_is_said(publisher: PublishPage) -> None:
    await publisher.open()
    await publisher.choose()
    await publisher.name.fill("not a name")
    await publisher.bitrate.fill("much")
    await publisher.start.click()
    page = publisher.page
    await expect(page.locator("#publish-stream-problem")).to_contain_text("a to z")
    await expect(page.locator("#bitrate-problem")).to_contain_text("30 to 50,000 kb/s")
    await expect(publisher.name).to_be_focused()
    await publisher.name.fill(publisher.stream)
    await publisher.bitrate.fill("500")
    await publisher.start.click()
    await publisher.is_on_air()
    await expect(page.locator("#publish-stream-problem")).to_be_empty()


async def test_only_pings_are_sent_where_nothing_is_published(
    ping_page: PingPage,
) -> None:
    await ping_page.open_connected("/?stream=not-published")
    assert await received(ping_page.url, "not-published") is None
