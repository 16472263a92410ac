"""Extensions of WHEP: server-sent events, and the choice of a layer.

Sections are those of the draft of the core extensions.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, hdrs

from tests import offers
from tests.conformance.exchange import (
    Client,
    OpenSession,
    location_of,
    open_session,
    problem_of,
    token_list,
)
from tests.waiting import until
from whipbird.app import STORE
from whipbird.http.whep_extensions import EVENTS_RELATION, LAYER_RELATION
from whipbird.sdp.link import Link, parse_links
from whipbird.sessions import Session
from whipbird.streams import EVENT_TYPES, LayerChoice
from whipbird.streams.viewer import MAX_EVENT_STREAMS, Viewer

ALL = list(EVENT_TYPES)


def links_of(response: ClientResponse) -> dict[str, Link]:
    links = parse_links(response.headers.getall(hdrs.LINK, []))
    return {relation: link for link in links for relation in link.relations}


@pytest.fixture
async def session(client: Client) -> OpenSession:
    return await open_session(client, offers.CHROMIUM_VIEWER, "/whep/live")


def viewer_of(client: Client, opened: OpenSession) -> tuple[Session, Viewer]:
    assert client.app is not None
    store = client.app[STORE]
    ((session, viewer),) = store._viewers.items()
    assert opened.location.endswith(session.id)
    return session, viewer


async def open_events(
    client: Client, opened: OpenSession, types: Any = ALL
) -> ClientResponse:
    return await client.post(f"{opened.location}/sse", json=types)


async def choose(client: Client, opened: OpenSession, wish: Any) -> ClientResponse:
    return await client.post(f"{opened.location}/layer", json=wish)


async def events_in(response: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Read an event stream (HTML, section 9.2.6)."""
    while True:
        async with asyncio.timeout(20):
            lines = [await response.content.readline() for _ in range(3)]
        if not lines[0]:
            return
        name, data, end = (line.decode() for line in lines)
        assert end == "\n"
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        yield name.removeprefix("event: ").rstrip(), json.loads(data[len("data: ") :])


async def test_what_there_is_is_announced(client: Client) -> None:
    """ "a "Link" header field with a "rel" attribute of
    "urn:ietf:params:whep:ext:core:server-sent-events" MUST be returned in the initial
    HTTP "201 Created" response"; "urn:ietf:params:whep:ext:core:layer" likewise; "the
    "layers" event MUST be advertised as well".
    """
    response = await client.post(
        "/whep/live",
        data=offers.CHROMIUM_VIEWER,
        headers={hdrs.CONTENT_TYPE: "application/sdp"},
    )
    assert response.status == 201
    links, location = links_of(response), response.headers[hdrs.LOCATION]
    assert links[EVENTS_RELATION].target == f"{location}/sse"
    assert "layers" in links[EVENTS_RELATION].parameters["events"].split(",")
    assert links[LAYER_RELATION].target == f"{location}/layer"
    for relation in (EVENTS_RELATION, LAYER_RELATION):
        options = await client.options(links[relation].target)
        assert options.headers["Accept-Post"] == "application/json"
        assert token_list(options.headers[hdrs.ALLOW]) == {"OPTIONS", "POST"}


async def test_a_publisher_has_none_of_it(client: Client) -> None:
    opened = await open_session(client, offers.CHROMIUM_MEDIA, "/whip/live")
    assert (await open_events(client, opened)).status == 404
    assert (await choose(client, opened, {})).status == 404


async def test_the_events_of_a_stream(client: Client, session: OpenSession) -> None:
    """ "The WHEP Endpoint will return a "201 Created" response with a Location header
    field pointing to the newly created server-to-client event stream."

    "MUST check for each event stream if the type is on the list"; "MUST indicate the
    event type in the "event" field and a JSON serialized string in the "data" field";
    "MUST encode the event data in a single "data" line".
    """
    created = await open_events(client, session, ["active", "inactive"])
    assert created.status == 201
    location = location_of(created)
    assert location.startswith(f"{session.location}/sse/")
    _, viewer = viewer_of(client, session)
    assert client.app is not None
    # As if it were connected: nothing connects here.
    client.app[STORE].audiences.join("live", viewer)
    response = await client.get(location)
    assert response.status == 200
    assert response.headers[hdrs.CONTENT_TYPE] == "text/event-stream"
    events = events_in(response)
    publisher = await open_session(client, offers.CHROMIUM_MEDIA, "/whip/live")
    assert await anext(events) == ("active", {})
    assert (await client.delete(publisher.location)).status == 200
    assert await anext(events) == ("inactive", {})
    await client.delete(session.location)
    assert [event async for event in events] == []


async def test_all_events_when_none_are_named(
    client: Client, session: OpenSession
) -> None:
    """ "The POST request MAY contain an "application/json" body"."""
    created = await client.post(f"{session.location}/sse")
    assert created.status == 201
    assert client.app is not None
    client.app[STORE].audiences.join("live", viewer_of(client, session)[1])
    response = await client.get(created.headers[hdrs.LOCATION])
    event = await anext(events_in(response))
    assert event == ("viewercount", {"viewercount": 1})
    response.close()


@pytest.mark.parametrize(
    "types", [["active", "reconnect"], ["scte35"], ["Active"], "active", [1], {}]
)
async def test_events_that_there_are_not(
    client: Client, session: OpenSession, types: Any
) -> None:
    """ "If any requested event type is not supported by the WHEP Resource […] the WHEP
    Resource MUST return a "400 Bad Request" response and MUST NOT create the event
    stream".
    """
    problem = await problem_of(await open_events(client, session, types), 400)
    assert viewer_of(client, session)[1].event_streams == {}
    if isinstance(types, list) and isinstance(types[-1], str):
        assert types[-1] in problem["detail"]


async def test_the_end_of_an_event_stream(client: Client, session: OpenSession) -> None:
    """ "The WHEP player MAY destroy the event stream at anytime by sending a HTTP
    DELETE request"; "MUST drop any pending queued event and return a "404 Not found" if
    any further long pull request is received for the event stream".
    """
    location = (await open_events(client, session)).headers[hdrs.LOCATION]
    response = await client.get(location)
    assert (await client.delete(location)).status == 200
    async with asyncio.timeout(20):
        assert await response.read() == b""
    for method in ("GET", "DELETE"):
        await problem_of(await client.request(method, location), 404)


async def test_all_end_with_the_session(client: Client, session: OpenSession) -> None:
    """ "All the event streams associated with a WHEP Resource MUST be destroyed when
    the WHEP Resource is terminated."
    """
    location = (await open_events(client, session)).headers[hdrs.LOCATION]
    response = await client.get(location)
    _, viewer = viewer_of(client, session)
    assert (await client.delete(session.location)).status == 200
    async with asyncio.timeout(20):
        assert await response.read() == b""
    await problem_of(await client.get(location), 404)
    assert viewer.event_streams == {}


async def test_whoever_comes_again_goes_on(
    client: Client, session: OpenSession
) -> None:
    """A connection that is lost is noticed late; its successor need not wait."""
    location = (await open_events(client, session)).headers[hdrs.LOCATION]
    first = await client.get(location)
    second = await client.get(location)
    async with asyncio.timeout(20):
        assert await first.read() == b""
    assert client.app is not None
    client.app[STORE].audiences.join("live", viewer_of(client, session)[1])
    assert (await anext(events_in(second)))[0] == "viewercount"
    second.close()


async def test_nobody_needs_many_event_streams(
    client: Client, session: OpenSession
) -> None:
    for _ in range(MAX_EVENT_STREAMS):
        created = await open_events(client, session)
        assert created.status == 201
    await problem_of(await open_events(client, session), 409)
    assert (await client.delete(created.headers[hdrs.LOCATION])).status == 200
    assert (await open_events(client, session)).status == 201


async def test_a_layer(client: Client, session: OpenSession) -> None:
    """ "The WHEP Endpoint will return a "200 OK" if the switch to the new video layer
    can be performed or an appropriate HTTP error response if not."

    "If the WHEP player wishes to return to the default selection […] it just need to
    send an JSON Object removing the constrains for the layer".
    """
    _, viewer = viewer_of(client, session)
    await open_session(client, offers.CHROMIUM_SIMULCAST, "/whip/live")
    response = await choose(client, session, {"mediaId": "1", "rid": "h"})
    assert (response.status, await response.read()) == (200, b"")
    assert viewer.choice == LayerChoice(rid="h")
    assert (await choose(client, session, {"maxWidth": 640})).status == 200
    assert viewer.choice == LayerChoice(max_width=640)
    assert (await choose(client, session, {"mediaId": "1"})).status == 200
    assert viewer.choice == LayerChoice()


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"rid": "x"}, "q, h, f"),
        ({"rid": 1}, "rid"),
        ({"mediaId": "0", "rid": "h"}, '"1"'),
        ({"mediaId": 1, "rid": "h"}, '"1"'),
        ({"spatialLayerId": 0}, "spatialLayerId"),
        ({"maxTemporalLayerId": 1}, "maxTemporalLayerId"),
        ({"maxWidth": 0}, "maxWidth"),
        ({"maxHeight": True}, "maxHeight"),
        ({"encodingId": "h"}, "encodingId"),
    ],
)
async def test_layers_that_there_are_not(
    client: Client, session: OpenSession, wish: Any, word: str
) -> None:
    await open_session(client, offers.CHROMIUM_SIMULCAST, "/whip/live")
    _, viewer = viewer_of(client, session)
    assert (await choose(client, session, {"rid": "q"})).status == 200
    problem = await problem_of(await choose(client, session, wish), 422)
    assert word in problem["detail"]
    assert viewer.choice == LayerChoice(rid="q")


@pytest.mark.parametrize("path", ["layer", "sse"])
async def test_bodies_that_are_none(
    client: Client, session: OpenSession, path: str
) -> None:
    url = f"{session.location}/{path}"
    as_json = {hdrs.CONTENT_TYPE: "application/json"}
    for text in ("{", "[" * 60_000, '"', "null"):
        await problem_of(await client.post(url, data=text, headers=as_json), 400)
    await problem_of(await client.post(url, data=b"\xff", headers=as_json), 400)
    response = await client.post(url, data="{}", headers={hdrs.CONTENT_TYPE: "a/b"})
    await problem_of(response, 415)


async def test_who_has_gone_is_forgotten(client: Client, session: OpenSession) -> None:
    """Without a word, and while nothing is sent."""
    location = (await open_events(client, session)).headers[hdrs.LOCATION]
    before = len(asyncio.all_tasks())
    response = await client.get(location)
    response.close()
    assert (await client.delete(session.location)).status == 200
    await until(lambda: len(asyncio.all_tasks()) <= before)
