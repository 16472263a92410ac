"""Faults of redirections, load, ICE servers, extensions, authentication, limits."""

from typing import ClassVar

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .server import TOKEN, Asked, Fault, Reply


class _Redirects(Fault):
    """A server that redirects from one endpoint to another."""

    status = 0

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "POST" and asked.path == "/whip/live":
            reply = Reply(self.status)
            reply.headers[hdrs.LOCATION] = "/whip/node-7"
            return reply
        return None


class Redirects302(_Redirects):
    """A POST is redirected with 302."""

    status = 302
    breaks = ("redirect-301",)
    tries = ("4.5", "post-201", "post-connects")


class Redirects301(_Redirects):
    """A POST is redirected with 301."""

    status = 301
    breaks = ("redirect-301",)


class Redirects307(_Redirects):
    """A POST is redirected with 307, as it should be."""

    status = 307
    tries = ("4.5", "post-201", "post-connects")


class Busy(Fault):
    """The server is busy, twice."""

    tries = ("4.5", "post-201")
    retry_after = "0"

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        super().__init__(upstream, http)
        self._left = 2

    def request(self, asked: Asked) -> Reply | None:
        if asked.method != "POST" or not self._left:
            return None
        self._left -= 1
        reply = Reply(503)
        reply.headers[hdrs.RETRY_AFTER] = self.retry_after
        return reply


class WrongIceServer(Fault):
    """A TURN server without credentials."""

    breaks = ("ice-server-links",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.headers.add("Link", '<turn:turn.example.net>; rel="ice-server"')


class IceServerIsAPage(Fault):
    """An ICE server with an HTTP URL."""

    breaks = ("ice-server-links",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.headers.add("Link", '<https://stun.example.net>; rel="ice-server"')


class NoIceServers(Fault):
    """No ICE server is named: none need be."""

    tries = ("4.6",)
    absent = ("ice-servers", "ice-server-links", "options-ice-servers")
    settings: ClassVar = {"ice_servers": ()}


class IceServersForPreflights(Fault):
    """Preflights name the ICE servers."""

    breaks = ("preflight-ice-servers",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.is_preflight:
            reply.headers.add("Link", '<stun:stun.example.net>; rel="ice-server"')


class _Extension(Fault):
    link = ""

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.headers.add("Link", self.link)


class RightExtension(_Extension):
    """An extension is announced as it should be."""

    tries = ("4.9",)
    link = '</sse>; rel="urn:ietf:params:whip:ext:example:server-sent-events"'


class ExtensionOfAnotherName(_Extension):
    """The URN of an extension has another beginning."""

    breaks = ("extension-urns",)
    link = '</sse>; rel="urn:ietf:params:whip:whpp:core:server-sent-events"'


class ExtensionsShareALink(_Extension):
    """Two extensions are announced by one Link."""

    breaks = ("extension-links",)
    link = (
        '</sse>; rel="urn:ietf:params:whip:ext:example:a '
        'urn:ietf:params:whip:ext:example:b"'
    )


class ExtensionWithoutUrl(_Extension):
    """An extension whose target is not an HTTP URL."""

    breaks = ("extension-links",)
    link = '<mailto:who@example.net>; rel="urn:ietf:params:whip:ext:example:mail"'


class NoChallenge(Fault):
    """401 comes without WWW-Authenticate."""

    breaks = ("auth-http",)
    tries = ("4.7",)

    def response(self, asked: Asked, reply: Reply) -> None:
        reply.headers.popall(hdrs.WWW_AUTHENTICATE, None)


class NoTokenIs403(Fault):
    """Requests without a token get 403."""

    breaks = ("auth-http", "auth-bearer")
    tries = ("4.7",)
    absent = ("auth-session",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 401:
            reply.status = 403


class AnyToken(Fault):
    """Any token is good."""

    breaks = ("auth-bearer",)
    tries = ("4.7",)

    def request(self, asked: Asked) -> Reply | None:
        if hdrs.AUTHORIZATION in asked.headers:
            asked.headers[hdrs.AUTHORIZATION] = f"Bearer {TOKEN}"
        return None


class BasicChallenge(Fault):
    """The challenge is for another scheme."""

    breaks = ("auth-bearer",)
    tries = ("4.7",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if hdrs.WWW_AUTHENTICATE in reply.headers:
            reply.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="whipbird"'


class OpenSessions(Fault):
    """Sessions ask for no token, which they may."""

    tries = ("4.7",)
    absent = ("auth-session",)

    def request(self, asked: Asked) -> Reply | None:
        if asked.is_session:
            asked.headers[hdrs.AUTHORIZATION] = f"Bearer {TOKEN}"
        return None


class NoTokenNeeded(Fault):
    """No token is asked for."""

    tries = ("4.7",)
    absent = ("auth-http", "auth-bearer", "auth-required", "auth-preflight")
    settings: ClassVar = {"token": None}


class NoLimits(Fault):
    """Any number of requests is answered."""

    breaks = ("post-rate", "patch-rate", "delete-rate")
    settings: ClassVar = {"post_rate": 0, "patch_rate": 0, "delete_rate": 0}
