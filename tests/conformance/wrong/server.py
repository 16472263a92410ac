"""A wrong server: a right one, and in front of it a proxy that spoils one thing.

Media goes directly to the right server, so everything but the fault is real.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from pydantic import SecretStr
from yarl import URL

from whipbird.app import create_app
from whipbird.check import WHIP, Protocol
from whipbird.config import Settings
from whipbird.sdp.link import IceServer

TOKEN = "right-token"

# Header fields of the connection to the proxy, which are not forwarded.
_HOP_BY_HOP = ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Date")


@dataclass
class Asked:
    """A request; a fault may change it before the right server gets it."""

    method: str
    path: str
    headers: CIMultiDict[str]
    body: str

    @property
    def is_session(self) -> bool:
        """Whether it is about a session, not about the endpoint."""
        return self.path.count("/") > 2

    @property
    def is_preflight(self) -> bool:
        return hdrs.ACCESS_CONTROL_REQUEST_METHOD in self.headers


@dataclass
class Reply:
    """A response; a fault may change it before the client gets it."""

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: str = ""
    # Sent instead, as it is; then the connection is closed.
    octets: bytes | None = None

    @classmethod
    def refusal(cls, status: int) -> "Reply":
        """A response that says nothing but its status."""
        return cls(status)


# Names of streams, since some faults keep publishers from leaving.
LEAVES_PUBLISHERS: dict[str, Any] = {"takeover": True}


class Fault:
    """A fault of a server.

    A fault overrides one of ``request``, ``response`` and ``handle``.

    Attributes:
        breaks: the rules that a server like this breaks, all of them.
        tries: the rules and sections to try; by default those of ``breaks``.
        absent: rules that find nothing to try because of it.
        settings: how the right server differs from the usual one.
        protocol: of the endpoint.
    """

    breaks: ClassVar[tuple[str, ...]] = ()
    tries: ClassVar[tuple[str, ...]] = ()
    absent: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[dict[str, Any]] = {}
    protocol: ClassVar[Protocol] = WHIP

    def __init_subclass__(cls) -> None:
        # Those of a single test are not for all.
        if cls.__module__.startswith(__package__) and not cls.__name__.startswith("_"):
            faults = FAULTS if cls.protocol is WHIP else WHEP_FAULTS
            faults[cls.__name__] = cls

    def __init__(self, upstream: URL, http: aiohttp.ClientSession) -> None:
        self.upstream = upstream
        self._http = http

    async def handle(self, asked: Asked) -> Reply:
        """Answer a request."""
        refused = self.request(asked)
        if refused is not None:
            return refused
        reply = await self.forward(asked)
        self.response(asked, reply)
        return reply

    def request(self, asked: Asked) -> Reply | None:
        """Change a request, or refuse it."""
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        """Change a response."""

    async def forward(self, asked: Asked) -> Reply:
        """The response of the correct server."""
        async with self._http.request(
            asked.method,
            self.upstream.join(URL(asked.path)),
            headers=asked.headers,
            data=asked.body.encode(errors="surrogateescape") or None,
            allow_redirects=False,
            skip_auto_headers=[hdrs.CONTENT_TYPE],
        ) as response:
            headers = CIMultiDict(response.headers)
            if hdrs.LOCATION in headers:
                # Faults know sessions by their paths.
                location = response.url.join(URL(headers[hdrs.LOCATION]))
                headers[hdrs.LOCATION] = location.path
            for name in _HOP_BY_HOP:
                headers.popall(name, None)
            return Reply(response.status, headers, await response.text())

    async def serve(self, request: web.Request) -> web.Response:
        """The handler of the proxy."""
        headers = CIMultiDict(request.headers)
        for name in _HOP_BY_HOP:
            headers.popall(name, None)
        body = (await request.read()).decode(errors="surrogateescape")
        asked = Asked(request.method, request.path, headers, body)
        reply = await self.handle(asked)
        if reply.octets is not None:
            assert request.transport is not None
            request.transport.write(reply.octets)
            request.transport.close()
        return web.Response(
            status=reply.status,
            headers=reply.headers,
            body=reply.body.encode(errors="surrogateescape"),
        )


FAULTS: dict[str, type[Fault]] = {}
WHEP_FAULTS: dict[str, type[Fault]] = {}


@asynccontextmanager
async def serving(fault: type[Fault]) -> AsyncIterator[URL]:
    """Run a server with a fault, and yield the URL of an endpoint of it."""
    settings = Settings(
        **{
            "token": SecretStr(TOKEN),
            "ice_servers": (IceServer("stun:stun.example.net"),),
            **fault.settings,
        }
    )
    async with (
        TestServer(create_app(settings)) as right,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", fault(right.make_url("/"), http).serve)
        async with TestServer(app) as wrong:
            yield wrong.make_url(f"/{fault.protocol.name.lower()}/live")
