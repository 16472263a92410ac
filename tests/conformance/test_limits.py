"""Limits of sessions and of requests (sections 4.5 and 5)."""

import pytest
from aiohttp import hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import (
    ORIGIN,
    Client,
    fragment,
    open_session,
    patch,
    post,
    problem_of,
    token_list,
)
from whipbird.app import STORE, create_app
from whipbird.config import Settings


async def test_a_full_server(aiohttp_client: AiohttpClient) -> None:
    """Section 4.5: "In case of high load, the WHIP endpoints MAY return a "503
    Service Unavailable" response"; "might send a Retry-After header field".
    """
    client = await aiohttp_client(create_app(Settings(max_sessions=2)))
    sessions = [await open_session(client) for _ in range(2)]
    response = await post(client, offers.CHROMIUM_DATA)
    problem = await problem_of(response, 503, "RFC 9725 section 4.5")
    assert problem["title"] == "Server full"
    assert int(response.headers[hdrs.RETRY_AFTER]) > 0
    # The sessions that there are go on, and the end of one makes room.
    assert (await patch(client, sessions[0], fragment())).status == 204
    assert (await client.delete(sessions[1].location)).status == 200
    await open_session(client)


async def test_a_server_that_stops(aiohttp_client: AiohttpClient) -> None:
    """Section 4.5: "or scheduled maintenance"."""
    app = create_app(Settings(max_sessions=1))
    client = await aiohttp_client(app)
    await open_session(client)
    await app[STORE].close()
    response = await post(client, offers.CHROMIUM_DATA)
    problem = await problem_of(response, 503, "RFC 9725 section 4.5")
    assert problem["title"] == "Unavailable"
    assert int(response.headers[hdrs.RETRY_AFTER]) > 0


async def limited(aiohttp_client: AiohttpClient, **settings: object) -> Client:
    return await aiohttp_client(create_app(Settings.model_validate(settings)))


async def test_many_posts(aiohttp_client: AiohttpClient) -> None:
    """Section 5: "WHIP endpoints SHOULD implement a rate limit and avalanche control
    mechanism for incoming initial HTTP POST requests".
    """
    client = await limited(aiohttp_client, post_rate=3)
    session = await open_session(client)
    for _ in range(2):
        await problem_of(await post(client, "nonsense"), 400)
    response = await post(client, offers.CHROMIUM_DATA)
    problem = await problem_of(response, 429, "RFC 9725 section 5")
    assert "3 requests" in problem["detail"]
    assert response.headers[hdrs.RETRY_AFTER] == "20"
    # Not for the session that is open already.
    assert (await patch(client, session, fragment())).status == 204
    assert (await client.delete(session.location)).status == 200


async def test_many_patches(aiohttp_client: AiohttpClient) -> None:
    """Section 5: "SHOULD implement a rate limit and avalanche control mechanism for
    incoming HTTP PATCH requests".
    """
    client = await limited(aiohttp_client, patch_rate=3)
    session = await open_session(client)
    for _ in range(3):
        assert (await patch(client, session, fragment())).status == 204
    response = await patch(client, session, fragment())
    await problem_of(response, 429, "RFC 9725 section 5")
    assert response.headers[hdrs.RETRY_AFTER] == "20"
    assert (await client.delete(session.location)).status == 200


async def test_restarts_count_by_what_they_cost(aiohttp_client: AiohttpClient) -> None:
    """Section 5: a restart costs as much as many candidates do."""
    client = await limited(aiohttp_client, patch_rate=45)
    session = await open_session(client)
    for n in range(2):
        body = fragment(ufrag=f"new{n}", pwd=f"{n}" * 22)
        assert (await patch(client, session, body, "*")).status == 200
    body = fragment(ufrag="more", pwd="m" * 22)
    response = await patch(client, session, body, "*")
    await problem_of(response, 429, "RFC 9725 section 5")
    # The session goes on as it was.
    assert (
        await patch(client, session, fragment(ufrag="new1", pwd="1" * 22), "*")
    ).status == 204


async def test_many_deletes(aiohttp_client: AiohttpClient) -> None:
    """Section 5: "implement a rate limit and avalanche control mechanism for HTTP
    DELETE requests": guesses of a session's URL are limited.
    """
    client = await limited(aiohttp_client, delete_rate=3)
    for n in range(3):
        await problem_of(await client.delete(f"/whip/live/guess{n}"), 404)
    response = await client.delete("/whip/live/guess3")
    await problem_of(response, 429, "RFC 9725 section 5")
    await open_session(client)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "GET", "OPTIONS"])
async def test_guesses_of_the_token(aiohttp_client: AiohttpClient, method: str) -> None:
    """Section 5: who has no token must not try them all, by whatever method."""
    client = await limited(
        aiohttp_client, token="right", post_rate=3, patch_rate=3, delete_rate=3
    )
    statuses = []
    for guess in ("a", "b", "c", "right"):
        headers = {hdrs.AUTHORIZATION: f"Bearer {guess}"}
        response = await client.request(method, "/whip/live/session", headers=headers)
        statuses.append(response.status)
    assert statuses == [401, 401, 401, 429]


async def test_all_requests_for_streams_count_together(
    aiohttp_client: AiohttpClient,
) -> None:
    """As above: each guess at one resource would be another one at the next."""
    client = await limited(aiohttp_client, token="right", patch_rate=4)
    paths = ("/whip/live", "/whep/live", "/api/streams", "/api/recordings")
    headers = {hdrs.AUTHORIZATION: "Bearer wrong"}
    for path in paths:
        await problem_of(await client.get(path, headers=headers), 401)
    for path in paths:
        await problem_of(await client.get(path, headers=headers), 429)


async def test_a_page_can_read_when_to_try_again(aiohttp_client: AiohttpClient) -> None:
    """Retry-After is of use only when it is exposed (Fetch 3.3.2)."""
    client = await limited(aiohttp_client, post_rate=1)
    for _ in range(2):
        response = await post(client, offers.CHROMIUM_DATA, Origin=ORIGIN)
    await problem_of(response, 429)
    assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] in ("*", ORIGIN)
    exposed = response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS].lower()
    assert "retry-after" in token_list(exposed)


async def test_what_is_not_limited(aiohttp_client: AiohttpClient) -> None:
    """Supervisors ask often; 0 is for any number of requests."""
    client = await limited(
        aiohttp_client, post_rate=0, patch_rate=1, delete_rate=0, token="right"
    )
    for _ in range(5):
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/api/status")).status == 200
        assert (await post(client, offers.CHROMIUM_DATA)).status == 401
        assert (await client.delete("/whip/live/session")).status == 401
