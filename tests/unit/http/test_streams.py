"""The description of published streams."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.encoders import encode_video
from tests.unit.rtc.media import rtp
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason, Session

Client = TestClient[web.Request, web.Application]

TOKEN = "c2VjcmV0"


async def ask(client: Client, path: str = "/api/streams") -> Any:
    response = await client.get(path)
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    return await response.json()


async def publish(client: Client, name: str, offer: str) -> Session:
    assert client.app is not None
    session, _ = await client.app[STORE].publish(name, parse_offer(offer), "-")
    return session


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_app(Settings()))


async def test_nothing_is_published(client: Client) -> None:
    assert await ask(client) == {"streams": [], "upstreams": []}
    response = await client.get("/api/streams/live")
    assert response.status == 404
    problem = await response.json(content_type="application/problem+json")
    assert problem["title"] == "No such stream"


async def test_before_the_first_packet(client: Client) -> None:
    session = await publish(client, "live", offers.CHROMIUM_MEDIA)
    await publish(client, "ahead", offers.CHROMIUM_MEDIA)
    await publish(client, "echo", offers.CHROMIUM_DATA)
    listed = await ask(client)
    assert [stream["name"] for stream in listed["streams"]] == ["ahead", "live"]
    stream = await ask(client, "/api/streams/live")
    assert 0 <= stream.pop("duration") < 60
    assert stream == {
        "name": "live",
        "state": "connecting",
        "viewers": 0,
        "shareable": False,
        "recording": None,
        "tracks": [
            {"kind": "audio", "layers": [], "malformed": 0},
            {"kind": "video", "layers": [], "malformed": 0},
        ],
        "health": [],
        "upstream": None,
    }
    session.end_soon(EndReason.DELETED)
    assert (await client.get("/api/streams/live")).status == 404


async def test_the_streams_that_are_asked_for(client: Client) -> None:
    for name in ("left", "right", "stage"):
        await publish(client, name, offers.CHROMIUM_MEDIA)

    async def names(query: str) -> list[str]:
        found = await ask(client, f"/api/streams?{query}")
        return [stream["name"] for stream in found["streams"]]

    assert await names("name=left") == ["left"]
    assert await names("name=nobody") == []
    assert await names("name=stage&name=nobody&name=left") == ["left", "stage"]
    assert await names("other=left") == ["left", "right", "stage"]
    for query in ("name=", "name=a/b", "name=left&name=.."):
        response = await client.get(f"/api/streams?{query}")
        assert response.status == 400
        problem = await response.json()
        assert problem["title"] == "Not a stream name"
        assert "1 to 64" in problem["detail"]


async def test_packets_are_described(client: Client) -> None:
    session = await publish(client, "live", offers.CHROMIUM_MEDIA)
    routes = session.peer.connection.rtp_routes
    # One packet of Opus: CELT, 20 ms, stereo (RFC 6716 section 3.1).
    routes[111](rtp(111, 1, ssrc=1, payload=b"\xfc\xff\xfe"))
    frames = encode_video("libvpx", width=320, height=180)
    sequence = 0
    for number, frame in enumerate(frames):
        for payload in frame.payloads:
            sequence += 1
            if sequence != 2:
                routes[96](rtp(96, sequence, 3000 * number, 2, payload))
    stream = await ask(client, "/api/streams/live")
    audio, video = stream["tracks"]
    (sound,) = audio["layers"]
    assert sound["codec"] == "opus"
    assert sound["channels"] == 2
    assert sound["packets"] == 1
    (picture,) = video["layers"]
    assert {
        name: picture[name]
        for name in ("rid", "codec", "clock_rate", "width", "height", "key_frames")
    } == {
        "rid": None,
        "codec": "VP8",
        "clock_rate": 90000,
        "width": 320,
        "height": 180,
        "key_frames": 1,
    }
    assert picture["packets"] == sequence - 1
    assert picture["lost"] == 1


async def test_a_layer_for_each_rid(client: Client) -> None:
    session = await publish(client, "live", offers.CHROMIUM_SIMULCAST)
    route = session.peer.connection.rtp_routes[96]
    for ssrc, rid in enumerate((b"q", b"h", b"f"), start=1):
        route(rtp(96, 1, 0, ssrc, b"\x10\x00", extensions={10: rid}))
    _, track = (await ask(client, "/api/streams/live"))["tracks"]
    assert [layer["rid"] for layer in track["layers"]] == ["q", "h", "f"]


async def test_where_a_token_is_wanted(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(create_app(Settings.model_validate({"token": TOKEN})))
    for path in ("/api/streams", "/api/streams/live"):
        assert (await client.get(path)).status == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await client.get("/api/streams", headers=headers)).status == 200
    assert (await client.get("/api/streams/live", headers=headers)).status == 404


async def test_requests_are_limited(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(create_app(Settings(patch_rate=2)))
    responses = [client.get("/api/streams"), client.get("/whip/live")]
    assert {r.status for r in await asyncio.gather(*responses)} == {200, 204}
    assert (await client.get("/api/streams/live")).status == 429
