"""What operators see and end: the sessions, and the publishers of streams."""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from yarl import URL

from ..sdp.errors import quote
from ..sessions import EndReason, Session, SessionStats, SessionStore
from .problems import Problem, no_such_stream

PREFIX = "/api/sessions"

# Sessions on a page: by default, and at most.
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
# Characters of what is searched for, at most.
MAX_FIND = 200
_NUMBER = re.compile("[0-9]{1,6}", re.ASCII)

_NO_STORE = {"Cache-Control": "no-store"}


class OpenSessionsResource:
    """The handlers of ``/api/sessions`` and ``/api/sessions/{id}``.

    Its application must be mounted at ``PREFIX``. The ids are those of the log; with
    them alone, nobody can use the URL of a session.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_get("", self.all)
        app.router.add_get("/{id}", self.one)
        app.router.add_delete("/{id}", self.end)

    async def all(self, request: web.Request) -> web.Response:
        """Describe the open sessions, the newest first, one page of them."""
        page = read_page(request)
        found, total = self._store.newest(page.offset, page.limit, page.find.split())
        headers = dict(_NO_STORE)
        if (link := page.link_to_next(total)) is not None:
            headers["Link"] = link
        sessions = [_describe(session.stats) for session in found]
        return web.json_response(
            {"total": total, "sessions": sessions}, headers=headers
        )

    async def one(self, request: web.Request) -> web.Response:
        """Describe an open session."""
        session = self._find(request)
        return web.json_response(_describe(session.stats), headers=_NO_STORE)

    async def end(self, request: web.Request) -> web.Response:
        """End a session; its client is told."""
        await self._find(request).end(EndReason.ENDED_BY_OPERATOR)
        return web.Response(status=204)

    def _find(self, request: web.Request) -> Session:
        public_id = request.match_info["id"]
        session = self._store.find(public_id)
        if session is None:
            raise Problem(
                404,
                "No such session",
                f'There is no open session "{quote(public_id)}".',
            )
        return session


class PublisherResource:
    """The handler of ``/api/streams/{stream}/publisher``.

    Its route belongs to an application that is mounted at ``/api/streams``.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_delete("/{stream}/publisher", self.end)

    async def end(self, request: web.Request) -> web.Response:
        """End the session that publishes the stream; its client is told."""
        name = request.match_info["stream"]
        session, stream = self._store.publisher_of(name), self._store.streams.get(name)
        if session is None and stream is not None:
            raise Problem(
                409,
                "Not published by a client",
                f"The stream {name} comes from another server."
                if stream.is_pulled
                else f"An application of this server publishes the stream {name}.",
            )
        if session is None:
            raise no_such_stream()
        await session.end(EndReason.ENDED_BY_OPERATOR)
        return web.Response(status=204)


@dataclass(frozen=True, slots=True)
class Page:
    """Which sessions a request asks for.

    Attributes:
        limit: how many of them, at most.
        offset: how many are passed over before.
        find: words that each of them has (see ``Session.has``); empty: all sessions.
    """

    limit: int
    offset: int
    find: str

    def query(self, limit: int, offset: int) -> str:
        """The query for others of the same sessions, encoded."""
        query: dict[str, str | int] = {"limit": limit, "offset": offset}
        if self.find:
            query["find"] = self.find
        return URL.build(query=query).raw_query_string

    def link_to_next(self, total: int) -> str | None:
        """The ``Link`` to the next page (RFC 8288); None if this is the last one."""
        end = self.offset + self.limit
        if end >= total:
            return None
        return f'<?{self.query(self.limit, end)}>; rel="next"'


def read_page(request: web.Request) -> Page:
    """Read which sessions are asked for.

    Raises:
        Problem: when the numbers are none, or the words too long.
    """
    find = request.query.get("find", "")
    if len(find) > MAX_FIND:
        raise Problem(
            400,
            "Invalid find",
            f"At most {MAX_FIND} characters can be searched for, not {len(find)}.",
        )
    limit = _read_number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Page(limit, _read_number(request, "offset", 0, 0, 999_999), find)


def _read_number(
    request: web.Request, name: str, default: int, least: int, most: int
) -> int:
    """A number in the query.

    Raises:
        Problem: when it is not one, or not in the range.
    """
    value = request.query.get(name, str(default))
    if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
        raise Problem(
            400,
            f"Invalid {name}",
            f'The {name} is a number from {least} to {most}, not "{quote(value)}".',
        )
    return int(value)


def _describe(stats: SessionStats) -> dict[str, Any]:
    counts, address = stats.counts, stats.address
    return {
        "id": stats.id,
        "kind": stats.kind,
        "stream": stats.stream,
        "state": stats.state,
        "age": round(stats.age, 3),
        "client": stats.client,
        "address": None if address is None else address[0],
        "port": None if address is None else address[1],
        "candidate_type": stats.candidate_type,
        "round_trip": _rounded(stats.round_trip),
        "loss": _rounded(stats.loss),
        "setup": {step: _rounded(took) for step, took in stats.setup.items()},
        "octets_received": counts.octets_received,
        "octets_sent": counts.octets_sent,
        "messages_echoed": counts.messages,
        "chat_name": stats.chat_name,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
