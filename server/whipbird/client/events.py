"""The events of a stream, for a WHEP client (draft-ietf-wish-whep, Server Sent Events
extension).
"""

import json
from collections.abc import AsyncIterator, Collection
from typing import Any

import aiohttp
from yarl import URL

from .errors import WhipError
from .whep import WhepClient

# Characters of the data of an event: its lines may be many.
MAX_EVENT = 1 << 20

EVENTS_RELATION = "urn:ietf:params:whep:ext:core:server-sent-events"


async def events_of(
    client: WhepClient, types: Collection[str]
) -> AsyncIterator[tuple[str, Any]]:
    """Receive events until the server ends them.

    Args:
        client: it has a session.
        types: the types of events to ask for.

    Yields:
        The type of each event, and its data, which is JSON.

    Raises:
        WhipError: when the server has none of them, or cannot be reached any more.
    """
    target = client.links.get(EVENTS_RELATION)
    if target is None:
        raise WhipError("No events", "the server does not offer any")
    response, _ = await client.http.request(
        "POST",
        target,
        data=json.dumps(list(types)).encode(),
        headers={"Content-Type": "application/json", "Prefer": "relative-location"},
    )
    location = response.headers.get("Location")
    if not location:
        raise WhipError("No events", "the answer has no Location", response.status)
    try:
        url = response.url.join(URL(location))
    except ValueError as error:
        raise WhipError("No events", f"Location: {error}", response.status) from error
    async with client.http.streaming(url) as body:
        async for event in read_events(body):
            yield event


async def read_events(body: aiohttp.StreamReader) -> AsyncIterator[tuple[str, Any]]:
    """Read events (HTML Living Standard section 9.2.6); those without JSON are skipped.

    Raises:
        ValueError: when a line is longer than the reader takes, or an event longer than
            ``MAX_EVENT``.
    """
    kind, data = "", []
    size = 0
    while line := await body.readline():
        text = line.decode(errors="replace").rstrip("\r\n")
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
            size += len(value) + 1
            if size > MAX_EVENT:
                raise ValueError(f"an event has more than {MAX_EVENT} characters")
        elif not text:
            try:
                if data:
                    yield kind or "message", json.loads("\n".join(data))
            except (ValueError, RecursionError):
                pass
            kind, data = "", []
            size = 0
