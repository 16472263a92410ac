"""Trickle ICE as the server sees it: the POST, the PATCHes and their headers."""

import re
from urllib.parse import urljoin

import pytest
from playwright.async_api import Response, Route, expect

from .ping_page import FAILED_REQUEST, PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_candidates_are_patched_with_the_entity_tag(ping_page: PingPage) -> None:
    responses: list[Response] = []
    ping_page.page.on("response", lambda response: responses.append(response))
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")

    created = next(r for r in responses if r.request.method == "POST")
    assert created.status == 201
    headers = await created.all_headers()
    offer = created.request.post_data
    assert offer is not None
    patches = [r for r in responses if r.request.method == "PATCH"]
    assert patches
    for patch in patches:
        assert patch.status == 204
        assert patch.url == urljoin(created.url, headers["location"])
        sent = await patch.request.all_headers()
        assert sent["if-match"] == headers["etag"]
        assert sent["content-type"] == "application/trickle-ice-sdpfrag"

    fragments = [patch.request.post_data or "" for patch in patches]
    for fragment in fragments:
        lines = fragment.split("\r\n")
        # RFC 9725 section 4.3.3: the same ice-options as in the offer.
        assert lines[0] == "a=ice-options:trickle"
        assert lines[1] == "a=group:BUNDLE 0"
        assert lines[2] == "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        assert lines[3] == "a=mid:0"
        for line in (lines[0], lines[4], lines[5]):
            assert line in offer.split("\r\n")
        assert re.match("a=ice-ufrag:", lines[4])
        assert re.match("a=ice-pwd:", lines[5])
        assert lines[-1] == ""
    assert [f.count("a=end-of-candidates") for f in fragments] == [
        *([0] * (len(fragments) - 1)),
        1,
    ]
    # Every candidate was told once, and once only.
    told = re.findall(r"a=candidate:.*", "".join([offer, *fragments]))
    assert told
    assert len(told) == len(set(told))


@pytest.mark.parametrize("status", [405, 422, 501])
async def test_a_session_outlives_a_refused_patch(
    ping_page: PingPage, status: int
) -> None:
    ping_page.expects(FAILED_REQUEST)

    async def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            await route.fulfill(status=status)
        else:
            await route.continue_()

    await ping_page.page.route("**/whip/**", refuse)
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text(
        "the server accepts no candidates"
    )
    await ping_page.ping_once()
    await ping_page.ping_once()
    assert len(ping_page.whip_requests("PATCH")) == 1
    await expect(ping_page.problem).to_be_hidden()


async def test_a_patch_that_fails_for_a_moment_is_repeated(
    ping_page: PingPage,
) -> None:
    ping_page.expects(FAILED_REQUEST)

    async def fail_once(route: Route) -> None:
        first = len(ping_page.whip_requests("PATCH")) == 1
        if route.request.method == "PATCH" and first:
            await route.fulfill(status=503)
        else:
            await route.continue_()

    await ping_page.page.route("**/whip/**", fail_once)
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")
    first, second = ping_page.whip_requests("PATCH")[:2]
    told = set(re.findall(r"a=candidate:.*", first.post_data or ""))
    assert told <= set(re.findall(r"a=candidate:.*", second.post_data or ""))


async def test_candidates_are_gathered_after_the_201_and_share_a_patch(
    ping_page: PingPage,
) -> None:
    """RFC 9725 section 4.6: with the servers that the 201 names, so not before it."""
    connect = """async () => {
        const { WhipClient } = await import('/client/whip-client.js');
        const client = new WhipClient('/whip/slow');
        window.client = client;
        client.pc.createDataChannel('ping');
        window.complete = new Promise((resolve) => {
            client.addEventListener('trickle',
                () => client.trickled.complete && resolve());
        });
        window.connected = client.connect();
    }"""
    before: list[str] = []

    async def slow(route: Route) -> None:
        if route.request.method == "POST":
            assert "a=candidate:" not in (route.request.post_data or "")
            before.append(await ping_page.run("() => client.pc.iceGatheringState"))
            assert ping_page.whip_requests("PATCH") == []
        await route.continue_()

    await ping_page.page.route("**/whip/slow", slow)
    await ping_page.open_without_application()
    await ping_page.run(connect)
    await ping_page.run("() => window.connected")
    await ping_page.run("() => window.complete")
    await ping_page.run("() => client.close()")
    assert before == ["new"]
    # Chromium brings candidates for TCP later than the others.
    first, *later = ping_page.whip_requests("PATCH")
    told = re.findall(" (udp|tcp) ", first.post_data or "", re.IGNORECASE)
    assert told
    assert set(told) == {"udp"}
    assert all(" udp " not in (patch.post_data or "") for patch in later)
    assert len(ping_page.whip_requests("DELETE")) == 1


@pytest.mark.parametrize("form", ["relative", "absolute"])
async def test_the_location_may_be_relative_or_absolute(
    ping_page: PingPage, form: str
) -> None:
    locations: list[str] = []

    async def rewrite(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        response = await route.fetch()
        absolute = urljoin(ping_page.url, response.headers["location"])
        relative = absolute.removeprefix(f"{ping_page.url}/whip/")
        location = absolute if form == "absolute" else relative
        locations.append(absolute)
        await route.fulfill(
            response=response, headers={**response.headers, "location": location}
        )

    await ping_page.page.route("**/whip/**", rewrite)
    await ping_page.open_connected()
    await expect(ping_page.page.locator("#trickle")).to_contain_text("complete")
    assert {r.url for r in ping_page.whip_requests("PATCH")} == set(locations)
