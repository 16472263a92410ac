"""Requests to a server and their responses."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse, hdrs, web
from aiohttp.test_utils import TestClient
from yarl import URL

from tests import offers
from whipbird.sdp.parser import SessionDescription, parse_description

Client = TestClient[web.Request, web.Application]

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
PROBLEM = "application/problem+json"

# The header of a browser with the origin of its page.
ORIGIN = "https://studio.example"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that a POST has opened."""

    location: str
    etag: str
    offer: str
    answer: SessionDescription


async def post(
    client: Client, offer: str | bytes, path: str = "/whip/live", **headers: str
) -> ClientResponse:
    """POST an offer; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(
        path, data=_octets(offer), headers={hdrs.CONTENT_TYPE: SDP, **named}
    )


async def open_session(
    client: Client, offer: str = offers.CHROMIUM_DATA, path: str = "/whip/live"
) -> OpenSession:
    """Open a session; it must succeed."""
    response = await post(client, offer, path)
    text = await response.text()
    assert response.status == 201, text
    return OpenSession(
        location_of(response),
        response.headers[hdrs.ETAG],
        offer,
        parse_description(text),
    )


def location_of(response: ClientResponse) -> str:
    """The path that a response names."""
    return response.url.join(URL(response.headers[hdrs.LOCATION])).path


async def patch(
    client: Client,
    session: OpenSession,
    body: str | bytes,
    if_match: str | None = "",
    content_type: str = SDP_FRAGMENT,
) -> ClientResponse:
    """PATCH a session.

    Args:
        if_match: the field's value; by default the session's own tag, None for no
            such field.
    """
    headers = {hdrs.CONTENT_TYPE: content_type}
    if if_match is not None:
        headers[hdrs.IF_MATCH] = if_match or session.etag
    return await client.patch(session.location, data=_octets(body), headers=headers)


def fragment(
    *candidates: str,
    ufrag: str = "kT3x",
    pwd: str = "Hq7cLw0mZp2Vt8RyBn5sJd1G",
    mid: str = "0",
) -> str:
    """A fragment as a browser trickles it; the credentials are CHROMIUM_DATA's."""
    lines = [
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
        *(f"a=candidate:{candidate}" for candidate in candidates),
    ]
    return "".join(f"{line}\r\n" for line in lines)


async def problem_of(
    response: ClientResponse, status: int, section: str | None = None
) -> dict[str, Any]:
    """Check that a response is a problem detail (RFC 9457), and return its members.

    Args:
        section: how the section that it names begins, if it has to name one.
    """
    assert response.status == status, await response.text()
    assert response.content_type == PROBLEM
    problem: dict[str, Any] = await response.json(content_type=PROBLEM)
    assert problem["status"] == status
    for member in ("title", "detail"):
        assert isinstance(problem[member], str)
        assert problem[member]
    if section is not None:
        assert problem["section"].startswith(section)
    return problem


def token_list(value: str) -> set[str]:
    """The members of a comma-separated header field."""
    return {member.strip() for member in value.split(",")}


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
