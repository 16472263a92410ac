"""The metrics of real sessions: they say what the clients count themselves."""

import asyncio
import logging
import time
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests.interop.aiortc_viewer import AiortcViewer
from tests.scrape import Scrape, scrape
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.config import Settings

Http = TestClient[web.Request, web.Application]


@pytest.fixture
async def app() -> web.Application:
    return create_app(Settings())


@pytest.fixture
async def http(app: web.Application, aiohttp_client: AiohttpClient) -> Http:
    return await aiohttp_client(app)


async def test_echoes(app: web.Application, http: Http) -> None:
    messages: list[bytes | str] = ["", "four", "ü", b"\x00" * 70_000, b""]
    octets = sum(len(m.encode() if isinstance(m, str) else m) for m in messages)
    received: list[object] = []
    started = time.monotonic()
    async with WhipClient(str(http.make_url("/whip/echo"))) as client:
        channel = client.peer.createDataChannel("test")
        channel.on("message", received.append)
        await client.connect()
        await client.opened(channel)
        for message in messages:
            channel.send(message)
        await until(lambda: len(received) == len(messages))
        took = time.monotonic() - started
        found = await scrape(http)
        (session,) = (await (await http.get("/api/sessions")).json())["sessions"]
    assert found.value("whipbird_echo_messages_total") == len(messages)
    assert found.value("whipbird_echo_bytes_total") == octets
    assert found.value("whipbird_transport_bytes_total", direction="in") > octets
    assert found.value("whipbird_transport_bytes_total", direction="out") > octets
    assert found.value("whipbird_sessions", kind="data", state="connected") == 1
    assert (session["state"], session["messages_echoed"]) == ("connected", 5)
    assert session["address"] is not None
    assert 0 < session["port"] < 65536
    assert session["candidate_type"] in ("host", "prflx")
    assert 0 < session["round_trip"] < 60
    assert session["loss"] is None
    # One after another, they are what the client has waited for.
    assert set(session["setup"]) == {"post", "ice", "dtls", "channel"}
    assert all(0 <= seconds <= took for seconds in session["setup"].values())
    assert sum(session["setup"].values()) <= took
    for step in ("post", "ice", "dtls", "channel"):
        name = "whipbird_session_setup_seconds"
        assert found.value(f"{name}_count", step=step) == 1
        assert found.value(f"{name}_sum", step=step) == pytest.approx(
            session["setup"][step], abs=1e-5
        )
        assert found.value(f"{name}_bucket", step=step, le="+Inf") == 1
    await until(lambda: not app[STORE].count().total())
    after = await scrape(http)
    assert after.value("whipbird_echo_bytes_total") == octets
    assert after.fallen_since(found) == []
    assert after.value("whipbird_sessions_ended_total", reason="deleted") == 1


async def test_a_stream_from_its_publisher_to_a_viewer(
    app: web.Application, http: Http
) -> None:
    before = await scrape(http)
    client = WhipClient(str(http.make_url("/whip/live")))
    publication = Publication(Pattern((160, 96), 30, "VP8", 200_000), client, 2.0)
    url = str(http.make_url("/whep/live"))
    async with client:
        await publication.connect()
        async with AiortcViewer(url) as viewer:
            await publication.run()
            report = await publication.report()
            published = sum(stream.packets for stream in report.streams)
            found = await arrived(http, published)
            page = await (await http.get("/api/sessions")).json()
            for kind in ("audio", "video"):
                sent = found.value("whipbird_rtp_sent_packets_total", media=kind)
                await until(partial(has, viewer, kind, sent))
                payload = sum(len(p.data) - 12 for p in viewer.sent(kind))
                octets = found.value("whipbird_rtp_sent_bytes_total", media=kind)
                assert octets == payload
        assert found.value("whipbird_viewers") == 1
        assert found.value("whipbird_publishers") == 1
        (frames,) = (s.frames for s in report.streams if s.info.kind == "video")
        received = found.value("whipbird_received_frames_total", media="video")
        assert received == frames > 10
        assert found.value("whipbird_received_key_frames_total", media="video") >= 1
        assert found.value("whipbird_rtp_lost_packets_total") == 0
        by_kind = {session["kind"]: session for session in page["sessions"]}
        for kind in ("publisher", "viewer"):
            session = by_kind[kind]
            assert session["loss"] == 0
            assert session["candidate_type"] in ("host", "prflx")
            assert set(session["setup"]) == {"post", "ice", "dtls", "media"}
    await until(lambda: not app[STORE].count().total())
    after = await scrape(http)
    assert after.fallen_since(found) == []
    assert found.fallen_since(before) == []
    # Nothing is counted twice by the end.
    for name in ("rtp_received_packets", "rtp_received_bytes", "received_frames"):
        full = f"whipbird_{name}_total"
        assert after.value(full) == found.value(full)
    assert after.value("whipbird_sessions") == 0
    assert after.value("whipbird_viewers") == after.value("whipbird_publishers") == 0


def has(viewer: AiortcViewer, kind: str, packets: float) -> bool:
    return len(viewer.sent(kind)) == packets


async def arrived(http: Http, packets: int) -> Scrape:
    """The metrics when as many packets have come from publishers."""
    async with asyncio.timeout(60):
        while True:
            found = await scrape(http)
            if found.value("whipbird_rtp_received_packets_total") >= packets:
                assert found.value("whipbird_rtp_received_packets_total") == packets
                return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("by", ["session", "stream"])
async def test_an_operator_ends_a_publisher(
    http: Http, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is told at once, and another one gets the stream."""
    caplog.set_level(logging.INFO, "whipbird")
    client = WhipClient(str(http.make_url("/whip/live")))
    publication = Publication(Pattern((160, 96), 30, "VP8", 200_000), client)
    async with client:
        await publication.connect()
        running = asyncio.create_task(publication.run())
        (session,) = (await (await http.get("/api/sessions")).json())["sessions"]
        path = {
            "session": f"/api/sessions/{session['id']}",
            "stream": "/api/streams/live/publisher",
        }[by]
        assert (await http.delete(path)).status == 204
        (error,) = await asyncio.gather(running, return_exceptions=True)
        assert "Connection lost: by the server" in str(error)
        assert client.peer.closed_by_peer
    assert (await http.delete(path)).status == 404
    assert (await http.get("/api/streams/live")).status == 404
    assert "reason='ended by an operator'" in caplog.text
    async with WhipClient(str(http.make_url("/whip/live"))) as other:
        await Publication(Pattern((160, 96), 30, "VP8", 200_000), other).connect()
        assert (await http.get("/api/streams/live")).status == 200
