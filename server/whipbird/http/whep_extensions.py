"""Extensions of WHEP: server-sent events, and the choice of a layer.

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

EVENTS_RELATION = "urn:ietf:params:whep:ext:core:server-sent-events"
LAYER_RELATION = "urn:ietf:params:whep:ext:core:layer"
EVENT_STREAM = "text/event-stream"

# Seconds after which something is sent, so that a client that has gone is noticed.
HEARTBEAT = 15.0
# ... and within which it must have been taken.
WRITE_TIMEOUT = 10.0

_EVENTS_SECTION = "draft-ietf-wish-whep, Server Sent Events extension"
_LAYER_SECTION = "draft-ietf-wish-whep, Video Layer Selection extension"

# What may be asked of a layer; a session has no say in the others.
_LAYER_MEMBERS = ("mediaId", "rid", "maxWidth", "maxHeight")
_SVC_MEMBERS = (
    "spatialLayerId",
    "temporalLayerId",
    "maxSpatialLayerId",
    "maxTemporalLayerId",
)


def knows_event_stream(request: web.Request) -> bool:
    """Whether the events that a request asks for have a name that is a secret.

    Browsers' ``EventSource`` cannot send a token.
    """
    return request.method == hdrs.METH_GET and "events" in request.match_info


class WhepExtensions:
    """The handlers of what is below a viewer's session.

    Args:
        store: where sessions are found.
        session_of: finds the session that a request's URL names.
    """

    def __init__(
        self, store: SessionStore, session_of: Callable[[web.Request], Session]
    ) -> None:
        self._store = store
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
        return [
            layer.add_route("POST", self.choose_layer, expect_handler=expect),
            events.add_route("POST", self.open_events, expect_handler=expect),
            stream.add_route("GET", self.send_events, expect_handler=expect),
            stream.add_route("DELETE", self.close_events, expect_handler=expect),
        ]

    @staticmethod
    def links(session_path: str) -> list[str]:
        """The Link fields of the response that opens a session.

        Args:
            session_path: of the session's URL.
        """
        types = ",".join(EVENT_TYPES)
        return [
            f'<{session_path}/sse>; rel="{EVENTS_RELATION}"; events="{types}"',
            f'<{session_path}/layer>; rel="{LAYER_RELATION}"',
        ]

    async def choose_layer(self, request: web.Request) -> web.Response:
        """Send another layer, or leave the choice to the server again."""
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
        """Make a stream of events."""
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
                "This session has as many event streams as it may have; delete one.",
            ) from None
        self._store.audiences.update_viewer(session.stream, viewer)
        return web.Response(
            status=201, headers={hdrs.LOCATION: f"{request.path}/{name}"}
        )

    async def send_events(self, request: web.Request) -> web.StreamResponse:
        """Send events as they come, until either side has enough."""
        events = self._events_of(request)
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: EVENT_STREAM,
                hdrs.CACHE_CONTROL: "no-store",
                # nginx would keep them back.
                "X-Accel-Buffering": "no",
            }
        )
        turn = events.begin()
        await response.prepare(request)
        # The client may have gone, or read no more.
        with contextlib.suppress(ConnectionError, TimeoutError):
            while (text := await _next(events, turn)) is not None:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await response.write(text)
        return response

    async def close_events(self, request: web.Request) -> web.Response:
        """End a stream of events."""
        self._events_of(request)
        viewer = self._store.viewer(self._session_of(request))
        viewer.close_events(request.match_info["events"])
        return web.Response()

    def _events_of(self, request: web.Request) -> EventStream:
        viewer = self._store.viewer(self._session_of(request))
        events = viewer.event_streams.get(request.match_info["events"])
        if events is None:
            raise Problem(
                404,
                "No such event stream",
                "There is no event stream at this address: it was deleted, or never "
                "was.",
                section=_EVENTS_SECTION,
            )
        return events


async def _next(events: EventStream, turn: int) -> bytes | None:
    """What is to be sent next; None for nothing any more."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            event = await events.next(turn)
    except TimeoutError:
        return b":\n\n"
    return None if event is None else _write(event)


def _write(event: Event) -> bytes:
    # JSON has no line breaks of its own: it is one line of data, as it must be.
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
                f"{name}: layers within an encoding cannot be chosen here, only those "
                "of a simulcast, by rid, maxWidth or maxHeight."
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
    # Of JSON's true, Python thinks that it is a number.
    if type(value) is not int or value < 1:
        raise _wrong_layer(f"{name} must be a whole number of pixels, 1 at least.")
    return value


def _wrong_layer(detail: str) -> Problem:
    return Problem(422, "No such layer", detail, section=_LAYER_SECTION)
