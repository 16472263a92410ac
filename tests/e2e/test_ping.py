"""Pressing Ping, and what the page makes of the answers."""

import asyncio
import re
from decimal import Decimal

import pytest
from playwright.async_api import Route, expect

from .ping_page import RECORD_STATES, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Lets a test lose pings: while `window.losePings` is set, nothing is sent.
LOSE_PINGS = """() => {
    const send = RTCDataChannel.prototype.send;
    RTCDataChannel.prototype.send = function (message) {
        if (!window.losePings) send.call(this, message);
    };
}"""


async def test_connects_by_itself_and_pings(ping_page: PingPage) -> None:
    await ping_page.page.add_init_script(f"({RECORD_STATES})()")

    async def hold(route: Route) -> None:
        # On a slow machine it may be connected before it can say that it connects.
        if route.request.method == "POST":
            await expect(ping_page.state_word).to_have_text("Connecting")
        await route.continue_()

    await ping_page.page.route("**/whip/**", hold)
    await ping_page.open_connected()
    await ping_page.page.unroute("**/whip/**")
    states = ["Starting", "Connecting", "Connected"]
    assert await ping_page.run("() => window.states") == states
    await expect(ping_page.points).to_have_count(0)
    await expect(ping_page.graph).to_contain_text("No pings yet")

    await ping_page.ping_once()
    rtt = float(await ping_page.rtt.inner_text())
    assert 0 < rtt < 1000
    await expect(ping_page.points).to_have_count(1)

    await ping_page.ping_once()
    await expect(ping_page.points).to_have_count(2)
    await expect(ping_page.graph).to_have_accessible_name(
        re.compile(r"latest 2 round-trip times: from .* ms to .* ms, 0 lost")
    )
    assert await ping_page.run("() => window.states") == states


async def test_figures_agree_with_each_other(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.ping_automatically()
    await expect(ping_page.answered).to_have_text(re.compile(r"^[1-9]\d$"))
    await ping_page.stop_pinging()

    figures = await ping_page.run(
        """() => ['min', 'average', 'p95', 'max'].map(
            (id) => parseFloat(document.getElementById(id).textContent))"""
    )
    least, average, p95, most = figures
    assert 0 < least <= average <= most
    assert least <= p95 <= most
    await expect(ping_page.lost).to_have_text("0")


async def test_the_graph_says_which_part_it_shows(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    title, marks = await ping_page.run(
        """async () => {
            const { RttGraph } = await import('/ping/rtt-graph.js');
            const root = document.getElementById('graph');
            const graph = new RttGraph(root);
            const drawn = async () => {
                for (let frame = 0; frame < 3; frame += 1) {
                    await new Promise(requestAnimationFrame);
                }
            };
            const y = (name, key) => root.querySelector(name).getAttribute(key);
            graph.show([{ sequence: 8, rtt: 1 }, { sequence: 9, rtt: 4 }],
                { average: 4, count: 2345 });
            await drawn();
            const title = root.textContent;
            const marks = [y('.average', 'y1'), y('circle:last-of-type', 'cy')];
            return [title, marks];
        }"""
    )
    assert "ping number (latest 2 of 2,345)" in title
    # The line is at the average it was told, not at that of what it shows.
    assert marks[0] == marks[1]


async def test_no_invented_numbers_before_the_first_ping(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await expect(ping_page.graph).to_contain_text("No pings yet")
    await expect(ping_page.page.locator("#graph .y")).to_have_count(0)


async def test_ping_pressed_too_early_says_that_it_will_follow(
    ping_page: PingPage,
) -> None:
    release = asyncio.Event()

    async def slow(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await ping_page.page.route("**/whip/*", slow)
    await ping_page.open()
    await ping_page.ping.click()
    await expect(ping_page.rtt_note).to_contain_text("as soon as the connection is")
    release.set()
    await expect(ping_page.answered).to_have_text("1")
    await expect(ping_page.rtt_note).to_contain_text("Ping 1,")


async def test_a_bad_payload_size_ends_auto_ping_and_says_so(
    ping_page: PingPage,
) -> None:
    await ping_page.open_connected()
    await ping_page.ping_automatically()
    await ping_page.size.fill("many")
    await ping_page.size.blur()
    await expect(ping_page.auto).not_to_be_checked()
    await expect(ping_page.size_problem).to_contain_text("Auto-ping is off")
    await ping_page.auto.click()
    await expect(ping_page.auto).not_to_be_checked()

    await ping_page.size.fill("9")
    await ping_page.auto.check()
    await expect(ping_page.size_problem).to_be_hidden()
    await expect(ping_page.rtt_note).to_contain_text("9 bytes")


async def test_ping_while_disconnected_connects_first(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.connect.click()
    await expect(ping_page.state_word).to_have_text("Disconnected")
    await ping_page.ping.click()
    await expect(ping_page.answered).to_have_text("1")
    await ping_page.is_connected()


async def test_auto_ping_goes_on_until_it_is_switched_off(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.ping_automatically()
    await expect(ping_page.answered).to_have_text(re.compile(r"^[5-9]$|^\d\d$"))
    await ping_page.stop_pinging()
    # Messages in flight have arrived, and no more follow.
    count = await ping_page.answered.inner_text()
    await ping_page.page.wait_for_timeout(300)
    assert await ping_page.answered.inner_text() == count


async def test_the_graph_keeps_to_its_room(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    shown = await ping_page.run(
        """async () => {
            const { RttGraph } = await import('/ping/rtt-graph.js');
            const graph = new RttGraph(document.getElementById('graph'));
            graph.show(Array.from({ length: 500 },
                (_, sequence) => ({ sequence, rtt: sequence % 7 })));
            for (let frame = 0; frame < 3; frame += 1) {
                await new Promise(requestAnimationFrame);
            }
            return [graph.root.querySelectorAll('circle').length, graph.capacity];
        }"""
    )
    assert shown[0] == shown[1] <= 120


async def test_payload_size_up_to_the_negotiated_maximum(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    hint = await ping_page.page.locator("#size-hint").inner_text()
    largest = re.sub(r"\D", "", hint)
    assert int(largest) >= 65536

    await ping_page.size.fill(largest)
    await ping_page.ping_once()
    await expect(ping_page.rtt_note).to_contain_text(f"{int(largest):,} bytes")
    await expect(ping_page.size_problem).to_be_hidden()

    await ping_page.size.fill("8")
    await ping_page.ping_once()
    await expect(ping_page.rtt_note).to_contain_text("8 bytes")


async def test_an_impossible_payload_size_is_explained(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    for size, words in (
        ("99999999", "That is too large. This connection allows 8 to"),
        ("7", "7 is too small"),
        ("many", "Please enter a whole number from 8 to"),
        ("", "Please enter a whole number from 8 to"),
        ("-1", "Please enter a whole number from 8 to"),
    ):
        await ping_page.size.fill(size)
        await ping_page.ping.click()
        await expect(ping_page.size_problem).to_contain_text(words)
        await expect(ping_page.size_problem).to_have_role("alert")
        await expect(ping_page.size).to_have_attribute("aria-invalid", "true")
        await expect(ping_page.size).to_be_focused()
    await expect(ping_page.answered).to_have_text("0")

    await ping_page.size.fill("100")
    await ping_page.ping_once()
    await expect(ping_page.size_problem).to_be_hidden()
    await expect(ping_page.size).to_have_attribute("aria-invalid", "false")


async def test_a_ping_without_echo_is_lost(ping_page: PingPage) -> None:
    await ping_page.page.add_init_script(f"({LOSE_PINGS})()")
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.run("() => { window.losePings = true; }")
    await ping_page.ping.click()
    await expect(ping_page.lost).to_have_text("1")
    await expect(ping_page.rtt).to_have_text("lost")
    await expect(ping_page.rtt_note).to_contain_text("No echo of ping 2")
    await expect(ping_page.page.locator("#graph .lost")).to_have_count(1)

    # The server still has the session: the connection goes on.
    await ping_page.run("() => { window.losePings = false; }")
    await ping_page.ping_once()
    await expect(ping_page.answered).to_have_text("2")
    assert len(ping_page.whip_requests("POST")) == 1


async def test_figures_can_be_cleared(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    await ping_page.ping_once()
    await ping_page.page.get_by_role("button", name="Clear figures").click()
    await expect(ping_page.answered).to_have_text("0")
    await expect(ping_page.page.locator("#max")).to_have_text("\N{EN DASH}")
    await expect(ping_page.rtt).to_have_text("\N{EN DASH}")
    await expect(ping_page.page.locator("#rtt-unit")).to_be_empty()
    await expect(ping_page.points).to_have_count(0)


async def test_the_setup_is_timed(ping_page: PingPage) -> None:
    await ping_page.open_connected()
    rows = ping_page.page.locator("#timeline tr")
    phases = ("Offer", "POST", "ICE", "DTLS", "Channel open", "Gathering")
    await expect(rows).to_have_count(len(phases))
    times = []
    for index, phase in enumerate(phases):
        await expect(rows.nth(index).get_by_role("rowheader")).to_have_text(phase)
        time = rows.nth(index).locator(".time")
        await expect(time).to_have_text(re.compile(r"^\d+\.\d ms$"))
        times.append(Decimal((await time.inner_text()).removesuffix(" ms")))
    await expect(rows.nth(5)).to_have_class("aside")
    total = await ping_page.page.locator("#setup-total").inner_text()
    # To the digit: everybody can check it. The gathering runs beside the rest.
    assert sum(times[:5]) == Decimal(total.removesuffix(" ms"))


async def test_offer_answer_and_path_can_be_read_and_copied(
    ping_page: PingPage,
) -> None:
    page = ping_page.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ping_page.open_connected()
    for part, words in (
        ("Path", re.compile(r"local +udp.*remote +udp [^ ]+:\d+", re.DOTALL)),
        ("Offer", re.compile(r"^v=0.*a=setup:actpass", re.DOTALL)),
        ("Answer", re.compile(r"^v=0.*a=setup:(active|passive)", re.DOTALL)),
    ):
        details = page.locator("details", has=page.locator("summary", has_text=part))
        await details.locator("summary").click()
        await expect(details.locator("pre")).to_have_text(words)
        await details.get_by_role("button", name="Copy").click()
        await expect(details.get_by_role("button")).to_have_text("Copied ✓")
        copied = await page.evaluate("() => navigator.clipboard.readText()")
        assert words.search(copied)
