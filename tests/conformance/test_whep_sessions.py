"""WHEP sessions: trickled candidates, ICE restarts, and the end.

Sections are those of draft-ietf-wish-whep-03.
"""

import asyncio
import os

import pytest
from aiohttp import hdrs

from tests import offers
from tests.conformance.exchange import (
    SDP_FRAGMENT,
    Client,
    OpenSession,
    open_session,
    patch,
    problem_of,
    token_list,
)
from tests.waiting import until
from whipbird.app import STORE
from whipbird.sdp.fragment import parse_fragment

CANDIDATE = "1 1 udp 2130706431 198.51.100.7 50000 typ host"


def fragment(*candidates: str, ufrag: str = "w2Lq", pwd: str = "") -> str:
    """As a browser trickles it; the credentials are those of CHROMIUM_VIEWER."""
    lines = [
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd or '9fXbT4kYs6Na1QeGm3Uz7Rcd'}",
        *(f"a=candidate:{candidate}" for candidate in candidates),
    ]
    return "".join(f"{line}\r\n" for line in lines)


RESTART = fragment(CANDIDATE, ufrag="ysXw", pwd="vw5LmwG4y/e6dPP/zAP9Gp5k")


@pytest.fixture
async def session(client: Client) -> OpenSession:
    return await open_session(client, offers.CHROMIUM_VIEWER, "/whep/live")


async def test_the_entity_tag_of_the_ice_session(session: OpenSession) -> None:
    """Section 4.5.1: "it MUST generate a unique strong entity-tag identifying the ICE
    session"; "MUST be returned in an ETag header field in the "201 Created" response".
    """
    assert session.etag.startswith('"')
    assert session.etag.endswith('"')


async def test_candidates(client: Client, session: OpenSession) -> None:
    """Section 4.5.2: "it MUST return a "204 No Content" response without a body and
    MUST NOT include an ETag header in the response".
    """
    response = await patch(client, session, fragment(CANDIDATE))
    assert response.status == 204
    assert await response.read() == b""
    assert hdrs.ETAG not in response.headers


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        "1 1 udp 2130706431 7c1d64de-55a0.local 50000 typ host",
        "1 1 udp 2130706431 no.such.example 50000 typ host",
    ],
)
async def test_candidates_of_no_use(
    client: Client, session: OpenSession, candidate: str
) -> None:
    """Section 4.5.2: "it MUST silently discard the candidate and continue processing
    the rest of the request normally".
    """
    assert (await patch(client, session, fragment(candidate))).status == 204


@pytest.mark.parametrize("content_type", ["application/sdp", "text/plain"])
async def test_wrong_content_type(
    client: Client, session: OpenSession, content_type: str
) -> None:
    """Section 4.5.1: "If the HTTP PATCH to the WHEP session has a content type
    different than "application/trickle-ice-sdpfrag" or the SDP fragment is malformed,
    the WHEP session MUST reject the HTTP PATCH with an appropriate 4xx error response".
    """
    response = await patch(client, session, fragment(), content_type=content_type)
    await problem_of(response, 415)
    assert response.headers["Accept-Patch"] == SDP_FRAGMENT


async def test_malformed_fragment(client: Client, session: OpenSession) -> None:
    """As above."""
    await problem_of(await patch(client, session, "hello"), 400)


async def test_missing_and_outdated_tags(client: Client, session: OpenSession) -> None:
    """Section 4.5.1: "a "428 Precondition Required" response for a missing entity-tag,
    and a "412 Precondition Failed" response for a non-matching entity-tag".
    """
    await problem_of(await patch(client, session, fragment(), if_match=None), 428)
    await problem_of(await patch(client, session, fragment(), if_match='"old"'), 412)


async def test_restart(client: Client, session: OpenSession) -> None:
    """Section 4.5.3: "a "200 OK" with an "application/trickle-ice-sdpfrag" body
    containing the new ICE username fragment and password and a new set of ICE
    candidates"; "MUST contain the new entity-tag corresponding to the new ICE session".
    """
    response = await patch(client, session, RESTART, "*")
    text = await response.text()
    assert response.status == 200, text
    assert response.headers[hdrs.CONTENT_TYPE] == SDP_FRAGMENT
    etag = response.headers[hdrs.ETAG]
    assert etag != session.etag
    answer = parse_fragment(text)
    before = session.answer.media[0].first("ice-ufrag")
    assert before is not None
    assert answer.ice is not None
    assert answer.ice.ufrag != before.value
    assert answer.candidates
    # The same options as in the answer.
    options = session.answer.first("ice-options")
    assert options is not None
    assert f"a=ice-options:{options.value}\r\n" in text
    # From then on the old tag is outdated.
    await problem_of(await patch(client, session, RESTART), 412)
    assert (await patch(client, session, RESTART, etag)).status == 204


async def test_half_a_restart(client: Client, session: OpenSession) -> None:
    """Section 4.5.3: "If the ICE restart request cannot be satisfied by the WHEP
    session, the resource MUST return an appropriate HTTP error code and MUST NOT
    terminate the session immediately".
    """
    response = await patch(client, session, fragment(ufrag="ysXw"), "*")
    await problem_of(response, 422)
    assert (await client.get(session.location)).status == 204


async def test_delete(client: Client, session: OpenSession) -> None:
    """Section 4.4: "Upon receiving the HTTP DELETE request, the WHEP session will be
    removed and the resources freed on the media server".

    Section 4.5.1: "WHEP sessions MUST ignore any entity-tag value sent by the WHEP
    player when ICE session matching is not required, as in the HTTP DELETE request".
    """
    response = await client.delete(session.location, headers={hdrs.IF_MATCH: '"old"'})
    assert response.status == 200
    for method in ("GET", "HEAD", "PATCH", "DELETE", "OPTIONS"):
        assert (await client.request(method, session.location)).status == 404


async def test_options(client: Client, session: OpenSession) -> None:
    response = await client.options(session.location)
    assert response.status == 200
    assert response.headers["Accept-Patch"] == SDP_FRAGMENT
    assert token_list(response.headers[hdrs.ALLOW]) == {
        *("DELETE", "GET", "HEAD", "OPTIONS", "PATCH")
    }


async def test_no_other_method(client: Client, session: OpenSession) -> None:
    for method in ("POST", "PUT"):
        response = await client.request(method, session.location)
        await problem_of(response, 405)


async def test_sessions_are_of_one_protocol(
    client: Client, session: OpenSession
) -> None:
    """A publisher's URL says nothing below /whep, nor a viewer's below /whip."""
    publisher = await open_session(client, offers.CHROMIUM_MEDIA, "/whip/live")
    wrong = [
        publisher.location.replace("/whip/", "/whep/"),
        session.location.replace("/whep/", "/whip/"),
        session.location.replace("/live/", "/other/"),
    ]
    for path in wrong:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
            assert (await client.request(method, path)).status == 404
        response = await client.patch(
            path,
            data=fragment(),
            headers={hdrs.CONTENT_TYPE: SDP_FRAGMENT, hdrs.IF_MATCH: "*"},
        )
        await problem_of(response, 404)
    for path in (publisher.location, session.location):
        assert (await client.get(path)).status == 204


async def test_a_viewer_publishes_nothing(client: Client, session: OpenSession) -> None:
    listed = await (await client.get("/api/streams")).json()
    assert listed["streams"] == []
    await open_session(client, offers.CHROMIUM_MEDIA, "/whip/live")
    assert (await client.delete(session.location)).status == 200
    listed = await (await client.get("/api/streams")).json()
    assert [stream["name"] for stream in listed["streams"]] == ["live"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
async def test_nothing_of_a_session_remains(client: Client) -> None:
    assert client.app is not None
    store = client.app[STORE]

    def held() -> tuple[int, int]:
        return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))

    async def many() -> None:
        for offer in (offers.CHROMIUM_VIEWER, offers.VIEWER_OF_EVERYTHING) * 5:
            opened = await open_session(client, offer, "/whep/live")
            assert (await client.delete(opened.location)).status == 200

    await many()
    tasks, descriptors = held()
    await many()
    await until(lambda: held()[0] <= tasks and held()[1] <= descriptors)
    assert store.count().total() == 0
    assert store._viewers == {}
    assert store.audiences._audiences == {}
