"""What a broadcaster changes and sees while on air."""

import re
from typing import Any

import pytest
from playwright.async_api import Dialog, expect

from tests.server import ServerProcess

from .conftest import OpenPublisher, OpenViewer
from .publish_page import PublishPage, Stream
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def level_is(publisher: PublishPage, condition: str) -> None:
    """Wait until the meter of the sound meets a condition on ``level``."""
    await publisher.page.wait_for_function(
        f"() => {{ const level = document.querySelector('#level').value; "
        f"return {condition}; }}",
        timeout=60_000,
    )


async def test_muting_and_turning_the_picture_off(publisher: PublishPage) -> None:
    await publisher.publish(sound=True)
    page = publisher.page
    mute = page.get_by_role("button", name="Mute")
    blind = page.get_by_role("button", name="Picture off")
    await level_is(publisher, "level > 0.3")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")
    # The track itself is silent: nobody hears anything.
    await level_is(publisher, "level === 0")
    await expect(page.locator("#level-note")).to_have_text("muted")
    await mute.click()
    await level_is(publisher, "level > 0.3")

    await blind.click()
    await expect(blind).to_have_attribute("aria-pressed", "true")
    brightness = """() => {
        const canvas = new OffscreenCanvas(32, 18).getContext('2d');
        canvas.drawImage(document.querySelector('#preview'), 0, 0, 32, 18);
        const { data } = canvas.getImageData(0, 0, 32, 18);
        return data.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + value), 0);
    }"""
    await page.wait_for_function(f"() => ({brightness})() === 0", timeout=60_000)
    await assert_accessible(publisher.frame)
    await blind.click()
    await page.wait_for_function(f"() => ({brightness})() > 0", timeout=60_000)
    await publisher.stop()
    await expect(mute).to_be_hidden()
    # The next show begins with all on.
    await publisher.start.click()
    await publisher.is_on_air()
    await expect(mute).to_have_attribute("aria-pressed", "false")


async def test_another_source_within_the_same_session(publisher: PublishPage) -> None:
    """The pattern, a camera, the pattern again; muted all the time."""
    await publisher.publish(sound=True)
    page = publisher.page
    await page.get_by_role("button", name="Mute").click()
    label = (
        "() => document.querySelector('#preview').srcObject.getVideoTracks()[0].label"
    )
    pattern = await page.evaluate(label)
    await publisher.source.select_option(label="Camera")
    await page.wait_for_function(f"() => /fake/.test(({label})())", timeout=60_000)
    assert pattern != await page.evaluate(label)
    await publisher.frames_advance()
    enabled = """() => document.querySelector('#preview').srcObject
        .getAudioTracks()[0].enabled"""
    assert await page.evaluate(enabled) is False
    # Chromium pretends several devices: their names are known now.
    cameras = page.get_by_label("Which camera")
    if await cameras.is_visible():
        names = await cameras.locator("option").all_inner_texts()
        await cameras.select_option(label=names[-1])
        await publisher.frames_advance()
    await publisher.source.select_option(label="Test pattern")
    await page.wait_for_function(f"() => !/fake/.test(({label})())", timeout=60_000)
    await publisher.frames_advance()
    # A choice that is made while another one is being taken counts, too.
    microphone = page.get_by_label("Microphone")
    await page.evaluate(
        """() => {
            for (const [id, index] of [['source', 0], ['microphone', 2]]) {
                const select = document.getElementById(id);
                select.selectedIndex = index;
                select.dispatchEvent(new Event('change'));
            }
        }"""
    )
    device = await microphone.input_value()
    heard = """() => document.querySelector('#preview').srcObject
        .getAudioTracks()[0].getSettings().deviceId"""
    await page.wait_for_function(
        f"(device) => ({heard})() === device", arg=device, timeout=60_000
    )
    await expect(microphone).to_have_value(device)
    assert len(publisher.frame.whip_requests("POST")) == 1
    await expect(publisher.problem).to_be_empty()


async def test_a_source_that_cannot_be_had_leaves_the_other(
    publisher: PublishPage,
) -> None:
    await publisher.publish()
    await publisher.page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException('', 'NotReadableError')); }"""
    )
    await publisher.source.select_option(label="Camera")
    await expect(publisher.problem).to_contain_text("Another program may have it")
    await expect(publisher.source).to_have_value("pattern")
    await publisher.frames_advance()


def sound_packets(stream: Stream | None) -> int:
    """How many packets of sound the server has received."""
    assert stream is not None
    sound = next(track for track in stream["tracks"] if track["kind"] == "audio")
    return sum(layer["packets"] for layer in sound["layers"])


async def test_one_device_that_goes_leaves_the_other(publisher: PublishPage) -> None:
    """The microphone is unplugged and connected again, in the same session."""
    await publisher.publish("Camera", sound=True)
    page = publisher.page
    level = page.locator("#level")
    await page.evaluate(
        """() => {
            const { srcObject } = document.querySelector('#preview');
            const [track] = srcObject.getAudioTracks();
            track.stop();
            track.dispatchEvent(new Event('ended'));
        }"""
    )
    await expect(publisher.problem).to_contain_text("The picture goes on.")
    await expect(level).to_be_hidden()
    await publisher.frames_advance()
    before = sound_packets(await publisher.received())
    await page.evaluate(
        "() => { navigator.mediaDevices.dispatchEvent(new Event('devicechange')); }"
    )
    await expect(publisher.problem).to_be_empty()
    await expect(level).to_be_visible()
    await publisher.until_received(lambda stream: sound_packets(stream) > before + 50)
    assert len(publisher.frame.whip_requests("POST")) == 1
    await publisher.stop()


async def test_both_devices_go_at_once(publisher: PublishPage) -> None:
    """As browsers do when a permission is taken back: one event after the other."""
    await publisher.publish("Camera", sound=True)
    await publisher.page.evaluate(
        """() => {
            const { srcObject } = document.querySelector('#preview');
            for (const track of srcObject.getTracks()) {
                track.stop();
                setTimeout(() => track.dispatchEvent(new Event('ended')));
            }
        }"""
    )
    await expect(publisher.frame.state_word).to_have_text("Not publishing")
    await expect(publisher.problem).to_contain_text(
        "The picture and the sound have ended"
    )
    await expect(publisher.start).to_have_text("Start")
    await publisher.start.click()
    await publisher.is_on_air()
    await expect(publisher.problem).to_be_empty()
    await publisher.stop()


async def test_the_audience_is_shown(
    server: ServerProcess, publisher: PublishPage, open_viewer: OpenViewer
) -> None:
    await publisher.publish()
    viewers = publisher.page.locator("#publish-viewers")
    await expect(viewers).to_have_text("0 viewers")
    viewer = await open_viewer(server, publisher.stream)
    await viewer.open()
    await expect(viewers).to_have_text("1 viewer")
    await expect(publisher.page.locator("#publish-rec")).to_be_hidden()
    await expect(publisher.start).to_have_class(re.compile(r"\bstop\b"))


async def test_leaving_asks_and_a_reload_offers_to_go_on(
    server: ServerProcess, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(server)
    await publisher.publish(codec="VP8", bitrate=432, frame_rate=30, simulcast=True)
    page = publisher.page
    await publisher.source.select_option(label="Camera")
    microphone = page.get_by_label("Microphone")
    await microphone.select_option(index=2)
    device = await microphone.input_value()
    asked: list[str] = []

    async def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.once("dialog", leave)
    await page.reload()
    assert asked == ["beforeunload"]
    await expect(page.locator("#publish-note")).to_contain_text(
        f"“{publisher.stream}” was on air"
    )
    await expect(publisher.bitrate).to_have_value("432")
    await expect(publisher.frame_rate).to_have_value("30")
    await expect(publisher.codec).to_have_value("video/VP8")
    await expect(publisher.simulcast).to_be_checked()
    await expect(publisher.name).to_have_value(publisher.stream)
    await expect(microphone.locator("option:checked")).to_contain_text("Fake")
    await expect(microphone).to_have_value(device)
    await publisher.start.click()
    await publisher.is_on_air()
    await publisher.frames_advance()
    await expect(page.locator("#publish-note")).to_be_hidden()
    await publisher.stop()
    # After Stop nothing is asked, and nothing is to go on.
    page.once("dialog", leave)
    await page.reload()
    assert asked == ["beforeunload"]
    await expect(publisher.bitrate).to_have_value("432")
    await expect(page.locator("#publish-note")).to_be_hidden()


async def test_the_pattern_does_not_need_the_timers_of_the_page(
    publisher: PublishPage,
) -> None:
    """They are slow while the page is hidden; those of workers are not."""
    await publisher.page.add_init_script("window.setInterval = () => 0")
    await publisher.publish(frame_rate=30)
    await publisher.frames_advance(30)


@pytest.mark.parametrize(
    ("limit", "target", "words"),
    [
        ("bandwidth", 495_000, "the bitrate limit set here"),
        ("bandwidth", 100_000, "the network"),
        ("cpu", 495_000, "this device"),
    ],
)
async def test_what_limits_the_quality(
    modules: Any, limit: str, target: int, words: str
) -> None:
    said = await modules.run(
        """async ([limit, target]) => {
            const { showEncodings } = await import('/views/publish-figures.js');
            showEncodings([{ kind: 'video', rid: null, limit, target }], null, 500000);
            return document.querySelector('.layer tbody').lastElementChild.textContent;
        }""",
        [limit, target],
    )
    assert words in said
