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
        assert lines[0] == "a=group:BUNDLE 0"
        assert lines[1] == "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        assert lines[2] == "a=mid:0"
        assert lines[3] in offer
        assert lines[4] in offer
        assert re.match("a=ice-ufrag:", lines[3])
        assert re.match("a=ice-pwd:", lines[4])
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
        "the server takes no candidates"
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


async def test_candidates_wait_for_the_201_and_then_share_a_patch(
    ping_page: PingPage,
) -> None:
    gathered = """async () => {
        const { WhipClient } = await import('/whip-client.js');
        const client = new WhipClient('/whip/slow');
        client.pc.createDataChannel('ping');
        window.gathered = new Promise((done) => {
            client.addEventListener('mark', (event) =>
                event.detail.name === 'gathered' && done());
        });
        window.connected = client.connect().then(() => client.close());
    }"""

    async def slow(route: Route) -> None:
        if route.request.method == "POST":
            await ping_page.run("() => window.gathered")
            assert ping_page.whip_requests("PATCH") == []
        await route.continue_()

    await ping_page.page.route("**/whip/slow**", slow)
    await ping_page.page.route("**/whip/slow/**", slow)
    await ping_page.open_without_application()
    await ping_page.run(gathered)
    await ping_page.run("() => window.connected")
    (patch,) = ping_page.whip_requests("PATCH")
    assert "a=candidate:" in (patch.post_data or "")
    assert "a=end-of-candidates" in (patch.post_data or "")
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
