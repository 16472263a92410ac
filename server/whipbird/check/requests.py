"""The requests to a WHIP endpoint and to its sessions."""

import asyncio
import ipaddress
from dataclasses import dataclass

from aiohttp import hdrs
from yarl import URL

from .exchange import UNSUPPORTED, Exchange, Fields, Http, location_of
from .session import OpenSession

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

# The origin of the requests, as if from a page.
ORIGIN = "https://studio.example"

MAX_REDIRECTIONS = 5

# Statuses that mean that there is no resource at a URL.
GONE = (404, 410)

# Seconds between two checks whether a session is gone.
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a test.

    Attributes:
        token: the Bearer token; None if the endpoint needs none.
        timeout: seconds to wait for each response and connection.
        flood: whether to try the rate limits.
        consent_limit: seconds within which a server must notice that a client has
            vanished: 30 (RFC 7675 section 5.1), plus some for the server to act.
        fingerprint: the SHA-256 digest of the only certificate to accept.
    """

    token: str | None = None
    timeout: float = 10.0
    flood: bool = False
    consent_limit: float = 45.0
    fingerprint: bytes | None = None


class Requests:
    """Requests to one endpoint.

    Attributes:
        url: the URL of the endpoint, as given.
        options: the options of the test.
        http: sends the requests.
        redirections: the responses that redirected a POST.
        exclusive: whether the endpoint has only one session at a time; then every POST
            ends the session before, and rules must be tried one by one.
    """

    def __init__(self, url: URL, options: Options) -> None:
        self.url = url
        self.options = options
        self.http = Http(options.token, options.timeout, options.fingerprint)
        self.redirections: list[Exchange] = []
        self.exclusive = False

    async def request(
        self,
        method: str,
        url: URL | None = None,
        *,
        body: bytes = b"",
        headers: Fields | None = None,
        authorized: bool = True,
    ) -> Exchange:
        """Send a request, by default to the endpoint (see ``Http.request``)."""
        return await self.http.request(
            method, url or self.url, body=body, headers=headers, authorized=authorized
        )

    async def post(
        self,
        body: bytes,
        *,
        content_type: str = SDP,
        headers: Fields | None = None,
        authorized: bool = True,
    ) -> Exchange:
        """POST to the endpoint, following redirections."""
        if self.exclusive:
            await self.http.end_sessions()
        url = self.url
        fields = {str(name): value for name, value in (headers or {}).items()}
        fields.setdefault(hdrs.CONTENT_TYPE, content_type)
        fields.setdefault(hdrs.ORIGIN, ORIGIN)
        for _ in range(MAX_REDIRECTIONS):
            exchange = await self.http.request(
                "POST",
                url,
                body=body,
                headers=fields,
                authorized=authorized,
            )
            if exchange.status not in (301, 302, 307, 308):
                break
            self.redirections.append(exchange)
            target = location_of(exchange)
            if target is None:
                break
            url = target
        return exchange

    async def patch(
        self,
        session: OpenSession,
        body: bytes,
        *,
        if_match: str | None = "",
        content_type: str = SDP_FRAGMENT,
        authorized: bool = True,
    ) -> Exchange:
        """PATCH a session.

        Args:
            if_match: the value of If-Match; by default the session's entity tag, or
                ``*`` if it has none; None to send no such field.
        """
        headers = {hdrs.CONTENT_TYPE: content_type}
        if if_match is not None:
            headers[hdrs.IF_MATCH] = if_match or session.etag or "*"
        return await self.request(
            "PATCH", session.url, body=body, headers=headers, authorized=authorized
        )

    async def preflight(self, fields: str, url: URL | None = None) -> Exchange:
        """Send a CORS preflight as a browser does, without a token.

        Args:
            fields: the names of the header fields to request.
        """
        method = "POST" if url is None else "PATCH"
        headers = {
            hdrs.ORIGIN: ORIGIN,
            hdrs.ACCESS_CONTROL_REQUEST_METHOD: method,
            hdrs.ACCESS_CONTROL_REQUEST_HEADERS: fields,
        }
        return await self.request("OPTIONS", url, headers=headers, authorized=False)

    async def is_gone(self, session: OpenSession) -> bool | None:
        """Whether the session has ended: whether its URL has no resource.

        It is checked with GET, or with a PATCH without effect if GET is not
        implemented; None if neither is.
        """
        exchange = await self.request("GET", session.url)
        if exchange.status in UNSUPPORTED:
            exchange = await self.patch(session, session.fragment(), if_match='"-"')
            if exchange.status in UNSUPPORTED:
                return None
        return exchange.status in GONE

    async def goes(self, session: OpenSession, limit: float) -> bool:
        """Whether the session ends within some seconds.

        If neither GET nor PATCH is implemented, a final DELETE is used to check.
        """
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + limit, SHORTEST_PAUSE
        while not (gone := await self.is_gone(session)) and loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        if gone is None:
            return (await self.request("DELETE", session.url)).status in GONE
        return gone


def is_loopback(url: URL) -> bool:
    """Whether the host of a URL is a loopback address or name."""
    host = url.host or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
