"""Faults in reading requests: content types, garbage, overlapping ones."""

import asyncio

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .server import Asked, Fault, Reply

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"


class GarbageIs500(Fault):
    """Unparsable bodies make the server fail."""

    breaks = ("post-malformed", "patch-malformed")
    tries = ("4.2", "4.3.1")

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 400 and not asked.body.startswith("a=ice-ufrag"):
            reply.status = 500


class GarbagePatchIsTaken(Fault):
    """A PATCH that cannot be parsed succeeds."""

    breaks = ("patch-malformed",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "PATCH" and reply.status == 400:
            reply.status = 204


class AnyContentType(Fault):
    """Content types are not looked at."""

    breaks = ("post-other-type", "patch-other-type")
    tries = ("4.2", "4.3.1")

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "POST":
            asked.headers[hdrs.CONTENT_TYPE] = SDP
        elif asked.method == "PATCH":
            asked.headers[hdrs.CONTENT_TYPE] = SDP_FRAGMENT
        return None


class OnePatchAtATime(Fault):
    """A PATCH that comes while another one is under way is refused."""

    breaks = ("patch-overlap",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._busy: set[str] = set()

    async def handle(self, asked: Asked) -> Reply:
        if asked.method != "PATCH":
            return await super().handle(asked)
        if asked.path in self._busy:
            return Reply(409)
        self._busy.add(asked.path)
        try:
            await asyncio.sleep(0.05)
            return await super().handle(asked)
        finally:
            self._busy.discard(asked.path)


class TcpCandidatesAreRefused(Fault):
    """A candidate of another transport makes the whole PATCH fail."""

    breaks = ("trickle-unusable",)

    def request(self, asked: Asked) -> Reply | None:
        return Reply(400) if asked.method == "PATCH" and " tcp " in asked.body else None


class NamesAreLookedUp(Fault):
    """Names of candidates are resolved before the PATCH is answered."""

    breaks = ("trickle-unusable",)

    async def handle(self, asked: Asked) -> Reply:
        if asked.method == "PATCH" and ".local " in asked.body:
            await asyncio.sleep(12)
        return await super().handle(asked)


class UnusableCandidatesSpoilTheRest(Fault):
    """One unusable candidate, and the others of the PATCH are forgotten."""

    breaks = ("trickle-unusable",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH" and " tcp " in asked.body:
            asked.body = _without(asked.body, "a=candidate")
        return None


class CandidatesAreForgotten(Fault):
    """PATCH says 204, and does nothing."""

    breaks = ("trickle-used",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH":
            asked.body = _without(asked.body, "a=candidate")
        return None


class CredentialsOfMediaOnly(Fault):
    """ICE credentials at session level are not found."""

    breaks = ("trickle-forms",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH":
            session, _, _ = asked.body.partition("m=")
            if "a=ice-ufrag" in session and "m=" in asked.body:
                return Reply(400)
        return None


class OffersNeedCandidates(Fault):
    """An offer without candidates is refused."""

    breaks = ("offer-no-candidates",)

    def request(self, asked: Asked) -> Reply | None:
        without = "a=candidate" not in asked.body
        return Reply(422) if asked.method == "POST" and without else None


class TrickleIs200(Fault):
    """New candidates are answered with 200 and a body."""

    breaks = ("trickle-204",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "PATCH" and reply.status == 204:
            reply.status, reply.body = 200, "OK"


class TrickleHasETag(Fault):
    """New candidates get an ETag."""

    breaks = ("trickle-no-etag",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.method == "PATCH" and reply.status == 204:
            reply.headers[hdrs.ETAG] = '"1"'


def _without(body: str, prefix: str) -> str:
    lines = body.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(prefix))
