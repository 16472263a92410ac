"""``/metrics``: its formats, and its series."""

import asyncio
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.scrape import scrape
from whipbird import __version__
from whipbird.app import ADMIN_APP, STORE, create_app
from whipbird.config import Settings
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason, Full, SessionKind

Client = TestClient[web.Request, web.Application]

DATA = parse_offer(offers.CHROMIUM_DATA)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_app(Settings()))


async def test_the_text_format(client: Client) -> None:
    response = await client.get("/metrics")
    assert response.status == 200
    assert response.content_type == "text/plain"
    assert response.headers["Cache-Control"] == "no-store"
    found = await scrape(client)
    assert found.value("whipbird_build_info", version=__version__) == 1
    if sys.platform == "linux":
        assert found.value("process_open_fds") > 0
        assert found.value("process_cpu_seconds_total") > 0


async def test_open_metrics(client: Client) -> None:
    """Its parser is strict: names, suffixes, units, the end."""
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    response = await client.get("/metrics", headers=accept)
    assert response.content_type == "application/openmetrics-text"
    text = await response.text()
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert "whipbird_sessions_opened" in {family.name for family in families}


async def test_every_series_is_there_from_the_start(client: Client) -> None:
    """Else a rate misses the first of its kind."""
    before = await scrape(client)
    assert client.app is not None
    store = client.app[STORE]
    session, _ = await store.publish("live", parse_offer(offers.CHROMIUM_MEDIA), "-")
    await session.end(EndReason.ENDED_BY_OPERATOR)
    after = await scrape(client)
    assert set(after.totals()) == set(before.totals())
    assert after.fallen_since(before) == []
    for kind in SessionKind:
        for reason in EndReason:
            labels = {"kind": kind, "reason": reason.name.lower()}
            assert before.value("whipbird_sessions_ended_total", **labels) == 0
    assert (
        after.value(
            "whipbird_sessions_ended_total",
            kind="publisher",
            reason="ended_by_operator",
        )
        == 1
    )


async def test_sessions_by_kind_and_state(client: Client) -> None:
    assert client.app is not None
    await client.app[STORE].publish("echo", DATA, "-")
    await client.app[STORE].publish("live", parse_offer(offers.CHROMIUM_MEDIA), "-")
    found = await scrape(client)
    assert found.value("whipbird_sessions") == 2
    assert found.value("whipbird_sessions", kind="data") == 1
    assert found.value("whipbird_sessions", state="connected") == 0
    assert found.value("whipbird_publishers") == 1
    assert found.value("whipbird_sessions_opened_total", kind="publisher") == 1


async def test_requests_that_are_refused(aiohttp_client: AiohttpClient) -> None:
    app = create_app(Settings(post_rate=1, max_client_connecting=1))
    client = await aiohttp_client(app)
    for _ in range(3):
        await client.post("/whip/live")
    await app[STORE].publish("echo", DATA, "198.51.100.1")
    with pytest.raises(Full):
        await app[STORE].publish("echo", DATA, "198.51.100.1")
    found = await scrape(client)
    assert found.value("whipbird_limits_hit_total", limit="rate_post") == 2
    assert found.value("whipbird_limits_hit_total", limit="client_connecting") == 1
    assert found.value("whipbird_limits_hit_total", limit="rate_patch") == 0


async def test_the_lag_is_measured_while_the_server_runs(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(create_app(Settings()))
    name = "whipbird_event_loop_lag_seconds_count"
    async with asyncio.timeout(60):
        while not (await scrape(client)).value(name):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await client.close()
    timers = getattr(asyncio.get_running_loop(), "_scheduled", [])
    assert not [
        timer for timer in timers if not timer.cancelled() and "LoopLag" in repr(timer)
    ]


async def test_a_listener_of_its_own(aiohttp_client: AiohttpClient) -> None:
    app = create_app(Settings(admin_listen="127.0.0.1:0", request_rate=20))
    public = await aiohttp_client(app)
    admin = await aiohttp_client(app[ADMIN_APP])
    session, _ = await app[STORE].publish(
        "live", parse_offer(offers.CHROMIUM_MEDIA), "-"
    )
    for path in ("/metrics", "/api/sessions"):
        assert (await public.get(path)).status == 404
        assert (await admin.get(path)).status == 200
    ending = "/api/streams/live/publisher"
    assert (await public.delete(ending)).status == 404
    assert session.reason is None
    assert (await admin.get("/whip/live")).status == 404
    response = await admin.get("/metrics", headers={"Host": "evil.example"})
    assert response.status == 421
    assert (await admin.delete(ending)).status == 204
    assert session.reason is EndReason.ENDED_BY_OPERATOR
    assert response.headers["Server"] == "Whipbird"
    # Its requests are limited too, and are counted.
    statuses = [(await admin.get("/metrics")).status for _ in range(25)]
    assert statuses[-1] == 429
