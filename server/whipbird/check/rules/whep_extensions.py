"""Events and layers for viewers (draft-ietf-wish-whep-ext-core-events)."""

import json

from aiohttp import hdrs
from yarl import URL

from ...sdp.link import Link, parse_links
from ..endpoint import Endpoint
from ..exchange import Exchange, location_of
from ..presence import GONE
from ..protocol import WHEP
from ..rule import Absent, Failed, Level, rule
from ..session import OpenSession

EVENTS = "urn:ietf:params:whep:ext:core:server-sent-events"
LAYERS = "urn:ietf:params:whep:ext:core:layer"
JSON = "application/json"
UNKNOWN = "whipbird-check-no-such-event"


def _link(exchange: Exchange, relation: str) -> Link | None:
    for link in parse_links(exchange.received.getall("Link", [])):
        if relation in link.relations:
            return link
    return None


def _require(exchange: Exchange, relation: str, what: str) -> Link:
    link = _link(exchange, relation)
    if link is None:
        raise Absent(f"the 201 response announces no {what}")
    return link


def _announced(link: Link) -> list[str]:
    """The types of events that a link announces."""
    names = link.parameters.get("events", "").split(",")
    return [name.strip() for name in names if name.strip()]


async def _events(endpoint: Endpoint) -> tuple[OpenSession, URL, list[str]]:
    """A session of its own, the URL of its events, and their types."""
    _require(endpoint.standard, EVENTS, "events")
    session = await endpoint.open()
    link = _require(session.exchange, EVENTS, "events")
    return session, session.exchange.url.join(URL(link.target)), _announced(link)


async def _subscribe(endpoint: Endpoint, url: URL, types: list[str]) -> Exchange:
    body = json.dumps(types).encode()
    headers = {hdrs.CONTENT_TYPE: JSON}
    return await endpoint.request("POST", url, body=body, headers=headers)


async def _opened(endpoint: Endpoint) -> tuple[OpenSession, URL]:
    """A session of its own, and the URL of a stream of its events."""
    session, url, types = await _events(endpoint)
    opened = await _subscribe(endpoint, url, types or ["active"])
    location = location_of(opened)
    if not opened.is_success or location is None:
        raise Absent("no stream of events was opened")
    return session, location


@rule(
    "events-announced",
    "events",
    Level.MAY,
    "The 201 response announces events for viewers by a Link.",
    protocol=WHEP,
)
async def events_announced(endpoint: Endpoint) -> str:
    link = _require(endpoint.standard, EVENTS, "events")
    return ", ".join(_announced(link)) or "without their types"


@rule(
    "events-201",
    "events",
    Level.MUST,
    "A POST of types of events opens a stream of them: 201, and its Location.",
    protocol=WHEP,
)
async def events_201(endpoint: Endpoint) -> None:
    _, url, types = await _events(endpoint)
    exchange = await _subscribe(endpoint, url, types or ["active"])
    if exchange.status != 201:
        raise Failed(f"{exchange}, not with 201", exchange)
    if location_of(exchange) is None:
        raise Failed("there is no Location", exchange)


@rule(
    "events-unknown-400",
    "events",
    Level.MUST,
    "A POST with a type of events that is not supported is answered with 400.",
    protocol=WHEP,
)
async def events_unknown(endpoint: Endpoint) -> None:
    _, url, types = await _events(endpoint)
    exchange = await _subscribe(endpoint, url, [*types, UNKNOWN])
    if exchange.status != 400:
        raise Failed(f"{exchange}, not with 400", exchange)


@rule(
    "events-delete",
    "events",
    Level.MUST,
    "After DELETE of a stream of events, GET of it is answered with 404.",
    protocol=WHEP,
)
async def events_delete(endpoint: Endpoint) -> None:
    _, location = await _opened(endpoint)
    deleted = await endpoint.request("DELETE", location)
    if not deleted.is_success:
        raise Failed(str(deleted), deleted)
    after = await endpoint.request("GET", location)
    if after.status != 404:
        raise Failed(f"after DELETE {after}, not with 404", deleted, after)


@rule(
    "events-end",
    "events",
    Level.MUST,
    "Streams of events end with their session.",
    protocol=WHEP,
)
async def events_end(endpoint: Endpoint) -> None:
    session, location = await _opened(endpoint)
    ended = await endpoint.request("DELETE", session.url)
    if not ended.is_success:
        raise Absent("the session does not end")
    after = await endpoint.request("GET", location)
    if after.status not in GONE:
        raise Failed(f"after the end of the session {after}", ended, after)


@rule(
    "layers-announced",
    "layers",
    Level.MAY,
    "The 201 response announces by a Link that viewers can choose a layer.",
    protocol=WHEP,
)
async def layers_announced(endpoint: Endpoint) -> None:
    _require(endpoint.standard, LAYERS, "choice of a layer")


@rule(
    "layers-events",
    "layers",
    Level.MUST,
    "Whoever lets viewers choose a layer announces events too, and layers among them.",
    protocol=WHEP,
)
async def layers_events(endpoint: Endpoint) -> None:
    _require(endpoint.standard, LAYERS, "choice of a layer")
    events = _link(endpoint.standard, EVENTS)
    if events is None:
        raise Failed("no events are announced", endpoint.standard)
    if "layers" not in _announced(events):
        raise Failed('"layers" is not among the events', endpoint.standard)


@rule(
    "layers-default",
    "layers",
    Level.MUST,
    "An empty choice, which leaves it to the server, is answered with 200.",
    protocol=WHEP,
)
async def layers_default(endpoint: Endpoint) -> None:
    _require(endpoint.standard, LAYERS, "choice of a layer")
    session = await endpoint.open()
    link = _require(session.exchange, LAYERS, "choice of a layer")
    exchange = await endpoint.request(
        "POST",
        session.exchange.url.join(URL(link.target)),
        body=b"{}",
        headers={hdrs.CONTENT_TYPE: JSON},
    )
    if exchange.status != 200:
        raise Failed(f"{exchange}, not with 200", exchange)
