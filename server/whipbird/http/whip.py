"""The WHIP endpoint and its sessions (RFC 9725 section 4)."""

import asyncio
import re
import secrets

from aiohttp import hdrs, web

from ..sdp.errors import SdpError, quote
from ..sdp.fragment import parse_fragment
from ..sdp.offer import parse_offer
from ..sessions import (
    EndReason,
    RestartNotSupported,
    Session,
    SessionStore,
    Unavailable,
)
from .conditions import check_if_match
from .problems import Problem, expect

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

# Octets of a body; a browser's offer has about 8,000.
MAX_BODY_SIZE = 64 * 1024
# Seconds within which a body must have come.
BODY_TIMEOUT = 10.0

_STREAM = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_NAME_OCTETS = 9


class WhipResource:
    """The handlers of ``/whip``, of a stream's endpoint, and of a session.

    Args:
        store: where sessions are opened and found.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def add_to(self, app: web.Application) -> list[web.AbstractRoute]:
        """Add the routes to an application, and return them."""
        endpoint = {"GET": self.nothing, "HEAD": self.nothing, "POST": self.post}
        session = {
            "GET": self.session_nothing,
            "HEAD": self.session_nothing,
            "PATCH": self.patch,
            "DELETE": self.delete,
        }
        routes: list[web.AbstractRoute] = []
        for path, handlers in (
            ("/whip", endpoint),
            ("/whip/{stream}", endpoint),
            ("/whip/{stream}/{session}", session),
        ):
            resource = app.router.add_resource(path)
            for method, handler in handlers.items():
                routes.append(
                    resource.add_route(method, handler, expect_handler=expect)
                )
        app.on_response_prepare.append(self._announce)
        return routes

    async def nothing(self, request: web.Request) -> web.Response:
        """GET and HEAD of an endpoint: success, and no content (section 4.1)."""
        self._stream_of(request)
        return web.Response(status=204)

    async def session_nothing(self, request: web.Request) -> web.Response:
        """GET and HEAD of a session: success, and no content (section 4.1)."""
        self._session_of(request)
        return web.Response(status=204)

    async def post(self, request: web.Request) -> web.Response:
        """Open a session (section 4.2)."""
        stream = self._stream_of(request)
        text = await _read(request, SDP, section="RFC 9725 section 4.2")
        try:
            offer = parse_offer(text)
        except SdpError as error:
            raise Problem.of_sdp(error) from None
        try:
            session, answer = await self._store.open(
                stream, offer, request.remote or "-"
            )
        except Unavailable:
            raise Problem(
                503,
                "Unavailable",
                "The server is about to stop, or too busy; it opens no session now.",
                section="RFC 9725 section 4.5",
                headers={hdrs.RETRY_AFTER: "5"},
            ) from None
        return web.Response(
            status=201,
            body=answer.encode(),  # as text it would get a charset, which SDP has not
            content_type=SDP,
            headers={
                hdrs.LOCATION: f"/whip/{stream}/{session.id}",
                hdrs.ETAG: session.etag,
                "Accept-Patch": SDP_FRAGMENT,
            },
        )

    async def patch(self, request: web.Request) -> web.Response:
        """Take trickled candidates (section 4.3.2)."""
        session = self._session_of(request)
        text = await _read(request, SDP_FRAGMENT, section="RFC 9725 section 4.3.1")
        check_if_match(request, session.etag)
        try:
            session.trickle(parse_fragment(text))
        except SdpError as error:
            raise Problem.of_sdp(error) from None
        except RestartNotSupported:
            raise Problem(
                422,
                "ICE restart not supported",
                "The ICE credentials are not those of the session, which asks for an "
                "ICE restart; open a new session instead.",
                section="RFC 9725 section 4.3.1",
            ) from None
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        """End a session (section 4.2). Entity tags do not matter (section 4.3.1)."""
        session = self._session_of(request)
        await session.end(EndReason.DELETED)
        return web.Response(status=200)

    def _stream_of(self, request: web.Request) -> str:
        """The stream's name in the URL; a random one where it has none."""
        stream = request.match_info.get("stream")
        if stream is None:
            return secrets.token_urlsafe(_NAME_OCTETS)
        if not _STREAM.fullmatch(stream) or stream in (".", ".."):
            raise Problem(
                404,
                "Not a stream name",
                "A stream's name has 1 to 64 of the letters A-Z and a-z, digits, and "
                '". _ ~ -"; "." and ".." alone are none.',
            )
        return stream

    def _session_of(self, request: web.Request) -> Session:
        """The session that the URL names."""
        match = request.match_info
        session = self._store.get(match["stream"], match["session"])
        if session is None:
            raise Problem(
                404,
                "No such session",
                "There is no session at this address: it has ended, or never was.",
                section="RFC 9725 section 4.2",
            )
        return session

    async def _announce(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        """Say on every OPTIONS what may be sent (section 4.2)."""
        if request.method != hdrs.METH_OPTIONS or response.status != 200:
            return
        if "session" in request.match_info:
            response.headers["Accept-Patch"] = SDP_FRAGMENT
        elif request.path == "/whip" or "stream" in request.match_info:
            response.headers["Accept-Post"] = SDP


async def _read(request: web.Request, content_type: str, *, section: str) -> str:
    """Read a body that must be of one type.

    Raises:
        Problem: 415 for another type, 408 when it does not come, 400 when it is not
            UTF-8. (413 comes from aiohttp.)
    """
    if hdrs.CONTENT_TYPE not in request.headers or request.content_type != content_type:
        raise Problem(
            415,
            "Unsupported media type",
            f"The Content-Type header must be {content_type}, not "
            f'"{quote(request.headers.get(hdrs.CONTENT_TYPE, ""))}".',
            section=section,
            headers={
                "Accept-Patch"
                if request.method == "PATCH"
                else "Accept-Post": content_type
            },
        )
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if coding.lower() != "identity":
        raise Problem(
            415,
            "Unsupported content coding",
            f'The Content-Encoding "{quote(coding)}" is not supported; send the body '
            "as it is.",
            section="RFC 9110 section 15.5.16",
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        )
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            body = await request.read()
    except TimeoutError:
        raise Problem(
            408,
            "Request timeout",
            f"The body has not come within {BODY_TIMEOUT:.0f} seconds.",
            section="RFC 9110 section 15.5.9",
        ) from None
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Problem(
            400,
            "Not UTF-8",
            f"The body is not UTF-8 at octet {error.start}.",
            section="RFC 8866 section 5",
        ) from None
