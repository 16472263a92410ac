"""ICE restarts by the client that the page is built on (RFC 9725 section 4.3.3)."""

import asyncio
import re
from itertools import pairwise

import pytest
from playwright.async_api import Route

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage
from .restart_lab import LAB, SESSION, lab

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_ten_restarts_lose_no_message(
    own_server: ServerProcess, open_page: OpenPage
) -> None:
    ping_page = await lab(await open_page(own_server))
    facts = await ping_page.run(
        """async () => {
            const states = [];
            client.addEventListener('connectionstatechange',
                () => states.push(client.connectionState));
            const counting = count();
            const looks = [await look()];
            for (let i = 0; i < 10; i += 1) {
                await client.restartIce();
                looks.push(await look());
            }
            const before = counting.sent;
            await until(() => counting.echoed.length > before);
            const { sent, echoed, loose } = await counting.stop();
            return { states, looks, sent, echoed, loose };
        }"""
    )
    looks = facts["looks"]
    assert len(looks) == 11
    # Every number came back once, in order.
    assert facts["sent"] > 100
    assert facts["echoed"] == list(range(facts["sent"]))
    # Without retransmission there are no duplicates.
    assert len(facts["loose"]) == len(set(facts["loose"]))
    assert set(facts["loose"]) <= set(range(facts["sent"]))
    # Each restart is an ICE session of its own, and its path is the one in use ...
    for name in ("etag", "localUfrag", "remoteUfrag", "port"):
        assert len({look[name] for look in looks}) == 11, name
    for look in looks:
        assert look["pair"] == [look["localUfrag"], look["remoteUfrag"]]
        assert re.fullmatch(r'"[^"]+"', look["etag"])
    # ... and everything above it is the same, and never stopped.
    assert facts["states"] == []
    assert all(look["same"] == looks[0]["same"] for look in looks)
    assert looks[0]["same"]["dtls"][:2] == ["connected", "connected"]
    for before, after in pairwise(looks):
        assert all(b < a for b, a in zip(before["bytes"], after["bytes"], strict=True))
    sessions = (await own_server.status())["sessions"]
    assert (sessions["connected"], sessions["total"]) == (1, 1)
    await ping_page.run("() => client.close()")
    await own_server.wait_for_sessions(0)


async def test_an_answer_that_comes_late(ping_page: PingPage) -> None:
    """Checks of the server's must not overtake it by much (see ``FullAgent``)."""

    async def answer_late(route: Route) -> None:
        response = await route.fetch()
        await asyncio.sleep(0.5)
        await route.fulfill(response=response)

    await lab(ping_page)
    await ping_page.page.route(SESSION, answer_late)
    for _ in range(3):
        look = await ping_page.run("() => client.restartIce().then(look)")
        assert look["pair"] == [look["localUfrag"], look["remoteUfrag"]]


async def test_what_a_restart_sends(ping_page: PingPage) -> None:
    await lab(ping_page)
    offer = ping_page.whip_requests("POST")[0].post_data or ""
    await ping_page.run("() => until(() => client.trickled.complete)")
    earlier = len(ping_page.whip_requests("PATCH"))
    look = await ping_page.run("() => client.restartIce().then(look)")
    await ping_page.run("() => until(() => client.trickled.complete)")
    await ping_page.run("() => client.close()")

    restart, *trickles = ping_page.whip_requests("PATCH")[earlier:]
    headers = await restart.all_headers()
    assert headers["if-match"] == "*"
    assert headers["content-type"] == "application/trickle-ice-sdpfrag"
    lines = (restart.post_data or "").split("\r\n")
    (options,) = {line for line in offer.split("\r\n") if "a=ice-options" in line}
    assert lines[:4] == [
        options,
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:0",
    ]
    assert lines[4] == f"a=ice-ufrag:{look['localUfrag']}"
    assert re.fullmatch(r"a=ice-pwd:\S{22,}", lines[5])
    assert lines[4] not in offer
    assert lines[5] not in offer
    # It has the candidates that were there; those that came later have the new tag.
    assert lines[6].startswith("a=candidate:")
    assert trickles
    told = []
    for patch in (restart, *trickles):
        text = patch.post_data or ""
        assert text.startswith("\r\n".join(lines[:6]))
        told += re.findall("a=candidate:.*", text)
    for patch in trickles:
        assert patch.headers["if-match"] == look["etag"]
    assert all(f"ufrag {look['localUfrag']}" in candidate for candidate in told)
    assert len(told) == len(set(told))


async def test_candidates_wait_for_the_new_entity_tag(ping_page: PingPage) -> None:
    """RFC 9725 section 4.3.2: buffered until the response to the restart is here."""
    await lab(ping_page)
    await ping_page.run("() => until(() => client.trickled.complete)")
    earlier = len(ping_page.whip_requests("PATCH"))
    meanwhile: list[int] = []

    async def slow(route: Route) -> None:
        if route.request.headers.get("if-match") == "*":
            await ping_page.run(
                "() => until(() => client.pc.iceGatheringState === 'complete')"
            )
            meanwhile.append(len(ping_page.whip_requests("PATCH")))
        await route.continue_()

    await ping_page.page.route(SESSION, slow)
    look = await ping_page.run("() => client.restartIce().then(look)")
    await ping_page.run("() => until(() => client.trickled.complete)")
    assert meanwhile == [earlier + 1]
    (late,) = ping_page.whip_requests("PATCH")[earlier + 1 :]
    assert late.headers["if-match"] == look["etag"]
    assert "a=candidate:" in (late.post_data or "")


@pytest.mark.parametrize("medium", ["audio and video", "video"])
async def test_a_restart_while_publishing(
    own_server: ServerProcess, open_page: OpenPage, medium: str
) -> None:
    ping_page = await open_page(own_server)
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    facts = await ping_page.run(
        """async (medium) => {
            const { WhipClient } = await import('/client/whip-client.js');
            const canvas = document.createElement('canvas');
            const paint = canvas.getContext('2d');
            let frame = 0;
            setInterval(() => {
                paint.fillStyle = `hsl(${(frame += 7) % 360} 80% 50%)`;
                paint.fillRect(0, 0, canvas.width, canvas.height);
            }, 40);
            const stream = canvas.captureStream(25);
            if (medium !== 'video') {
                const context = new AudioContext();
                const oscillator = new OscillatorNode(context);
                const sink = new MediaStreamAudioDestinationNode(context);
                oscillator.connect(sink);
                oscillator.start();
                stream.addTrack(sink.stream.getAudioTracks()[0]);
            }
            window.client = new WhipClient('/whip/publish');
            const { pc } = client;
            for (const track of stream.getTracks()) {
                pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
            }
            const read = async (type) => [...(await pc.getStats()).values()]
                .filter((entry) => entry.type === type)
                .sort((a, b) => a.kind < b.kind ? -1 : 1);
            const packets = async () =>
                (await read('outbound-rtp')).map(({ packetsSent }) => packetsSent);
            // The server's receiver reports, by the time of the latest.
            const reports = async () => {
                const list = await read('remote-inbound-rtp');
                return stream.getTracks().map((_, i) => list[i]?.timestamp ?? 0);
            };
            const grown = async (read) => {
                const before = await read();
                await until(async () =>
                    (await read()).every((n, i) => n > (before[i] ?? 0)));
                return read();
            };
            await client.connect();
            const { selectedPair } = await import('/client/candidate-pair.js');
            const facts = [];
            for (let i = 0; i < 3; i += 1) {
                if (i) await client.restartIce();
                const pair = await selectedPair(pc);
                const before = await packets();
                facts.push({
                    pair: pair.id,
                    port: pair.local.port,
                    before,
                    after: await grown(packets),
                    reports: await grown(reports),
                    lost: (await read('remote-inbound-rtp')).map((r) => r.packetsLost),
                    state: client.connectionState,
                });
            }
            return facts;
        }""",
        medium,
    )
    assert len({fact["pair"] for fact in facts}) == 3
    assert len({fact["port"] for fact in facts}) == 3
    tracks = 1 if medium == "video" else 2
    for fact in facts:
        assert fact["state"] == "connected"
        assert len(fact["before"]) == len(fact["reports"]) == tracks
        # The reports count from the beginning. A packet that is sent in the moment of
        # the change may be lost, as on any network.
        for lost, sent in zip(fact["lost"], fact["after"], strict=True):
            assert lost <= sent // 20
    for earlier, later in pairwise(facts):
        pairs = zip(earlier["after"], later["before"], strict=True)
        assert all(before <= after for before, after in pairs)
        pairs = zip(earlier["reports"], later["reports"], strict=True)
        assert all(before < after for before, after in pairs)
    sessions = (await own_server.status())["sessions"]
    assert (sessions["connected"], sessions["total"]) == (1, 1)
    await ping_page.run("() => client.close()")


async def test_a_new_path_is_seen_where_statistics_say_little(
    ping_page: PingPage,
) -> None:
    """Not every browser tells the ICE session of a candidate."""
    await lab(ping_page)
    facts = await ping_page.run(
        """async () => {
            const { pc } = client;
            hideUfrags(pc);
            await client.restartIce();
            delete pc.getStats;
            return look();
        }"""
    )
    assert facts["pair"][0] == facts["localUfrag"]


async def test_another_pair_of_the_old_session_is_no_new_path(
    ping_page: PingPage,
) -> None:
    """While a session is young, the browser selects one of its pairs after another."""
    await lab(ping_page)
    facts = await ping_page.run(
        """async () => {
            const { pc } = client;
            let looks = 0;
            hideUfrags(pc, (report) => {
                looks += 1;
                if (looks > 1) return;
                const transport = [...report.values()]
                    .find(({ type }) => type === 'transport');
                const pair = report.get(transport.selectedCandidatePairId);
                report.set('earlier', { ...pair, id: 'earlier' });
                transport.selectedCandidatePairId = 'earlier';
            });
            await client.restartIce();
            delete pc.getStats;
            return { looks, ...await look() };
        }"""
    )
    assert facts["looks"] > 1
    assert facts["pair"][0] == facts["localUfrag"]


async def test_nothing_can_be_restarted_before_it_is_started(
    ping_page: PingPage,
) -> None:
    await ping_page.open_without_application()
    message = await ping_page.run(
        """async () => {
            const { WhipClient } = await import('/client/whip-client.js');
            const client = new WhipClient('/whip/restart');
            return client.restartIce().catch((error) => error.message);
        }"""
    )
    assert message == "There was no connection yet."
