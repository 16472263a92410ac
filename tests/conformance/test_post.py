"""POST: an offer in, an answer and a session out."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import pytest
from aiohttp import hdrs
from yarl import URL

from tests import offers
from tests.conformance.exchange import (
    SDP,
    SDP_FRAGMENT,
    Client,
    open_session,
    post,
    problem_of,
)
from whipbird.app import STORE


@pytest.mark.parametrize("offer", offers.ALL.values(), ids=offers.ALL)
async def test_creates_a_session(client: Client, offer: str) -> None:
    """Section 4.2: "return a "201 Created" response with a content type of
    "application/sdp", the SDP answer as the body, and a Location header field pointing
    to the newly created WHIP session".
    """
    response = await post(client, offer)
    assert response.status == 201
    assert response.content_type == SDP
    assert (await response.text()).startswith("v=0\r\n")
    assert response.headers[hdrs.LOCATION]
    session = await client.get(response.headers[hdrs.LOCATION])
    assert 200 <= session.status < 300


async def test_the_type_of_the_answer_has_no_parameters(client: Client) -> None:
    """application/sdp has no parameters (RFC 8866 section 8.1), charset neither."""
    response = await post(client, offers.CHROMIUM_DATA)
    assert response.headers[hdrs.CONTENT_TYPE] == SDP


async def test_the_location_is_below_the_stream(client: Client) -> None:
    """Requests can be balanced (section 4.5) by the stream's name, which stays where it
    is in the path.
    """
    session = await open_session(client, path="/whip/studio-1")
    located = urljoin("http://whip.example/whip/studio-1", session.location)
    assert re.fullmatch(
        r"http://whip\.example/whip/studio-1/[A-Za-z0-9_-]{22,}", located
    )


async def test_no_two_sessions_have_one_name(client: Client) -> None:
    """Section 5: "generate URLs with enough randomness"."""
    locations = {(await open_session(client)).location for _ in range(10)}
    assert len(locations) == 10


async def test_the_stream_may_be_left_to_the_server(client: Client) -> None:
    """POST is "to the configured WHIP endpoint URL" (4.2); /whip is one as well."""
    session = await open_session(client, path="/whip")
    assert re.fullmatch(
        r"/whip/[A-Za-z0-9._~-]{1,64}/[A-Za-z0-9_-]{22,}", session.location
    )
    assert (await client.delete(session.location)).status == 200


async def test_has_a_strong_entity_tag(client: Client) -> None:
    """Section 4.3.1: "it MUST generate a unique strong entity-tag identifying the ICE
    session", "The initial value ... MUST be returned in an ETag header field in the
    "201 Created" response".
    """
    tags = {(await open_session(client)).etag for _ in range(5)}
    assert len(tags) == 5
    for tag in tags:
        assert re.fullmatch(r'"[\x21\x23-\x7e]+"', tag)


async def test_says_that_it_takes_fragments(client: Client) -> None:
    """Accept-Patch says which PATCH is taken (RFC 5789 section 3.1); to have it with
    the 201 saves an OPTIONS.
    """
    response = await post(client, offers.CHROMIUM_DATA)
    assert response.headers["Accept-Patch"] == SDP_FRAGMENT


async def test_names_no_ice_server_and_no_extension_by_default(client: Client) -> None:
    """Section 4.6: "The WHIP endpoint MAY return STUN/TURN server configuration"; "MUST
    return one "Link" header field for each extension that it supports" (4.9).
    """
    response = await post(client, offers.CHROMIUM_DATA)
    assert hdrs.LINK not in response.headers


@pytest.mark.parametrize(
    "content_type",
    ["application/sdp", "Application/SDP", "application/sdp; charset=utf-8"],
)
async def test_media_types_ignore_case_and_parameters(
    client: Client, content_type: str
) -> None:
    """Media types are case-insensitive, and may have parameters (RFC 9110 section
    8.3.1).
    """
    response = await post(client, offers.CHROMIUM_DATA, Content_Type=content_type)
    assert response.status == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/json",
        SDP_FRAGMENT,
        "application/sdpx",
        "application/octet-stream",
        "",
        ";;;",
    ],
)
async def test_refuses_other_types(client: Client, content_type: str) -> None:
    """Section 4.2: "If the HTTP POST to the WHIP endpoint has a content type different
    than "application/sdp" ... the WHIP endpoint MUST reject the HTTP POST request with
    an appropriate 4XX error response".
    """
    response = await post(client, offers.CHROMIUM_DATA, Content_Type=content_type)
    await problem_of(response, 415, "RFC 9725 section 4.2")
    # "the response ... SHOULD include an Accept-Post header" (LDP section 7.1).
    assert response.headers["Accept-Post"] == SDP


async def test_refuses_a_body_without_a_type(client: Client) -> None:
    """Section 4.2: "The HTTP POST request MUST have a content type of
    "application/sdp"".
    """
    response = await client.post(
        "/whip/live",
        data=offers.CHROMIUM_DATA.encode(),
        skip_auto_headers=[hdrs.CONTENT_TYPE],
    )
    await problem_of(response, 415, "RFC 9725 section 4.2")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"hello",
        b'{"type": "offer", "sdp": "v=0"}',
        b"v=0\r\n",
        b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio\r\n",
        offers.CHROMIUM_DATA.encode()[:-40].rsplit(b":", 1)[0] + b"\0",
        offers.CHROMIUM_DATA.encode("utf-16"),
        b"v=0\r\n\xff\xfe",
    ],
)
async def test_refuses_what_is_not_sdp(client: Client, body: bytes) -> None:
    """Section 4.2: "If ... the SDP is malformed, the WHIP endpoint MUST reject the HTTP
    POST request with an appropriate 4XX error response".
    """
    await problem_of(await post(client, body), 400, "RFC 8866 section")


async def test_says_which_line_is_wrong(client: Client) -> None:
    """Section 4.1: "WHIP endpoints and resources could convey finer-grained error
    information by a problem statement json object".
    """
    offer = offers.replaced(offers.CHROMIUM_DATA, "a=setup:actpass", "a=setup:holdconn")
    problem = await problem_of(await post(client, offer), 422, "RFC 9725 section 4.4.4")
    line = offers.line_number(offer, "a=setup")
    assert problem["line"] == line
    assert f"Line {line}:" in problem["detail"]
    assert "holdconn" in problem["detail"]


@pytest.mark.parametrize(
    ("offer", "section"),
    [
        pytest.param(
            offers.replaced(offers.OBS, "a=sendonly", "a=recvonly"),
            "RFC 9725 section 4.2",
            id="recvonly",
        ),
        pytest.param(
            offers.replaced(offers.OBS, "a=sendonly", "a=inactive"),
            "RFC 9725 section 4.2",
            id="inactive",
        ),
        pytest.param(
            offers.without(offers.OBS, "a=group:BUNDLE"),
            "RFC 9725 section 4.4.1",
            id="no bundle",
        ),
        pytest.param(
            offers.without(offers.OBS, "a=rtcp-mux"),
            "RFC 9725 section 4.4.1",
            id="no rtcp-mux",
        ),
        pytest.param(
            offers.replaced(offers.OBS, "a=msid:yW5dLqJ0", "a=msid:another"),
            "RFC 9725 section 4.4.2",
            id="two streams",
        ),
        pytest.param(
            offers.replaced(offers.OBS, "m=video", "m=audio"),
            "RFC 9725 section 4.4.2",
            id="two tracks of a kind",
        ),
        pytest.param(
            offers.replaced(offers.OBS, "opus/48000/2", "L16/48000/2"),
            "RFC 9725 section 4.4.3",
            id="no codec",
        ),
        pytest.param(
            offers.without(offers.OBS, "a=fingerprint"),
            "RFC 8827",
            id="no fingerprint",
        ),
        pytest.param(
            offers.without(offers.OBS, "a=ice-ufrag", "a=ice-pwd"),
            "RFC 8839",
            id="no ICE credentials",
        ),
    ],
)
async def test_refuses_what_it_cannot_take_whole(
    client: Client, offer: str, section: str
) -> None:
    """Section 4.4.3: "The WHIP endpoint SHOULD NOT reject individual "m=" sections ...
    but reject the HTTP POST request with an "422 Unprocessable Content" or "400 Bad
    Request" error response".
    """
    await problem_of(await post(client, offer), 422, section)


async def test_a_refused_offer_leaves_no_session(client: Client) -> None:
    """Section 4.4.3: "prevent having partially successful ingest sessions"."""
    await post(client, offers.without(offers.OBS, "a=rtcp-mux"))
    status = await (await client.get("/api/status")).json()
    assert status["sessions"]["open"] == status["sessions"]["total"] == 0


@pytest.mark.parametrize(
    "name", ["a", "A-z_0.9~", "x" * 64, "...", "2024-11-05", "a.", "%61bc"]
)
async def test_stream_names(client: Client, name: str) -> None:
    """Unreserved characters (RFC 3986 section 2.3) need no encoding in any client."""
    session = await open_session(client, path=f"/whip/{name}")
    assert (await client.get(session.location)).status == 204


@pytest.mark.parametrize(
    "name",
    ["x" * 65, "a%20b", "%C3%A9", "a%2Fb", "a+b", "a@b", "a%00", "a%0A", "$", "%"],
)
async def test_what_is_no_stream_name(client: Client, name: str) -> None:
    """A name that no stream can have is not there (RFC 9110 section 15.5.5)."""
    response = await client.post(
        URL(f"/whip/{name}", encoded=True),
        data=offers.CHROMIUM_DATA.encode(),
        headers={hdrs.CONTENT_TYPE: SDP},
    )
    await problem_of(response, 404)


@pytest.mark.parametrize("name", ["%2E", "%2E%2E", ".%2e"])
async def test_dot_segments_are_no_stream_names(client: Client, name: str) -> None:
    """A client that resolves a Location removes "." and ".." (RFC 3986 section 5.2.4),
    and would not reach the session.
    """
    response = await client.post(
        URL(f"/whip/{name}", encoded=True),
        data=offers.CHROMIUM_DATA.encode(),
        headers={hdrs.CONTENT_TYPE: SDP},
    )
    await problem_of(response, 404)


async def test_refuses_a_large_body(client: Client) -> None:
    """A body larger than the server is willing to read is a 413 (RFC 9110 section
    15.5.14).
    """
    padding = "".join(f"a=x-padding-{n}:{'p' * 1000}\r\n" for n in range(300))
    response = await post(client, offers.CHROMIUM_DATA + padding)
    problem = await problem_of(response, 413, "RFC 9110")
    assert "262144" in problem["detail"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "compress", "GZIP"])
@pytest.mark.parametrize("is_packed", [True, False])
async def test_refuses_content_codings(
    client: Client, coding: str, is_packed: bool
) -> None:
    """A 415 says which codings would do (RFC 9110 sections 12.5.3 and 15.5.16): none,
    so that nobody can send a small body that unpacks to a large one.
    """
    octets = offers.CHROMIUM_DATA.encode()
    body = gzip.compress(octets) if is_packed else octets
    response = await post(client, body, Content_Encoding=coding)
    await problem_of(response, 415, "RFC 9110 section 15.5.16")
    assert response.headers[hdrs.ACCEPT_ENCODING] == "identity"
    assert "Accept-Post" not in response.headers


async def test_takes_the_coding_that_is_none(client: Client) -> None:
    """The coding "identity" is no coding at all (RFC 9110 section 12.5.3)."""
    offer = offers.CHROMIUM_DATA
    assert (await post(client, offer, Content_Encoding="identity")).status == 201


async def test_does_not_wait_forever_for_a_body(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that does not come to its end in time is a 408 (RFC 9110 section
    15.5.9).
    """
    monkeypatch.setattr("whipbird.http.body.BODY_TIMEOUT", 0.05)
    never = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"v=0\r\n"
        await never.wait()

    response = await client.post(
        "/whip/live", data=body(), headers={hdrs.CONTENT_TYPE: SDP}
    )
    await problem_of(response, 408, "RFC 9110 section 15.5.9")
    never.set()


async def test_opens_none_while_it_shuts_down(client: Client) -> None:
    """Section 4.5: "the WHIP endpoints MAY return a "503 Service Unavailable"
    response", "The WHIP endpoint might send a Retry-After header field".
    """
    assert client.app is not None
    await client.app[STORE].close()
    response = await post(client, offers.CHROMIUM_DATA)
    await problem_of(response, 503, "RFC 9725 section 4.5")
    assert int(response.headers[hdrs.RETRY_AFTER]) > 0
