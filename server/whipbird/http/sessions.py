"""The common base of the WHIP and WHEP resources (RFC 9725 section 4).

WHEP's rules for them are those of WHIP, except for the media (its sections 4.1, 4.5 and
4.6).
"""

import secrets
from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..net.shard import Shard
from ..rights import Action
from ..sdp.errors import SdpError
from ..sdp.fragment import parse_fragment
from ..sdp.offer import Offer, parse_offer
from ..sdp.role import Role
from ..sessions import (
    EndReason,
    Full,
    OutdatedIce,
    Session,
    SessionStore,
    Unavailable,
    may_be_id,
    short_id,
)
from .auth import GRANT, not_owned
from .body import read_body
from .clients import client_of
from .conditions import check_if_match
from .cors import is_preflight
from .delivery import SessionResponse, is_gone
from .ice_servers import IceServers
from .lenient_paths import LenientPaths
from .limits import charge
from .problems import Problem, expect
from .references import reference
from .stream_names import check_stream_names, not_a_stream_name
from .turns import Turns

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

SESSION_PATH = "/{stream}/{session}"

_NAME_OCTETS = 9

# As how many PATCH requests an ICE restart counts beside itself, by what it costs.
RESTART_COST = 19

# Seconds after which a client may retry a refused POST.
_RETRY_AFTER = "5"


class SessionsResource:
    """The handlers of endpoints and of their sessions.

    Args:
        store: the store of sessions.
        ice_servers: the ICE servers to announce to clients.
        shard: which worker this is; None if there are no others.

    Attributes:
        prefix: the path prefix of the resources.
        endpoints: the paths of endpoints below the prefix.
        role: the role of clients that send offers.
    """

    prefix: str
    endpoints: tuple[str, ...] = ("/{stream}",)
    role: Role

    def __init__(
        self,
        store: SessionStore,
        ice_servers: IceServers | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._shard = shard
        self._store = store
        self._ice_servers = ice_servers or IceServers()
        self._turns = Turns()

    def add_to(self, app: web.Application) -> list[web.AbstractRoute]:
        """Add the routes to an application that is mounted at the prefix.

        Returns:
            The routes.
        """
        endpoint = {"GET": self.nothing, "HEAD": self.nothing, "POST": self.post}
        session = {
            "GET": self.session_nothing,
            "HEAD": self.session_nothing,
            "PATCH": self.patch,
            "DELETE": self.delete,
        }
        routes: list[web.AbstractRoute] = []
        for path, handlers in (
            *((path, endpoint) for path in self.endpoints),
            (SESSION_PATH, session),
        ):
            # Users type a slash at the end, and libraries add one.
            for address in (f"{path}/", path):
                resource = app.router.add_resource(address)
                routes += [
                    resource.add_route(method, handler, expect_handler=expect)
                    for method, handler in handlers.items()
                ]
        # The last one is that of sessions, without a slash.
        self._session = resource
        app.router.register_resource(LenientPaths(app))
        app.middlewares.append(check_stream_names(lambda: self._root, self._has))
        app.middlewares.append(self._options)
        app.on_response_prepare.append(self._announce)
        return routes

    async def nothing(self, request: web.Request) -> web.Response:
        """GET and HEAD of an endpoint: success, and no content (section 4.1)."""
        self._stream_of(request)
        return web.Response(status=204)

    async def session_nothing(self, request: web.Request) -> web.Response:
        """GET and HEAD of a session: success, and no content (section 4.1)."""
        self.session_of(request)
        return web.Response(status=204)

    async def post(self, request: web.Request) -> web.Response:
        """Open a session (section 4.2)."""
        stream = self._stream_of(request)
        text = await read_body(request, SDP, section="RFC 9725 section 4.2")
        await self._turns.wait(client_of(request).address)
        try:
            offer = parse_offer(text, self.role)
        except SdpError as error:
            raise Problem.of_sdp(error) from None
        if is_gone(request):
            # It must not replace the publisher, which may be itself, trying again.
            raise Problem(408, "Client gone", "You have closed the connection.")
        try:
            session, answer = await self.open(request, stream, offer)
        except Unavailable as reason:
            raise _unavailable(reason) from None
        # Nobody else knows its id yet.
        session.owner = request[GRANT].name
        session.may_prompt = request[GRANT].has(Action.PROMPT)
        response = SessionResponse(
            session,
            body=answer.encode(),  # as text it would get a charset, which SDP has not
            content_type=SDP,
            headers={
                hdrs.LOCATION: reference(request, self.path_of(session)),
                hdrs.ETAG: session.etag,
                "Accept-Patch": SDP_FRAGMENT,
            },
        )
        self._add_links(response, short_id(session.id))
        for link in self.extensions(request, session):
            response.headers.add(hdrs.LINK, link)
        return response

    def extensions(self, request: web.Request, session: Session) -> Iterable[str]:
        """The Link fields of a session's protocol extensions (section 4.9)."""
        return ()

    async def open(
        self, request: web.Request, stream: str, offer: Offer
    ) -> tuple[Session, str]:
        """Open a session for an offer.

        Returns:
            The session and the SDP answer.

        Raises:
            Problem: when it is refused.
            Unavailable: when no session can be opened now.
        """
        raise NotImplementedError

    async def patch(self, request: web.Request) -> web.Response:
        """Add trickled candidates, or restart ICE (sections 4.3.2 and 4.3.3)."""
        unused_ice = self.session_of(request).unused_ice
        text = await read_body(request, SDP_FRAGMENT, section="RFC 9725 section 4.3.1")
        await self._turns.wait(client_of(request).address)
        try:
            fragment = parse_fragment(text, unused_ice)
        except SdpError as error:
            raise Problem.of_sdp(error) from None
        session = self.session_of(request)
        if session.is_restart(fragment):
            await charge(request, RESTART_COST)
        async with session.patching:
            # Meanwhile it may have ended, or have a new ICE session.
            self.session_of(request)
            check_if_match(request, session.etag)
            try:
                answer = await session.patch(fragment)
            except SdpError as error:
                raise Problem.of_sdp(error) from None
            except OutdatedIce:
                raise Problem(
                    412,
                    "Precondition failed",
                    "The ICE credentials are those of an earlier ICE session, which a "
                    "restart has ended.",
                    section="RFC 9725 section 4.3.3",
                ) from None
            except Unavailable:
                self.session_of(request)
                raise Problem(
                    503,
                    "ICE restart failed",
                    "The server cannot restart ICE now; the session continues as "
                    "before.",
                    section="RFC 9725 section 4.3.3",
                    headers={hdrs.RETRY_AFTER: "1"},
                ) from None
            if answer is None:
                return web.Response(status=204)
            return web.Response(
                body=answer.encode(),
                content_type=SDP_FRAGMENT,
                headers={hdrs.ETAG: session.etag},
            )

    async def delete(self, request: web.Request) -> web.Response:
        """End a session (section 4.2). Entity tags do not matter (section 4.3.1)."""
        session = self.session_of(request)
        await session.end(EndReason.DELETED)
        return web.Response(status=200)

    @property
    def _root(self) -> str:
        """The path of the application."""
        return self._session.canonical.removesuffix(SESSION_PATH)

    def _has(self, rest: list[str]) -> bool:
        """Whether a path, from the name of the stream on, is that of a session."""
        return self._store.get(self.role, rest[0], rest[1]) is not None

    def path_of(self, session: Session) -> str:
        """The path of a session's URL, from the root of the router."""
        # The characters of both stand in a path as they are.
        return f"{self._root}/{session.stream}/{session.id}"

    def _stream_of(self, request: web.Request) -> str:
        """The stream's name in the URL; a random one if there is none."""
        if "stream" not in request.match_info:
            return self._new_name()
        return request.match_info["stream"]

    def _new_name(self) -> str:
        """A random name of a stream, which this worker has."""
        while True:
            name = secrets.token_urlsafe(_NAME_OCTETS)
            if self._shard is None or self._shard.owns(name):
                return name

    def session_of(self, request: web.Request) -> Session:
        """The session that the URL names, if the client may change it.

        Raises:
            Problem: when it may not, or there is none.
        """
        session = self.find_session(request)
        grant = request[GRANT]
        if session.owner != grant.name and not grant.allows(
            Action.ADMIN, session.stream
        ):
            raise not_owned()
        return session

    def find_session(self, request: web.Request) -> Session:
        """The session that the URL names, whoever the client is.

        Raises:
            Problem: when there is none.
        """
        match = request.match_info
        session = self._store.get(self.role, match["stream"], match["session"])
        if session is None:
            if not may_be_id(match["session"]):
                raise not_a_stream_name(f"{match['stream']}/{match['session']}")
            raise Problem(
                404,
                "No such session",
                "There is no session at this address: it has ended, or never existed.",
                section="RFC 9725 section 4.2",
            )
        return session

    @web.middleware
    async def _options(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer an OPTIONS request that is not a preflight: aiohttp-cors refuses it.

        aiohttp-cors answers preflights for any stream and session, so that a page can
        read the 404 that follows.
        """
        if request.method != hdrs.METH_OPTIONS:
            return await handler(request)
        resource = request.match_info.route.resource
        if resource is None or is_preflight(request):
            return await handler(request)
        methods = sorted({route.method for route in resource})
        response = web.Response(headers={hdrs.ALLOW: ", ".join(methods)})
        if "session" in request.match_info:
            self.session_of(request)
        else:
            self._add_links(response, self._stream_of(request))
        return response

    async def _announce(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        """Add Accept-Post or Accept-Patch to responses to OPTIONS (section 4.2)."""
        if request.method != hdrs.METH_OPTIONS or response.status != 200:
            return
        accepted = self.accepted(request)
        if accepted is not None:
            field, content_type = accepted
            response.headers[field] = content_type

    def accepted(self, request: web.Request) -> tuple[str, str] | None:
        """The Accept-Post or Accept-Patch field of a resource, and its value."""
        if "session" in request.match_info:
            return "Accept-Patch", SDP_FRAGMENT
        return "Accept-Post", SDP

    def _add_links(self, response: web.Response, client: str) -> None:
        """Add a Link field for each ICE server (section 4.6)."""
        for link in self._ice_servers.links(client):
            response.headers.add(hdrs.LINK, link)


def _unavailable(reason: Unavailable) -> Problem:
    """The problem when no session can be opened (section 4.5)."""
    if isinstance(reason, Full) and reason.is_of_client:
        return Problem(
            429,
            "Too many sessions",
            f"Your address has {reason.limit} sessions already, as many as it may "
            "have, or have at a time before they are connected.",
            section="RFC 9725 section 5",
            headers={hdrs.RETRY_AFTER: _RETRY_AFTER},
        )
    if isinstance(reason, Full):
        title = "Server full"
        detail = f"The server has reached its limit of {reason.limit} sessions."
    else:
        title = "Unavailable"
        detail = (
            "The server is shutting down, too busy, or without a network address; it "
            "cannot open a session now."
        )
    return Problem(
        503,
        title,
        detail,
        section="RFC 9725 section 4.5",
        headers={hdrs.RETRY_AFTER: _RETRY_AFTER},
    )
