"""WHEP endpoints: what a player sends to one, and what it gets.

Sections are those of draft-ietf-wish-whep-03.
"""

import pytest
from aiohttp import hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import (
    ORIGIN,
    SDP,
    Client,
    location_of,
    open_session,
    patch,
    post,
    problem_of,
    token_list,
)
from whipbird.app import create_app
from whipbird.config import Settings

PATH = "/whep/live"
TOKEN = "c2VjcmV0LXRva2Vu"

VIEWERS = {
    "chromium": offers.CHROMIUM_VIEWER,
    "firefox": offers.FIREFOX_VIEWER,
    "everything": offers.VIEWER_OF_EVERYTHING,
    "gstreamer": offers.watching(offers.GSTREAMER),
    "whepsrc": offers.WHEPSRC,
    "whepclientsrc": offers.WHEPCLIENTSRC,
}


# Section 4.1


async def test_get(client: Client) -> None:
    """Section 4.1: "the WHEP endpoints and sessions MUST return a 2xx successful
    response with no content when a GET request is received".
    """
    session = await open_session(client, offers.CHROMIUM_VIEWER, PATH)
    for path in (PATH, session.location):
        response = await client.get(path)
        assert 200 <= response.status < 300
        assert await response.read() == b""


# Section 4.2


async def test_an_endpoint_is_known_by_head(client: Client) -> None:
    """Section 4.2: "it SHOULD respond with a "200 OK" status code and include a
    `Content-Type` header field with the value `application/sdp`"; "MUST include the
    same headers that would be returned in response to a GET request", "MUST NOT
    include a message body".
    """
    head, get = await client.head(PATH), await client.get(PATH)
    assert head.status == get.status == 200
    assert head.headers[hdrs.CONTENT_TYPE] == SDP
    assert await head.read() == b""
    changing = {hdrs.DATE}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


async def test_a_whip_endpoint_is_not_taken_for_one(client: Client) -> None:
    response = await client.head("/whip/live")
    assert hdrs.CONTENT_TYPE not in response.headers


# Section 4.3


@pytest.mark.parametrize("name", VIEWERS)
async def test_an_offer_is_accepted(client: Client, name: str) -> None:
    """Section 4.3.1: "it MUST generate an SDP answer [...] and return a "201 Created"
    response with a content type of "application/sdp", the SDP answer as the body, and a
    Location header field pointing to the newly created WHEP session".
    """
    response = await post(client, VIEWERS[name], PATH)
    assert response.status == 201, await response.text()
    assert response.headers[hdrs.CONTENT_TYPE] == SDP
    location = location_of(response)
    assert location.startswith("/whep/live/")
    assert (await client.get(location)).status == 204


@pytest.mark.parametrize("name", VIEWERS)
async def test_the_answer(client: Client, name: str) -> None:
    """Section 4.3.5: "it MUST use "sendonly" attribute in the SDP answer".

    Section 4.6.1: BUNDLE and "rtcp-mux-only" in each section.

    Section 4.6.2: "all "m=" sections MUST contain an "msid" attribute with the same
    value".

    Section 4.5.2: "the SDP answer SHALL contain the full list of ICE candidates".
    """
    session = await open_session(client, VIEWERS[name], PATH)
    answer = session.answer
    group = answer.first("group")
    assert group is not None
    mids = []
    for media in answer.media:
        mid = media.first("mid")
        assert mid is not None
        mids.append(mid.value)
        if media.kind == "application":
            continue
        directions = {a.name for a in media.attributes} & {
            *("sendonly", "recvonly", "sendrecv", "inactive")
        }
        assert directions == {"sendonly"}
        assert media.has("rtcp-mux-only")
        assert [msid.value for msid in media.all("msid")] == ["live"]
        # RFC 4588 section 8.3: which is which, where there are retransmissions.
        ssrcs = [a.value.split()[0] for a in media.all("ssrc")]
        has_rtx = any("rtx/" in a.value for a in media.all("rtpmap"))
        groups = [a.value for a in media.all("ssrc-group")]
        assert groups == ([f"FID {' '.join(ssrcs)}"] if has_rtx else [])
        assert len(ssrcs) == 1 + has_rtx
    assert group.value == f"BUNDLE {' '.join(mids)}"
    tagged = answer.media[0]
    assert tagged.has("candidate")
    assert tagged.has("end-of-candidates")


async def test_all_codecs_stay_open(client: Client) -> None:
    """Section 4.3.6: "A WHEP endpoint may need to change which camera or media source a
    stream is connected to, potentially requiring different codecs".
    """
    session = await open_session(client, offers.CHROMIUM_VIEWER, PATH)
    video = session.answer.media[1]
    names = {a.value.split()[1].split("/")[0] for a in video.all("rtpmap")}
    assert names == {"VP8", "H264", "AV1", "VP9", "rtx"}


async def test_wrong_content_type(client: Client) -> None:
    """Section 4.3.4: "If the HTTP POST to the WHEP endpoint has a content type
    different than "application/sdp" or the SDP is malformed, the WHEP endpoint MUST
    reject the HTTP POST request with an appropriate 4xx error response".
    """
    response = await client.post(
        PATH, data=offers.CHROMIUM_VIEWER, headers={hdrs.CONTENT_TYPE: "text/plain"}
    )
    await problem_of(response, 415)
    assert response.headers["Accept-Post"] == SDP


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("hello", 400),
        (b"\xff\xfe", 400),
        (offers.CHROMIUM_VIEWER.replace("v=0", "v=1"), 400),
        (offers.without(offers.CHROMIUM_VIEWER, "a=ice-ufrag"), 400),
        (offers.without(offers.CHROMIUM_VIEWER, "a=rtcp-mux"), 422),
    ],
)
async def test_malformed_offers(client: Client, body: str, status: int) -> None:
    """As above."""
    await problem_of(await post(client, body, PATH), status)
    count = await (await client.get("/api/status")).json()
    assert count["sessions"]["total"] == 0


async def test_a_body_that_is_too_long(client: Client) -> None:
    body = offers.CHROMIUM_VIEWER + ("a=x:" + "y" * 65_000 + "\r\n") * 4
    problem = await problem_of(await post(client, body, PATH), 413)
    assert "262144" in problem["detail"]


async def test_a_line_that_is_long(client: Client) -> None:
    """A line may have 64 kB; a longer one is refused with the limit."""
    body = offers.CHROMIUM_VIEWER + "a=x:" + "y" * 65_532 + "\r\n"
    await open_session(client, body, PATH)
    problem = await problem_of(
        await post(client, body.replace("yy", "yyy", 1), PATH), 400, "RFC 8866"
    )
    assert "at most 65536 are read" in problem["detail"]


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_directions_that_must_not_be_used(client: Client, direction: str) -> None:
    """Section 4.3.5: "it SHOULD use "recvonly" attribute but MAY use the "sendrecv"
    attribute instead. The "inactive" and "sendonly" attributes MUST NOT be used".
    """
    offer = offers.CHROMIUM_VIEWER.replace("a=recvonly", f"a={direction}")
    problem = await problem_of(
        await post(client, offer, PATH), 422, "draft-ietf-wish-whep-03 section 4.3.5"
    )
    assert f"a={direction}" in problem["detail"]


async def test_sendrecv_may_be_used(client: Client) -> None:
    """As above."""
    offer = offers.CHROMIUM_VIEWER.replace("a=recvonly", "a=sendrecv")
    session = await open_session(client, offer, PATH)
    assert all(media.has("sendonly") for media in session.answer.media)


async def test_one_track_at_least(client: Client) -> None:
    """Section 4.6.2: "The MediaStream MUST contain at least one MediaStreamTrack of any
    media kind".
    """
    response = await post(client, offers.CHROMIUM_DATA, PATH)
    await problem_of(response, 422, "draft-ietf-wish-whep-03 section 4.6.2")


async def test_one_track_of_a_kind_at_most(client: Client) -> None:
    """Section 4.6.2: "it MUST NOT have two or more than MediaStreamTracks for the same
    media (audio or video)".

    The second section is rejected (RFC 9429 section 5.3.1).
    """
    video = offers.CHROMIUM_VIEWER[offers.CHROMIUM_VIEWER.index("m=video") :]
    offer = offers.CHROMIUM_VIEWER + video.replace("a=mid:1", "a=mid:2")
    offer = offer.replace("BUNDLE 0 1", "BUNDLE 0 1 2")
    session = await open_session(client, offer, PATH)
    assert [media.port == 0 for media in session.answer.media] == [False, False, True]
    group = session.answer.first("group")
    assert group is not None
    assert group.value == "BUNDLE 0 1"
    assert len(list(session.answer.media[2].all("msid"))) == 0


async def test_sections_that_are_not_bundled(client: Client) -> None:
    """Section 4.6.1: there is one transport, so one section can use it. The others are
    rejected: "the port in the "m=" line is set to zero" (RFC 9429 section 5.3.1).
    """
    offer = offers.without(offers.CHROMIUM_VIEWER, "a=group")
    session = await open_session(client, offer, PATH)
    audio, video = session.answer.media
    assert audio.port
    assert (video.port, video.kind) == (0, "video")
    assert session.answer.first("group") is None


async def test_candidates_for_a_section_that_was_rejected(client: Client) -> None:
    """RFC 8840 section 4.4: they are of a transport that is not used. They do not
    restart the one that is.
    """
    audio, video = offers.without(offers.CHROMIUM_VIEWER, "a=group").split("m=video")
    video = video.replace("w2Lq", "other").replace("9fXb", "8eWa")
    session = await open_session(client, f"{audio}m=video{video}", PATH)
    candidate = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    body = (
        "a=ice-ufrag:other\r\na=ice-pwd:8eWaT4kYs6Na1QeGm3Uz7Rcd\r\n"
        f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na={candidate}\r\n"
    )
    response = await patch(client, session, body)
    assert (response.status, response.headers.get(hdrs.ETAG)) == (204, None)
    # ... also beside those of the accepted one.
    body = (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
        "a=ice-ufrag:w2Lq\r\na=ice-pwd:9fXbT4kYs6Na1QeGm3Uz7Rcd\r\n"
        f"a={candidate}\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n"
        "a=ice-ufrag:other\r\na=ice-pwd:8eWaT4kYs6Na1QeGm3Uz7Rcd\r\n"
        f"a={candidate}\r\n"
    )
    assert (await patch(client, session, body)).status == 204


async def test_nobody_publishes(aiohttp_client: AiohttpClient) -> None:
    """Section 4.3.8: "In that case, the WHEP endpoint SHALL return a "409 Conflict"
    response to the POST request issued by the WHEP player with a "Retry-After" header
    indicating the number of seconds before sending a new request".
    """
    client = await aiohttp_client(create_app(Settings(wait_for_publisher=False)))
    response = await post(client, offers.CHROMIUM_VIEWER, PATH)
    await problem_of(response, 409, "draft-ietf-wish-whep-03 section 4.3.8")
    assert int(response.headers[hdrs.RETRY_AFTER]) > 0


# Section 4.4


@pytest.mark.parametrize("path", [PATH, "/whep/other"])
async def test_options(client: Client, path: str) -> None:
    """Section 4.4: "The "200 OK" response to any OPTIONS request SHOULD include an
    "Accept-Post" header with a media type value of "application/sdp"".
    """
    response = await client.options(path)
    assert response.status == 200
    assert response.headers["Accept-Post"] == SDP
    assert token_list(response.headers[hdrs.ALLOW]) == {
        *("GET", "HEAD", "OPTIONS", "POST")
    }


async def test_preflight(client: Client) -> None:
    """Section 4.4: "The WHEP endpoints MUST support OPTIONS requests for Cross-Origin
    Resource Sharing (CORS)".
    """
    response = await client.options(
        PATH,
        headers={
            hdrs.ORIGIN: ORIGIN,
            hdrs.ACCESS_CONTROL_REQUEST_METHOD: "POST",
            hdrs.ACCESS_CONTROL_REQUEST_HEADERS: "content-type,authorization",
        },
    )
    assert response.status == 200
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == ORIGIN
    assert response.headers["Accept-Post"] == SDP


async def test_a_page_reads_the_response(client: Client) -> None:
    """As above: what a player needs of it, and errors too."""
    response = await post(client, offers.CHROMIUM_VIEWER, PATH, Origin=ORIGIN)
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == ORIGIN
    exposed = token_list(response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS])
    assert {"Location", "ETag", "Link", "Retry-After"} <= exposed
    refused = await post(client, "hello", PATH, Origin=ORIGIN)
    assert refused.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == ORIGIN


# Sections 4.8 and 4.9


async def test_ice_servers(aiohttp_client: AiohttpClient) -> None:
    """Section 4.8: "Each STUN/TURN server will be returned using the Link header field
    [...] with a "rel" attribute value of "ice-server"".
    """
    settings = Settings.model_validate({"ice_servers": ["stun:stun.example.net"]})
    client = await aiohttp_client(create_app(settings))
    response = await post(client, offers.CHROMIUM_VIEWER, PATH)
    assert response.headers[hdrs.LINK] == '<stun:stun.example.net>; rel="ice-server"'


@pytest.mark.parametrize("path", [PATH, f"{PATH}/session"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
async def test_bearer_tokens(
    aiohttp_client: AiohttpClient, method: str, path: str
) -> None:
    """Section 4.9: "bearer token authentication as defined in the next section MUST be
    supported by all WHEP entities".
    """
    client = await aiohttp_client(create_app(Settings.model_validate({"token": TOKEN})))
    response = await client.request(method, path)
    assert response.status == 401
    assert response.headers[hdrs.WWW_AUTHENTICATE].startswith("Bearer")
    right = {hdrs.AUTHORIZATION: f"Bearer {TOKEN}"}
    assert (await client.request(method, path, headers=right)).status != 401


# Section 5


async def test_rates_are_limited(aiohttp_client: AiohttpClient) -> None:
    """Section 5: "WHEP endpoints SHOULD implement a rate limit and avalanche control
    mechanism for incoming initial HTTP POST requests".
    """
    client = await aiohttp_client(create_app(Settings(post_rate=1)))
    await open_session(client, offers.CHROMIUM_VIEWER, PATH)
    response = await post(client, offers.CHROMIUM_VIEWER, PATH)
    await problem_of(response, 429)
    assert int(response.headers[hdrs.RETRY_AFTER]) > 0


async def test_sessions_cannot_be_guessed(client: Client) -> None:
    """Section 5: "WHEP endpoints SHOULD generate URLs with enough randomness"."""
    sessions = [
        await open_session(client, offers.CHROMIUM_VIEWER, PATH) for _ in range(2)
    ]
    names = [session.location.rpartition("/")[2] for session in sessions]
    assert names[0] != names[1]
    assert all(len(name) >= 22 for name in names)
