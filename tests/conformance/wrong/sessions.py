"""Faults of the 201 response and of DELETE."""

from typing import ClassVar

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .server import LEAVES_PUBLISHERS, Asked, Fault, Reply


class CreatedIs200(Fault):
    """A session is answered with 200."""

    breaks = ("post-201",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.status = 200


class AnswerIsText(Fault):
    """The answer is text/plain."""

    breaks = ("post-type",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.headers[hdrs.CONTENT_TYPE] = "text/plain"


class NoLocation(Fault):
    """The 201 response has no Location."""

    breaks = ("post-location",)
    settings = LEAVES_PUBLISHERS

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.LOCATION, None)


class LocationIsTheEndpoint(Fault):
    """The Location is the URL that was posted to."""

    breaks = ("post-location",)
    tries = ("post-location", "post-201")

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.headers[hdrs.LOCATION] = asked.path


class CountedSessions(Fault):
    """Sessions have numbers for names."""

    breaks = ("session-urls",)
    tries = ("4.1", "session-urls", "delete-200")

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._real: dict[str, str] = {}

    def request(self, asked: Asked) -> Reply | None:
        asked.path = self._real.get(asked.path, asked.path)
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            name = f"/whip/live/{1000 + len(self._real)}"
            self._real[name] = reply.headers[hdrs.LOCATION]
            reply.headers[hdrs.LOCATION] = name


class TimestampedSessions(CountedSessions):
    """Sessions have a long name, which hardly differs from one to the next."""

    breaks = ("session-urls",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            name = f"/whip/live/a7c1f09e4b5d{len(self._real):020x}"
            self._real[name] = reply.headers[hdrs.LOCATION]
            reply.headers[hdrs.LOCATION] = name


class DeleteIs204(Fault):
    """DELETE is answered with 204."""

    breaks = ("delete-200",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "DELETE" and reply.status == 200:
            reply.status = 204


class DeleteDoesNothing(Fault):
    """DELETE is answered with 200, and the session goes on."""

    breaks = ("delete-removes", "delete-ends-ice", "delete-revokes")
    settings = LEAVES_PUBLISHERS

    def request(self, asked: Asked) -> Reply | None:
        return Reply(200) if asked.method == "DELETE" else None


class DeadSessionsAnswer(Fault):
    """The URL of a session answers GET for ever; PATCH tells that it has ended."""

    breaks = ("delete-removes",)
    tries = ("4.2",)

    def request(self, asked: Asked) -> Reply | None:
        return Reply(204) if asked.method in ("GET", "HEAD") else None


class OnlyDeleteEndsSessions(Fault):
    """The URL of a session names it until it is deleted, whatever becomes of DTLS."""

    breaks = ("dtls-close",)
    tries = ("4.2",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._open: set[str] = set()

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            self._open.add(reply.headers[hdrs.LOCATION])
        elif asked.method == "DELETE":
            self._open.discard(asked.path)
        elif asked.method == "GET" and asked.path in self._open:
            reply.status, reply.body = 204, ""


class OnePublisher(Fault):
    """A second session of the stream is refused while there is one: a right server."""

    tries: ClassVar[tuple[str, ...]] = ("4", "5")

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self.current: Asked | None = None

    async def handle(self, asked: Asked) -> Reply:
        if asked.method == "POST" and await self.is_taken():
            return Reply(409)
        reply = await super().handle(asked)
        if reply.status == 201:
            self.current = Asked("GET", reply.headers[hdrs.LOCATION], asked.headers, "")
        return reply

    async def is_taken(self) -> bool:
        """Whether the last session still is."""
        if self.current is None:
            return False
        return (await self.forward(self.current)).status == 204


class NewestPublisher(OnePublisher):
    """A second session of the stream ends the one before: a right server."""

    async def is_taken(self) -> bool:
        if self.current is not None:
            path, headers = self.current.path, self.current.headers
            await self.forward(Asked("DELETE", path, headers, ""))
        return False
