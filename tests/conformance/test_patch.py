"""PATCH: trickle ICE and its conditions."""

import asyncio
import time

import pytest
from aiohttp import hdrs

from tests.conformance.exchange import (
    SDP,
    SDP_FRAGMENT,
    Client,
    fragment,
    open_session,
    patch,
    problem_of,
)

CANDIDATE = "1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"


async def test_takes_candidates(client: Client) -> None:
    """Section 4.3.2: "it MUST return a "204 No Content" response without a body and
    MUST NOT include an ETag header in the response".
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(CANDIDATE))
    assert response.status == 204
    assert hdrs.ETAG not in response.headers
    assert await response.read() == b""


async def test_takes_the_example_of_the_specification(client: Client) -> None:
    """The trickle ICE example of section 4.3.2, with this session's credentials."""
    session = await open_session(client)
    body = fragment(
        f"{CANDIDATE} generation 0 ufrag kT3x network-id 1",
        "3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 "
        "ufrag kT3x network-id 2",
        "473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 "
        "ufrag kT3x network-id 1",
    )
    response = await patch(client, session, f"{body}a=end-of-candidates\r\n")
    assert response.status == 204


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "a=ice-ufrag:kT3x\r\na=ice-pwd:Hq7cLw0mZp2Vt8RyBn5sJd1G\r\n"
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
            f"a=candidate:{CANDIDATE}\r\n",
            id="credentials at session level",
        ),
        pytest.param(
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
            f"a=candidate:{CANDIDATE}\r\n",
            id="no credentials",
        ),
        pytest.param("a=end-of-candidates\r\n", id="the end alone"),
        pytest.param(
            "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:kT3x\r\n"
            f"a=ice-pwd:Hq7cLw0mZp2Vt8RyBn5sJd1G\r\na=candidate:{CANDIDATE}\r\n",
            id="pseudo m-line",
        ),
        pytest.param(fragment().replace("\r\n", "\n"), id="LF"),
        pytest.param(fragment(CANDIDATE, CANDIDATE, CANDIDATE), id="repeated"),
    ],
)
async def test_forms_of_a_fragment(client: Client, body: str) -> None:
    """Section 4.3.2: "the guidelines defined in Section 4.4 of RFC 8840" leave some
    freedom.
    """
    session = await open_session(client)
    response = await patch(client, session, body)
    assert response.status == 204, await response.text()


async def test_patches_may_be_repeated_and_overlap(client: Client) -> None:
    """Section 4.3.1: "The WHIP client MAY send overlapping HTTP PATCH requests to one
    WHIP session".
    """
    session = await open_session(client)
    responses = await asyncio.gather(
        *(
            patch(client, session, fragment(f"{n} 1 udp {n} 192.0.2.1 {n} typ host"))
            for n in range(1, 11)
        )
    )
    assert {response.status for response in responses} == {204}


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        "1 1 udp 2122260223 7c1d64de-55a0-4b0e-9e0b-0c1f6e6f3a52.local 50817 typ host",
        "1 1 udp 2122260223 no-such-host.invalid 50817 typ host",
        "1 1 udp 2122260223 0.0.0.0 50817 typ host",
        "1 1 udp 2122260223 224.0.0.1 50817 typ host",
        "1 1 udp 2122260223 999.1.1.1 50817 typ host",
        "1 1 udp 2122260223 192.0.2.1 0 typ host",
        "1 2 udp 2122260223 192.0.2.1 50817 typ host",
        "1 1 ssltcp 2122260223 192.0.2.1 443 typ host",
        "1 1 udp 2122260223 192.0.2.1 50817 typ exotic",
        "1 1 udp 2122260223 fe80::1%eth0 50817 typ host",
        "1 1 udp 2122260223 fe80::1 50817 typ host",
        "1 1 udp 2122260223 192.0.2.1 50817 typ host ufrag another",
    ],
)
async def test_discards_what_it_cannot_use(client: Client, candidate: str) -> None:
    """Section 4.3.2: "If the WHIP session does not support a candidate transport or is
    not able to resolve the connection address, it MUST silently discard the candidate
    and continue processing the rest of the request normally".
    """
    session = await open_session(client)
    began = time.monotonic()
    response = await patch(client, session, fragment(candidate, CANDIDATE))
    # Nothing is resolved: that would take seconds.
    assert time.monotonic() - began < 5
    assert response.status == 204, await response.text()


async def test_takes_any_number_of_candidates(client: Client) -> None:
    """Nobody can make the server check a thousand addresses, nor fail to try."""
    session = await open_session(client)
    many = [f"{n} 1 udp {n} 192.0.2.1 {n} typ host" for n in range(1, 601)]
    response = await patch(client, session, fragment(*many))
    assert response.status == 204


async def test_needs_an_entity_tag(client: Client) -> None:
    """Section 4.3.1: "with a "428 Precondition Required" response for a missing entity
    tag".
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(CANDIDATE), if_match=None)
    await problem_of(response, 428, "RFC 9725 section 4.3.1")


@pytest.mark.parametrize("if_match", ['"outdated"', '""', '"a", "b"'])
async def test_needs_the_current_entity_tag(client: Client, if_match: str) -> None:
    """Section 4.3.1: "a "412 Precondition Failed" response for a non-matching entity
    tag".
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(CANDIDATE), if_match=if_match)
    await problem_of(response, 412, "RFC 9725 section 4.3.1")


async def test_the_tag_of_another_session_does_not_do(client: Client) -> None:
    """Section 4.3.1: "a unique strong entity-tag identifying the ICE session"."""
    session, other = await open_session(client), await open_session(client)
    response = await patch(client, session, fragment(), if_match=other.etag)
    await problem_of(response, 412)


async def test_a_weak_entity_tag_never_matches(client: Client) -> None:
    """If-Match compares strongly (RFC 9110 section 13.1.1)."""
    session = await open_session(client)
    response = await patch(client, session, fragment(), if_match=f"W/{session.etag}")
    await problem_of(response, 412)


async def test_one_of_several_tags_is_enough(client: Client) -> None:
    """If-Match is a list (RFC 9110 section 13.1.1)."""
    session = await open_session(client)
    response = await patch(
        client, session, fragment(), if_match=f'"outdated", {session.etag}'
    )
    assert response.status == 204


async def test_any_session_will_do(client: Client) -> None:
    """If-Match may be "*", which always matches (RFC 9110 section 13.1.1)."""
    session = await open_session(client)
    response = await patch(client, session, fragment(CANDIDATE), if_match="*")
    assert response.status == 204


@pytest.mark.parametrize("content_type", [SDP, "text/plain", "application/json", ""])
async def test_refuses_other_types(client: Client, content_type: str) -> None:
    """Section 4.3.1: "If the HTTP PATCH to the WHIP session has a content type
    different than "application/trickle-ice-sdpfrag" ..., the WHIP session MUST reject
    the HTTP PATCH with an appropriate 4XX error response".
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(), content_type=content_type)
    await problem_of(response, 415, "RFC 9725 section 4.3.1")
    # RFC 5789 section 2.2.
    assert response.headers["Accept-Patch"] == SDP_FRAGMENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n\r\n",
        b"hello",
        b"\xff\xfe",
        b"a=candidate:nonsense\r\n",
        b"m=audio\r\na=mid:0\r\n",
        b"a=ice-ufrag:kT3x\r\n",
        b"a=ice-ufrag:x\r\na=ice-pwd:Hq7cLw0mZp2Vt8RyBn5sJd1G\r\n",
        fragment(CANDIDATE).replace("a=mid:0\r\n", "").encode(),
        fragment("1 1 udp 4294967296 192.0.2.1 1 typ host").encode(),
        fragment("1 1 udp 1 192.0.2.1 65536 typ host").encode(),
        fragment("1 1 udp 1 192.0.2.1 1").encode(),
    ],
)
async def test_refuses_what_is_no_fragment(client: Client, body: bytes) -> None:
    """Section 4.3.1: "or the SDP fragment is malformed, the WHIP session MUST reject
    the HTTP PATCH with an appropriate 4XX error response".
    """
    session = await open_session(client)
    await problem_of(await patch(client, session, body), 400)
    # It harms nothing.
    assert (await patch(client, session, fragment(CANDIDATE))).status == 204


async def test_says_which_line_is_wrong(client: Client) -> None:
    """Section 4.1: "finer-grained error information by a problem statement json
    object".
    """
    session = await open_session(client)
    response = await patch(client, session, fragment(CANDIDATE, "nonsense"))
    problem = await problem_of(response, 400, "RFC 8839 section 5.1")
    assert problem["line"] == 7
    assert problem["detail"].startswith("Line 7:")


async def test_of_no_session(client: Client) -> None:
    """A session that is gone takes nothing (RFC 9110 section 15.5.5)."""
    session = await open_session(client)
    await client.delete(session.location)
    await problem_of(await patch(client, session, fragment()), 404)
