"""Sessions of viewers over HTTP: what is said where they cannot be had."""

import re
from itertools import permutations
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
from whipbird.sdp.parser import parse_description
from whipbird.sessions import EndReason, Session

Client = TestClient[web.Request, web.Application]

AV1_ONLY = offers.without(
    offers.CHROMIUM_VIEWER,
    *(f"a=rtpmap:{n} " for n in (96, 103, 107, 109, 39, 98)),
)


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(create_app(Settings()))


async def publish(
    client: Client, offer: str = offers.CHROMIUM_MEDIA, *, sends: bool = True
) -> Session:
    """Publish a picture, and sound."""
    assert client.app is not None
    session, _ = await client.app[STORE].publish("live", parse_offer(offer), "-")
    if not sends:
        return session
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


NO_OPUS = offers.replaced(offers.CHROMIUM_VIEWER, "a=rtpmap:111 ", "a=rtpmap:112 ")


async def test_no_codec_in_common(client: Client) -> None:
    await publish(client)
    neither = offers.replaced(AV1_ONLY, "a=rtpmap:111 ", "a=rtpmap:112 ")
    status, title, detail = await problem(await watch(client, neither))
    assert (status, title) == (406, "No codec in common")
    assert detail == "The stream's audio is opus, which the offer does not have."
    assert client.app is not None
    assert client.app[STORE].count().total() == 1


async def test_no_codec_for_all_that_is_published(client: Client) -> None:
    """A section for something else would stay empty."""
    video = offers.CHROMIUM_MEDIA
    video = video[: video.index("m=audio")] + video[video.index("m=video") :]
    session = await publish(
        client, video.replace("BUNDLE 0 1", "BUNDLE 1"), sends=False
    )
    session.peer.connection.rtp_routes[96](rtp(96, 1, payload=KEY))
    assert await problem(await watch(client, AV1_ONLY)) == (
        406,
        "No codec in common",
        "The stream's video is VP8, which the offer does not have.",
    )


def accepted(answer: str) -> list[str]:
    """The kinds of the sections that an answer accepts, and that carry something."""
    return [
        media.kind
        for media in parse_description(answer).media
        if media.port and not media.has("inactive")
    ]


@pytest.mark.parametrize("sends", [True, False])
@pytest.mark.parametrize(
    ("offer", "kinds"), [(AV1_ONLY, ["audio"]), (NO_OPUS, ["video"])]
)
async def test_what_fits_is_accepted(
    client: Client, offer: str, kinds: list[str], sends: bool
) -> None:
    """RFC 9429 section 5.3.1: the other section is rejected. Before the first packet
    the codecs that the publisher has offered tell.
    """
    publisher = offers.without(
        offers.CHROMIUM_MEDIA,
        *("a=rtpmap:9 ", "a=rtpmap:45 "),
    ).replace(" 9 0 8 13", " 13")
    await publish(client, publisher, sends=sends)
    response = await watch(client, offer)
    assert response.status == 201
    assert accepted(await response.text()) == kinds


async def test_a_codec_that_the_publisher_may_use(client: Client) -> None:
    """Until it has begun, nobody knows which it will be."""
    session = await publish(client, sends=False)
    assert accepted(await (await watch(client, AV1_ONLY)).text()) == ["audio", "video"]
    session.peer.connection.rtp_routes[96](rtp(96, 1, payload=KEY))
    assert accepted(await (await watch(client, AV1_ONLY)).text()) == ["audio"]


@pytest.mark.parametrize("offer", [offers.WHEPSRC, offers.WHEPCLIENTSRC])
@pytest.mark.parametrize(
    "fmtp",
    [
        "packetization-mode=1;profile-level-id=640c1f",
        "packetization-mode=0;profile-level-id=42e01f",
        "x-nothing=1",
    ],
)
async def test_an_offer_that_leaves_parameters_out(
    client: Client, offer: str, fmtp: str
) -> None:
    """GStreamer's offers get every H.264; the answer has their names of codecs."""
    published = offers.replaced(
        offers.OBS,
        "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
        fmtp,
    )
    session = await publish(client, published, sends=False)
    for payload in (b"\x67\x42\xe0\x1f", b"\x7c\x85\x88\x80"):
        session.peer.connection.rtp_routes[96](rtp(96, 1, payload=payload))
    response = await watch(client, offer)
    answer = await response.text()
    assert response.status == 201, answer
    assert sorted(accepted(answer)) == ["audio", "video"]
    assert re.search(r"(?m)^a=rtpmap:[0-9]+ OPUS/48000\r$", answer)
    assert re.search(r"(?m)^a=rtpmap:[0-9]+ H264/90000\r$", answer)
    assert not re.search(r"(?mi)^a=rtpmap:[0-9]+ (red|ulpfec)/", answer)
    # What repairs RED is out with it.
    assert {"a=fmtp:105 apt=102", "a=fmtp:109 apt=106"}.isdisjoint(answer.split("\r\n"))


SECTIONS = dict(
    zip(
        ("audio", "video", "application"),
        offers.VIEWER_OF_EVERYTHING.split("m=")[1:],
        strict=True,
    )
)
HEAD = offers.VIEWER_OF_EVERYTHING.split("m=")[0]
COMBINATIONS = [
    kinds
    for count in (1, 2, 3)
    for kinds in permutations(SECTIONS, count)
    if kinds != ("application",)
]


@pytest.mark.parametrize("state", ["nobody", "silent", "live"])
@pytest.mark.parametrize("kinds", COMBINATIONS, ids=",".join)
async def test_all_combinations_of_sections(
    client: Client, kinds: tuple[str, ...], state: str
) -> None:
    """A data channel beside the others is no reason to refuse them."""
    if state != "nobody":
        await publish(client, sends=state == "live")
    mids = {"audio": "mic", "video": "cam", "application": "data"}
    head = HEAD.replace("mic cam data", " ".join(mids[kind] for kind in kinds))
    offer = head + "".join(f"m={SECTIONS[kind]}" for kind in kinds)
    offer = offer.replace("AVPF 0", "AVPF 111").replace(
        "a=mid:mic", "a=mid:mic\r\na=rtpmap:111 OPUS/48000"
    )
    response = await watch(client, offer)
    answer = await response.text()
    assert response.status == 201, answer
    assert accepted(answer) == list(kinds)


async def test_sections_that_are_not_bundled(client: Client) -> None:
    """The first one that can be received has the transport."""
    await publish(client)
    alone = offers.without(offers.CHROMIUM_VIEWER, "a=group")
    assert accepted(await (await watch(client, alone)).text()) == ["audio"]
    no_opus = offers.without(NO_OPUS, "a=group")
    assert accepted(await (await watch(client, no_opus)).text()) == ["video"]
    neither = offers.replaced(AV1_ONLY, "a=rtpmap:111 ", "a=rtpmap:112 ")
    response = await watch(client, offers.without(neither, "a=group"))
    assert (await problem(response))[:2] == (406, "No codec in common")


@pytest.mark.parametrize(
    ("fmtp", "packet", "stereo"),
    [
        ("minptime=10", b"\xfc\xff", True),
        ("sprop-stereo=1", b"\xf8\xff", False),
        ("sprop-stereo=1", None, True),
        ("stereo=1", None, True),
        ("minptime=10", None, False),
    ],
)
async def test_stereo_is_announced(
    client: Client, fmtp: str, packet: bytes | None, stereo: bool
) -> None:
    """RFC 7587 section 6.1; the packets tell, before them the publisher's offer."""
    old = "a=fmtp:111 minptime=10;useinbandfec=1"
    offer = offers.replaced(offers.CHROMIUM_MEDIA, old, f"a=fmtp:111 {fmtp}")
    session = await publish(client, offer, sends=False)
    if packet is not None:
        session.peer.connection.rtp_routes[111](rtp(111, 1, ssrc=2, payload=packet))
    answer = await (await watch(client)).text()
    assert (";sprop-stereo=1" in answer) is stereo


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
