"""A session that nobody connects to does not stay."""

import asyncio

from aiohttp import hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import Client, open_session, post, problem_of
from whipbird.app import create_app
from whipbird.config import Settings

LIMIT = 20.0


async def gone(client: Client, location: str) -> None:
    """Request a session until it has ended."""
    async with asyncio.timeout(LIMIT):
        while (await client.get(location)).status != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_is_gone_after_the_setup_timeout(aiohttp_client: AiohttpClient) -> None:
    """Section 5: "the WHIP session will have to wait for the DTLS/ICE connection
    timeout in order to release the associated resources".
    """
    client = await aiohttp_client(create_app(Settings(setup_timeout=0.5)))
    sessions = [
        await open_session(client, offer, f"/whip/{name}")
        for name, offer in offers.ALL.items()
    ]
    for session in sessions:
        await gone(client, session.location)
    status = await (await client.get("/api/status")).json()
    assert status["sessions"]["open"] == 0
    assert status["sessions"]["total"] == len(sessions)


async def test_is_there_until_then(client: Client) -> None:
    """Section 5: "While the malicious client does not need to initiate the DTLS/ICE
    connection at all", an honest one may take its time.
    """
    session = await open_session(client)
    assert (await client.get(session.location)).status == 204
    status = await (await client.get("/api/status")).json()
    assert status["sessions"]["new"] + status["sessions"]["connecting"] == 1


async def test_a_session_that_ends_while_it_is_opened(
    aiohttp_client: AiohttpClient,
) -> None:
    """Section 4.5: "indicating that the server is currently unable to handle the
    request due to a temporary overload": an overloaded server is not a broken one.
    """
    client = await aiohttp_client(create_app(Settings(setup_timeout=1e-4)))
    response = await post(client, offers.CHROMIUM_DATA)
    if response.status != 201:
        await problem_of(response, 503)
        assert hdrs.RETRY_AFTER in response.headers
