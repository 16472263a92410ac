"""DELETE: the end of a session."""

import asyncio

import pytest
from aiohttp import hdrs

from tests.conformance.exchange import Client, open_session, problem_of


async def test_ends_a_session(client: Client) -> None:
    """Section 4.2: "Upon receiving the HTTP DELETE request, the WHIP session will be
    removed and the resources freed on the media server".
    """
    session = await open_session(client)
    response = await client.delete(session.location)
    assert response.status == 200
    assert await response.read() == b""
    for method in ("GET", "HEAD", "DELETE"):
        assert (await client.request(method, session.location)).status == 404
    status = await (await client.get("/api/status")).json()
    assert status["sessions"]["open"] == 0
    assert status["sessions"]["total"] == 1


async def test_the_second_time(client: Client) -> None:
    """A nonexistent session gets 404 (RFC 9110 section 15.5.5)."""
    session = await open_session(client)
    await client.delete(session.location)
    await problem_of(await client.delete(session.location), 404, "RFC 9725 section 4.2")


async def test_twice_at_once(client: Client) -> None:
    """One of them ends it, and neither fails."""
    session = await open_session(client)
    responses = await asyncio.gather(
        *(client.delete(session.location) for _ in range(5))
    )
    assert sorted(response.status for response in responses) == [200, *[404] * 4]


@pytest.mark.parametrize("if_match", ['"outdated"', "nonsense", "", 'W/"x"'])
async def test_ignores_entity_tags(client: Client, if_match: str) -> None:
    """Section 4.3.1: "WHIP sessions MUST ignore any entity-tag value sent by the WHIP
    client when ICE session matching is not required, as in the HTTP DELETE request".
    """
    session = await open_session(client)
    response = await client.delete(session.location, headers={hdrs.IF_MATCH: if_match})
    assert response.status == 200


async def test_ends_no_other_session(client: Client) -> None:
    """Sessions of one stream are apart."""
    session, other = await open_session(client), await open_session(client)
    await client.delete(session.location)
    assert (await client.get(other.location)).status == 204


async def test_needs_the_stream_of_the_session(client: Client) -> None:
    """A session has one URL (4.2)."""
    session = await open_session(client)
    name = session.location.rpartition("/")[2]
    await problem_of(await client.delete(f"/whip/another/{name}"), 404)
    assert (await client.get(session.location)).status == 204
