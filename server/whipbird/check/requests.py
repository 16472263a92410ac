"""The requests to a WHIP endpoint and to its sessions."""

import ipaddress
from dataclasses import dataclass

from aiohttp import hdrs
from yarl import URL

from .exchange import Exchange, Fields, Http, location_of
from .protocol import WHIP, Protocol
from .session import OpenSession

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

# The origin of the requests, as if from a page.
ORIGIN = "https://studio.example"

MAX_REDIRECTIONS = 5


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
        protocol: what it speaks.
        url: the URL of the endpoint, as given.
        options: the options of the test.
        http: sends the requests.
        redirections: the responses that redirected a POST.
        exclusive: whether the endpoint has only one session at a time; then every POST
            ends the session before, and rules must be tried one by one.
        refuses_others: whether it then refuses a second one.
    """

    def __init__(self, url: URL, options: Options, protocol: Protocol = WHIP) -> None:
        self.url = url
        self.protocol = protocol
        self.options = options
        self.http = Http(options.token, options.timeout, options.fingerprint)
        self.redirections: list[Exchange] = []
        self.exclusive = False
        self.refuses_others = False

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
        ends_others: bool = True,
        timeout: float | None = None,
    ) -> Exchange:
        """POST to the endpoint, following redirections.

        Args:
            ends_others: whether to end the session before it, if there may be but one.
            timeout: a shorter timeout for each request, in seconds.
        """
        if self.exclusive and ends_others:
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
                timeout=timeout,
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


def is_loopback(url: URL) -> bool:
    """Whether the host of a URL is a loopback address or name."""
    host = url.host or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
