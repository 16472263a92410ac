"""Extensions of WHEP: server-sent events and layer selection.

draft-ietf-wish-whep (core extensions), sections "Server Sent Events extension" and
"Video Layer Selection extension".
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web

from ..sdp.errors import quote
from ..sessions import NoSuchLayer, Session, SessionStore
from ..streams import (
    EVENT_TYPES,
    Event,
    EventStream,
    LayerChoice,
    TooManyEventStreams,
)
from .body import read_json
from .problems import Problem, expect
from .references import reference

EVENTS_RELATION = "urn:ietf:params:whep:ext:core:server-sent-events"
LAYER_RELATION = "urn:ietf:params:whep:ext:core:layer"
EVENT_STREAM = "text/event-stream"

# Seconds without events after which a comment is sent, to detect closed connections.
HEARTBEAT = 15.0
# Seconds within which a write must complete.
WRITE_TIMEOUT = 10.0

_EVENTS_SECTION = "draft-ietf-wish-whep, Server Sent Events extension"
_LAYER_SECTION = "draft-ietf-wish-whep, Video Layer Selection extension"

# The supported members of a layer selection, and the known but unsupported ones.
_LAYER_MEMBERS = ("mediaId", "rid", "maxWidth", "maxHeight")
_SVC_MEMBERS = (
    "spatialLayerId",
    "temporalLayerId",
    "maxSpatialLayerId",
    "maxTemporalLayerId",
)


def knows_event_stream(request: web.Request) -> bool:
    """Whether a request names an event stream; its name is a secret.

    It needs no token: ``EventSource`` in browsers cannot send one.
    """
    return request.method == hdrs.METH_GET and "events" in request.match_info


class WhepExtensions:
    """The handlers of the extension resources of a viewer's session.

    Args:
        store: the store of sessions.
        find_session: returns the session in the URL of a request.
        session_of: returns it only to clients that may change it.
    """

    def __init__(
        self,
        store: SessionStore,
        find_session: Callable[[web.Request], Session],
        session_of: Callable[[web.Request], Session],
    ) -> None:
        self._store = store
        self._find_session = find_session
        self._session_of = session_of

    def add_to(self, app: web.Application, session: str) -> list[web.AbstractRoute]:
        """Add the routes to an application.

        Args:
            session: the path of a session.

        Returns:
            The routes.
        """
        layer = app.router.add_resource(f"{session}/layer")
        events = app.router.add_resource(f"{session}/sse")
        stream = app.router.add_resource(f"{session}/sse/{{events}}")
        self._event_stream = stream
        return [
            layer.add_route("POST", self.choose_layer, expect_handler=expect),
            events.add_route("POST", self.open_events, expect_handler=expect),
            stream.add_route("GET", self.send_events, expect_handler=expect),
            stream.add_route("DELETE", self.close_events, expect_handler=expect),
        ]

    @staticmethod
    def links(session: str) -> list[str]:
        """The Link fields of the response that opens a session.

        Args:
            session: a reference to the session.
        """
        types = ",".join(EVENT_TYPES)
        return [
            f'<{session}/sse>; rel="{EVENTS_RELATION}"; events="{types}"',
            f'<{session}/layer>; rel="{LAYER_RELATION}"',
        ]

    async def choose_layer(self, request: web.Request) -> web.Response:
        """Select a layer, or leave the selection to the server."""
        self._session_of(request)
        wish = await read_json(request, section=_LAYER_SECTION)
        session = self._session_of(request)
        choice = _read_choice(wish, self._store.viewer(session).video_line)
        try:
            self._store.choose_layer(session, choice)
        except NoSuchLayer as error:
            raise _wrong_layer(str(error)) from None
        return web.Response()

    async def open_events(self, request: web.Request) -> web.Response:
        """Open an event stream."""
        self._session_of(request)
        types: Any = list(EVENT_TYPES)
        if request.body_exists:
            types = await read_json(request, section=_EVENTS_SECTION)
        if not isinstance(types, list) or not all(isinstance(t, str) for t in types):
            raise Problem(
                400,
                "Not a list of events",
                "The body must be an array with the names of events.",
                section=_EVENTS_SECTION,
            )
        if unknown := [t for t in types if t not in EVENT_TYPES]:
            raise Problem(
                400,
                "No such event",
                f'There is no event "{quote(unknown[0])}"; there are '
                f"{', '.join(EVENT_TYPES)}.",
                section=_EVENTS_SECTION,
            )
        session = self._session_of(request)
        viewer = self._store.viewer(session)
        try:
            name = viewer.open_events(types)
        except TooManyEventStreams:
            raise Problem(
                409,
                "Too many event streams",
                "This session has reached its limit of event streams; delete one.",
            ) from None
        self._store.audiences.update_viewer(session.stream, viewer)
        url = self._event_stream.url_for(
            stream=session.stream, session=session.id, events=name
        )
        return web.Response(
            status=201, headers={hdrs.LOCATION: reference(request, url.raw_path)}
        )

    async def send_events(self, request: web.Request) -> web.StreamResponse:
        """Send events as they occur, until either side closes."""
        events = self._events_of(request)
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: EVENT_STREAM,
                hdrs.CACHE_CONTROL: "no-store",
                # nginx would buffer them.
                "X-Accel-Buffering": "no",
            }
        )
        reader = events.begin()
        await response.prepare(request)
        # The client may have closed the connection, or stopped reading.
        with contextlib.suppress(ConnectionError, TimeoutError):
            while (text := await _next(events, reader)) is not None:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await response.write(text)
        return response

    async def close_events(self, request: web.Request) -> web.Response:
        """Close an event stream."""
        viewer = self._store.viewer(self._session_of(request))
        self._events_of(request)
        viewer.close_events(request.match_info["events"])
        return web.Response()

    def _events_of(self, request: web.Request) -> EventStream:
        # The name of an event stream is the secret that it needs.
        viewer = self._store.viewer(self._find_session(request))
        events = viewer.event_streams.get(request.match_info["events"])
        if events is None:
            raise Problem(
                404,
                "No such event stream",
                "There is no event stream at this address: it was deleted, or never "
                "existed.",
                section=_EVENTS_SECTION,
            )
        return events


async def _next(events: EventStream, reader: int) -> bytes | None:
    """The next event or heartbeat to send; None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            event = await events.next(reader)
    except TimeoutError:
        return b":\n\n"
    return None if event is None else _write(event)


def _write(event: Event) -> bytes:
    # The data must be one line; JSON has no line breaks here.
    data = json.dumps(event.data, separators=(",", ":"))
    return f"event: {event.type}\ndata: {data}\n\n".encode()


def _read_choice(wish: Any, video_line: int | None) -> LayerChoice:
    if not isinstance(wish, dict):
        raise Problem(
            400, "Not an object", "The body must be an object.", section=_LAYER_SECTION
        )
    for name in wish:
        if name in _SVC_MEMBERS:
            raise _wrong_layer(
                f"{name}: layers within an encoding cannot be selected, only those of "
                "a simulcast, by rid, maxWidth or maxHeight."
            )
        if name not in _LAYER_MEMBERS:
            raise _wrong_layer(
                f'There is no member "{quote(name)}"; there are '
                f"{', '.join(_LAYER_MEMBERS)}."
            )
    media = wish.get("mediaId")
    if video_line is None or media not in (None, str(video_line)):
        raise _wrong_layer(
            "The session has no video."
            if video_line is None
            else f'mediaId must be "{video_line}", the index of the video section.'
        )
    rid = wish.get("rid")
    if rid is not None and not isinstance(rid, str):
        raise _wrong_layer("rid must be a string.")
    return LayerChoice(
        rid=rid,
        max_width=_read_pixels(wish, "maxWidth"),
        max_height=_read_pixels(wish, "maxHeight"),
    )


def _read_pixels(wish: dict[str, Any], name: str) -> int | None:
    value = wish.get(name)
    if value is None:
        return None
    # JSON's true would be an int in Python.
    if type(value) is not int or value < 1:
        raise _wrong_layer(f"{name} must be a whole number of pixels, at least 1.")
    return value


def _wrong_layer(detail: str) -> Problem:
    return Problem(422, "No such layer", detail, section=_LAYER_SECTION)
