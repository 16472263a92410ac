"""One publisher of a stream at a time, told so that a client can act on it."""

import asyncio

import pytest
from aiohttp import hdrs
from pytest_aiohttp.plugin import AiohttpClient

from tests import offers
from tests.conformance.exchange import Client, open_session, post, problem_of
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.streams import streams

OTHER = offers.of_another(offers.OBS)


async def test_a_second_publisher_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 15.5.10: a conflict "with the current state of the target resource"."""
    # The first sends nothing; it is not to give way before a busy machine goes on.
    monkeypatch.setattr(streams, "SILENCE", 60.0)
    session = await open_session(client, offers.CHROMIUM_MEDIA)
    response = await post(client, OTHER)
    problem = await problem_of(response, 409, "RFC 9110 section 15.5.10")
    assert problem["title"] == "Stream is taken"
    assert '"live"' in problem["detail"]
    # RFC 9110 10.2.3: "how long the user agent ought to wait before making a follow-up
    # request"
    seconds = response.headers[hdrs.RETRY_AFTER]
    assert 1 <= int(seconds) <= 60
    assert f"in {seconds} s" in problem["detail"]
    assert hdrs.LOCATION not in response.headers
    # The first one is still there, and others may ping the address.
    assert (await client.get(session.location)).status == 204
    await open_session(client, offers.CHROMIUM_DATA)


async def test_the_end_of_a_publisher_frees_the_name(client: Client) -> None:
    """RFC 9725 4.2: DELETE frees "the resources used by" the session."""
    for _ in range(3):
        session = await open_session(client, offers.CHROMIUM_MEDIA)
        assert (await client.delete(session.location)).status == 200


async def test_the_same_encoder_may_try_again(client: Client) -> None:
    """RFC 9110 9.2.2 lets a client repeat a POST if it knows that it was not applied;
    it does not know so, and its certificate shows that it is the same."""
    first = await open_session(client, offers.OBS)
    second = await open_session(client, offers.OBS)
    assert (await client.get(first.location)).status == 404
    assert (await client.get(second.location)).status == 204


async def test_a_publisher_that_has_vanished_makes_room(client: Client) -> None:
    """A client that waits as Retry-After says is let in."""
    first = await open_session(client, offers.CHROMIUM_MEDIA)
    response = await post(client, OTHER)
    while response.status == 409:
        await asyncio.sleep(int(response.headers[hdrs.RETRY_AFTER]))
        response = await post(client, OTHER)
    assert response.status == 201
    assert (await client.get(first.location)).status == 404


async def test_a_refused_offer_takes_no_name(client: Client) -> None:
    refused = offers.without(offers.CHROMIUM_MEDIA, "a=rtcp-mux")
    assert (await post(client, refused)).status == 422
    await open_session(client, offers.CHROMIUM_MEDIA)


async def test_a_new_publisher_takes_over(aiohttp_client: AiohttpClient) -> None:
    client: Client = await aiohttp_client(create_app(Settings(takeover=True)))
    first = await open_session(client, offers.CHROMIUM_MEDIA)
    second = await open_session(client, OTHER)
    assert (await client.get(first.location)).status == 404
    assert (await client.get(second.location)).status == 204
    assert client.app is not None
    (stream,) = client.app[STORE].streams
    assert stream.name == "live"
