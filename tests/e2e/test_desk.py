"""The panels of the Ping view: throughput, figures over time, pairs, a log."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage
from .test_look import assert_accessible

pytestmark = pytest.mark.asyncio(loop_scope="session")

PANELS = ("throughput", "series", "pairs", "log")

#: Of the channel without retransmissions, loses the first ping and delays the second.
LOSE_AND_DELAY = """
    const send = RTCDataChannel.prototype.send;
    let count = 0;
    RTCDataChannel.prototype.send = function (data) {
        if (this.maxRetransmits !== 0) return send.call(this, data);
        count += 1;
        if (count === 1) return undefined;
        if (count === 2) return setTimeout(() => send.call(this, data), 2500);
        return send.call(this, data);
    };
"""


async def open_panels(ping_page: PingPage) -> None:
    for name in PANELS:
        await ping_page.page.locator(f"#{name} summary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_panels(
    server: ServerProcess, open_page: OpenPage, scheme: str, tmp_path: Path
) -> None:
    frame = await open_page(
        server, viewport={"width": 390, "height": 844}, color_scheme=scheme
    )
    page = frame.page
    await frame.open_connected()
    await open_panels(frame)
    await frame.ping_automatically()

    # Candidate pairs.
    await expect(page.locator("#pairs-words")).to_contain_text("Data goes directly")
    await expect(page.locator("#pairs-rows tr").first).to_contain_text("selected")
    await expect(page.locator("#pairs-rows tr").first).to_contain_text("answered")

    # One by one.
    await expect(page.locator("#log-list li").first).to_have_text(
        re.compile(r"^\d+: [\d.]+ m?s$")
    )

    # Throughput, stopped in its first direction.
    panel = page.locator("#throughput-body")
    await panel.get_by_role("button", name="Start").click()
    await expect(page.locator("#throughput-brief")).to_contain_text(
        re.compile("[kM]b/s")
    )
    # As the series has it, too: two rows of a second each make a rate.
    graph = page.locator("#series-body canvas")
    await expect(graph).to_have_attribute("aria-label", re.compile("Received up to"))
    await assert_accessible(frame)
    await panel.get_by_role("button", name="Stop").click()
    result = page.locator("#throughput-result")
    await expect(result).to_contain_text(re.compile(r"From the server: [\d.]+ [kM]b/s"))
    await expect(result).to_contain_text("Stopped early")

    # Over time, kept as files.
    await expect(graph).to_have_attribute("aria-label", re.compile("round trips from"))
    await expect(page.locator("#happenings")).to_contain_text("connected")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save as JSON").click()
    kept = await download.value
    assert re.fullmatch(r"whipbird-[\dT-]+\.json", kept.suggested_filename)
    await kept.save_as(tmp_path / "series.json")
    data = json.loads((tmp_path / "series.json").read_text())
    assert any(row["answered"] for row in data["rows"])
    assert any(row["down"] for row in data["rows"])
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save as picture").click()
    await (await download.value).save_as(tmp_path / "series.png")
    assert (tmp_path / "series.png").read_bytes().startswith(b"\x89PNG")
    assert not await frame.scrolls_sideways()

    # They outlast the connection.
    await frame.connect.click()
    await expect(page.locator("#pairs-words")).to_contain_text("has ended")
    await expect(page.locator("#happenings")).to_contain_text("idle")
    await expect(panel.get_by_role("button", name="Start")).to_be_disabled()


async def test_lost_and_late_pings_are_told_apart(ping_page: PingPage) -> None:
    page = ping_page.page
    await page.add_init_script(LOSE_AND_DELAY)
    await ping_page.open_connected()
    await page.locator("#log summary").click()
    await page.get_by_label("Without retransmissions").check()
    await ping_page.ping.click()
    await ping_page.ping.click()
    await ping_page.ping.click()
    await expect(page.locator("#answered")).to_have_text("1")
    await expect(page.locator("#late")).to_have_text("1")
    await expect(ping_page.lost).to_have_text("1")
    await expect(page.locator("#graph .lost")).to_have_count(1)
    await expect(page.locator("#graph .late")).to_have_count(1)
    await expect(ping_page.graph).to_have_attribute("aria-label", re.compile("1 late"))
    await expect(page.locator("#log-list li")).to_have_text(
        [re.compile("^3: "), re.compile("^2: late, after 2"), "1: lost"]
    )
    # The choice is remembered.
    await page.reload()
    await ping_page.is_connected()
    await expect(page.get_by_label("Without retransmissions")).to_be_checked()


async def test_what_the_network_loses_stays_lost(
    server: ServerProcess, open_page: OpenPage
) -> None:
    async with LossyPath(server.url) as path:
        frame = await open_page(server)
        frame.url = path.url
        await frame.open_connected()
        await frame.page.get_by_label("Without retransmissions").check()
        path.relay.lose(0.3)
        await frame.ping_automatically()
        await expect(frame.lost).not_to_have_text(re.compile("^[0-2]$"))
        await expect(frame.answered).not_to_have_text(re.compile("^[0-2]$"))
        await expect(frame.state_word).to_have_text("Connected")
