"""Faults of ICE restarts."""

import re
import secrets

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .server import Asked, Fault, Reply


class _Restarts(Fault):
    """A server that answers restarts in a wrong way."""

    tries = ("4.3.3",)

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self.etags: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.offers: dict[str, str] = {}

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            location = reply.headers[hdrs.LOCATION]
            self.etags[location] = reply.headers[hdrs.ETAG]
            self.answers[location] = reply.body
            self.offers[location] = asked.body
        elif asked.method == "PATCH" and reply.status == 200:
            self.restarted(asked, reply)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        """Change the response to a restart."""


class RestartIs204(_Restarts):
    """A restart is answered with 204."""

    breaks = ("restart-200",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.status, reply.body = 204, ""


class RestartIsJson(_Restarts):
    """The answer to a restart is of another type."""

    breaks = ("restart-type",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.headers[hdrs.CONTENT_TYPE] = "application/sdp"


class OldCredentials(_Restarts):
    """The answer to a restart has the credentials of before."""

    breaks = ("restart-credentials",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        for name in ("ice-ufrag", "ice-pwd"):
            old = re.search(rf"a={name}:(\S+)", self.answers[asked.path])
            assert old is not None
            reply.body = re.sub(rf"a={name}:\S+", old[0], reply.body)


class OldETag(_Restarts):
    """The answer to a restart has the ETag of before."""

    breaks = ("restart-etag",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.headers[hdrs.ETAG] = self.etags[asked.path]


class NoNewETag(_Restarts):
    """The answer to a restart has no ETag."""

    breaks = ("restart-etag",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.ETAG)


class OneMoreETag(_Restarts):
    """Every restart gives the same ETag."""

    breaks = ("restart-etag",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.headers.get(hdrs.IF_MATCH) == '"restarted"':
            asked.headers[hdrs.IF_MATCH] = "*"
        return None

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.headers[hdrs.ETAG] = '"restarted"'


class OldETagIsTaken(_Restarts):
    """After a restart the old ETag still counts."""

    breaks = ("restart-412",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.headers.get(hdrs.IF_MATCH) == self.etags.get(asked.path, ""):
            asked.headers[hdrs.IF_MATCH] = "*"
        return None


class RestartNeverConnects(_Restarts):
    """A restart is answered well, but its password is not the one that is used."""

    breaks = ("restart-connects",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        other = f"a=ice-pwd:{secrets.token_hex(12)}"
        reply.body = re.sub(r"a=ice-pwd:\S+", other, reply.body)


class RestartKillsTheSession(_Restarts):
    """A restart is answered well, and the session ends."""

    breaks = ("restart-connects", "restart-media")

    async def handle(self, asked: Asked) -> Reply:
        reply = await super().handle(asked)
        if asked.method == "PATCH" and reply.status == 200:
            await self.forward(Asked("DELETE", asked.path, asked.headers, ""))
        return reply


class RefusedRestartKillsTheSession(_Restarts):
    """A restart that cannot be had ends the session."""

    breaks = ("restart-refused-stays",)

    async def handle(self, asked: Asked) -> Reply:
        reply = await super().handle(asked)
        if asked.method == "PATCH" and reply.status in (400, 422):
            await self.forward(Asked("DELETE", asked.path, asked.headers, ""))
        return reply


class UnsupportedRestartKillsTheSession(_Restarts):
    """Restarts are not supported, and end the session."""

    breaks = ("restart-refused-stays",)

    async def handle(self, asked: Asked) -> Reply:
        if asked.method == "PATCH" and asked.headers.get(hdrs.IF_MATCH) == "*":
            await self.forward(Asked("DELETE", asked.path, asked.headers, ""))
            return Reply(422)
        return await super().handle(asked)


class WrongRestartIsTaken(_Restarts):
    """A restart with half of the credentials is answered with success."""

    breaks = ("restart-refused",)

    async def handle(self, asked: Asked) -> Reply:
        reply = await super().handle(asked)
        if asked.method == "PATCH" and reply.status == 400:
            return Reply(204)
        return reply


class NoIceOptions(_Restarts):
    """The answer to a restart has no ICE options."""

    breaks = ("restart-attributes",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.body = re.sub(r"a=ice-options.*\r\n", "", reply.body)


class OldCandidatesStay(_Restarts):
    """A restart leaves the candidates of before among the new ones."""

    breaks = ("restart-replaces",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH" and asked.headers.get(hdrs.IF_MATCH) == "*":
            offer = self.offers[asked.path]
            asked.body += "".join(re.findall(r"a=candidate.*\r\n", offer))
        return None


class NewCandidatesAreForgotten(_Restarts):
    """A restart keeps the candidates of before, and takes no other."""

    breaks = ("restart-replaces",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "PATCH" and asked.headers.get(hdrs.IF_MATCH) == "*":
            asked.body = re.sub(r"a=candidate.*\r\n", "", asked.body)
        return None


class NoCandidatesOnRestart(_Restarts):
    """The answer to a restart has no candidates: those of the answer stay."""

    absent = ("restart-candidates",)

    def restarted(self, asked: Asked, reply: Reply) -> None:
        reply.body = re.sub(r"a=candidate.*\r\n", "", reply.body)
