"""Faults of WHEP endpoints, and of their events and layers."""

import re

import aiohttp
from aiohttp import hdrs
from yarl import URL

from whipbird.check import WHEP

from .server import Asked, Fault, Reply


class _Watched(Fault):
    """A WHEP endpoint."""

    protocol = WHEP


class HeadIsRefused(_Watched):
    """HEAD is not allowed, which players find the endpoint by."""

    breaks = ("head-type",)
    tries = ("4.1", "4.2")

    def request(self, asked: Asked) -> Reply | None:
        return Reply(405) if asked.method == "HEAD" else None


class HeadHasNoType(_Watched):
    """HEAD has no Content-Type, and GET has."""

    breaks = ("head-type", "head-as-get")
    tries = ("4.1", "4.2")

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "HEAD":
            reply.headers[hdrs.CONTENT_TYPE] = "text/plain"


class GetHasAnotherType(_Watched):
    """GET has another Content-Type than HEAD."""

    breaks = ("head-as-get",)
    tries = ("4.1", "4.2")

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "GET":
            reply.headers[hdrs.CONTENT_TYPE] = "text/plain"


class _Answers(_Watched):
    """A server with a fault in its answers."""

    tries = ("4.3.1", "4.3.5", "4.6")

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201 and not asked.path.endswith("/sse"):
            reply.body = self.answer(reply.body)

    def answer(self, text: str) -> str:
        raise NotImplementedError


class AnswerIsSendrecv(_Answers):
    """The answer wants to receive as well."""

    breaks = ("answer-sendonly",)

    def answer(self, text: str) -> str:
        return text.replace("a=sendonly", "a=sendrecv")


class AnswerHasTwoStreams(_Answers):
    """Each section has a MediaStream of its own."""

    breaks = ("answer-one-stream",)

    def answer(self, text: str) -> str:
        streams = iter(range(9))
        return re.sub(r"a=msid:\S+", lambda _: f"a=msid:{next(streams)}", text)


class AnswerHasNoStream(_Answers):
    """The answer has no msid."""

    breaks = ("answer-one-stream",)

    def answer(self, text: str) -> str:
        return re.sub(r"a=msid:.*\r\n", "", text)


class _Extended(_Watched):
    """A server with a fault in its events or layers."""

    tries = ("events", "layers", "4.10")


class EventsHaveNoLocation(_Extended):
    """A stream of events is opened, and nobody is told where."""

    breaks = ("events-201",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "POST" and asked.path.endswith("/sse"):
            reply.headers.popall(hdrs.LOCATION, None)


class EventsAre200(_Extended):
    """A stream of events is opened with 200."""

    breaks = ("events-201",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.path.endswith("/sse") and reply.status == 201:
            reply.status = 200


class AnyEventIsTaken(_Extended):
    """Types of events that nobody knows are left out silently."""

    breaks = ("events-unknown-400",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.path.endswith("/sse"):
            asked.body = re.sub(r', "whipbird-check[^"]*"', "", asked.body)
        return None


class EndedEventsAreNoContent(_Extended):
    """GET of a stream of events that was deleted is answered with 204."""

    breaks = ("events-delete",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._deleted: set[str] = set()

    def response(self, asked: Asked, reply: Reply) -> None:
        if "/sse/" in asked.path and asked.method == "DELETE":
            self._deleted.add(asked.path)
        elif asked.path in self._deleted:
            reply.status = 204


class EventsOutliveTheirSession(_Extended):
    """GET of a stream of events is answered though its session has ended."""

    breaks = ("events-end",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._ended: list[str] = []

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "DELETE" and "/sse/" not in asked.path:
            self._ended.append(asked.path)
        elif asked.method == "GET" and asked.path.startswith(tuple(self._ended)):
            reply.status = 204


class LayersWithoutEvents(_Extended):
    """Layers can be chosen, and no events are announced."""

    breaks = ("layers-events",)
    absent = ("events-announced", "events-201")

    def response(self, asked: Asked, reply: Reply) -> None:
        links = reply.headers.popall("Link", [])
        for link in links:
            if "server-sent-events" not in link:
                reply.headers.add("Link", link)


class LayersAreNoEvent(_Extended):
    """Layers can be chosen, but their list is not among the events."""

    breaks = ("layers-events",)

    def response(self, asked: Asked, reply: Reply) -> None:
        links = reply.headers.popall("Link", [])
        for link in links:
            reply.headers.add("Link", re.sub(r"\blayers\b,?", "", link))


class AutomaticLayerIsRefused(_Extended):
    """Whoever has no wish is refused."""

    breaks = ("layers-default",)

    def request(self, asked: Asked) -> Reply | None:
        return Reply(400) if asked.path.endswith("/layer") else None
