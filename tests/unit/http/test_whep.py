"""Sessions of viewers over HTTP: what is said where they cannot be had."""

from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.unit.media.watching import KEY
from tests.unit.rtc.media import rtp
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.http.whep import RETRY_AFTER
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason, Session

Client = TestClient[web.Request, web.Application]

AV1_ONLY = offers.without(
    offers.CHROMIUM_VIEWER,
    *(f"a=rtpmap:{n} " for n in (96, 103, 107, 109, 39, 98)),
)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_app(Settings()))


async def publish(client: Client, offer: str = offers.CHROMIUM_MEDIA) -> Session:
    """Publish a picture, and sound."""
    assert client.app is not None
    session, _ = await client.app[STORE].publish("live", parse_offer(offer), "-")
    session.peer.connection.rtp_routes[96](rtp(96, 1, payload=KEY))
    session.peer.connection.rtp_routes[111](rtp(111, 1, ssrc=2, payload=b"\xfc\xff"))
    return session


async def watch(
    client: Client, offer: str = offers.CHROMIUM_VIEWER, path: str = "/whep/live"
) -> ClientResponse:
    return await client.post(
        path, data=offer, headers={"Content-Type": "application/sdp"}
    )


async def problem(response: ClientResponse) -> tuple[int, str, str]:
    told: dict[str, Any] = await response.json(content_type="application/problem+json")
    return response.status, told["title"], told["detail"]


async def test_nobody_publishes(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(create_app(Settings(wait_for_publisher=False)))
    response = await watch(client)
    assert response.headers["Retry-After"] == RETRY_AFTER
    assert await problem(response) == (
        409,
        "Nothing to watch",
        'Nobody publishes "live" now.',
    )
    session = await publish(client)
    assert (await watch(client)).status == 201
    session.end_soon(EndReason.DELETED)
    assert (await watch(client)).status == 409


async def test_it_may_be_waited_for(client: Client) -> None:
    assert (await watch(client)).status == 201


async def test_no_codec_in_common(client: Client) -> None:
    await publish(client)
    assert await problem(await watch(client, AV1_ONLY)) == (
        406,
        "No codec in common",
        "The stream's video is VP8, which the offer does not have.",
    )
    no_opus = offers.replaced(offers.CHROMIUM_VIEWER, "a=rtpmap:111 ", "a=rtpmap:112 ")
    status, _, detail = await problem(await watch(client, no_opus))
    assert (status, detail.split(",")[0]) == (406, "The stream's audio is opus")
    assert client.app is not None
    assert client.app[STORE].count().total() == 1


async def test_who_wants_the_sound_alone_need_not_take_the_picture(
    client: Client,
) -> None:
    await publish(client)
    sound = AV1_ONLY[: AV1_ONLY.index("m=video")].replace("BUNDLE 0 1", "BUNDLE 0")
    assert (await watch(client, sound)).status == 201


async def test_a_layer(client: Client) -> None:
    # Not known yet, so it may be one.
    assert (await watch(client, path="/whep/live?layer=x")).status == 201
    session = await publish(client)
    response = await watch(client, path="/whep/live?layer=h")
    assert await problem(response) == (
        404,
        "No such layer",
        "The stream has only one layer, without a name.",
    )
    session.end_soon(EndReason.DELETED)
    await publish(client, offers.CHROMIUM_SIMULCAST)
    assert (await watch(client, path="/whep/live?layer=h")).status == 201
    response = await watch(client, path="/whep/live?layer=x")
    assert await problem(response) == (
        404,
        "No such layer",
        "The layers of the stream are q, h, f.",
    )


@pytest.mark.parametrize(
    ("offer", "title"),
    [
        (offers.CHROMIUM_MEDIA, "Nothing would be received"),
        (offers.CHROMIUM_DATA, "Nothing would be received"),
        (
            offers.CHROMIUM_VIEWER.replace("recvonly", "inactive"),
            "Nothing would be received",
        ),
    ],
)
async def test_who_would_receive_nothing(
    client: Client, offer: str, title: str
) -> None:
    status, told, _ = await problem(await watch(client, offer))
    assert (status, told) == (422, title)


async def test_it_has_no_endpoint_for_streams_without_a_name(client: Client) -> None:
    """Nobody could publish them."""
    assert (await watch(client, path="/whep")).status == 404
    assert (await client.get("/whep")).status == 404


async def test_viewers_are_counted_when_they_are_connected(client: Client) -> None:
    await publish(client)
    assert (await watch(client)).status == 201
    told = await (await client.get("/api/streams/live")).json()
    assert told["viewers"] == 0
