"""The WHEP endpoint and its sessions (draft-ietf-wish-whep-03 section 4)."""

from collections.abc import Iterable

from aiohttp import hdrs, web

from ..sdp.codecs import Codec
from ..sdp.offer import Offer
from ..sdp.role import VIEWER
from ..sessions import (
    NoSuchLayer,
    NothingToWatch,
    Session,
    SessionStore,
    StreamLoop,
    WrongCodecs,
)
from ..upstream import CDN_LOOP, STREAM_PATH, Upstreams, read_path, write_path
from .body import JSON
from .clients import client_of
from .ice_servers import IceServers
from .problems import Problem
from .references import reference
from .sessions import SDP, SESSION_PATH, SessionsResource
from .whep_extensions import WhepExtensions

# Seconds after which a client may retry to watch a stream without a publisher.
RETRY_AFTER = "2"


class WhepResource(SessionsResource):
    """The WHEP resources: an offer to receive media opens a viewer's session."""

    prefix = "/whep"
    role = VIEWER

    def __init__(
        self,
        store: SessionStore,
        ice_servers: IceServers | None = None,
        upstreams: Upstreams | None = None,
    ) -> None:
        super().__init__(store, ice_servers)
        self._upstreams = upstreams
        self._extensions = WhepExtensions(store, self.find_session, self.session_of)

    def add_to(self, app: web.Application) -> list[web.AbstractRoute]:
        routes = super().add_to(app)
        return routes + self._extensions.add_to(app, SESSION_PATH)

    def extensions(self, request: web.Request, session: Session) -> Iterable[str]:
        return self._extensions.links(reference(request, self.path_of(session)))

    def accepted(self, request: web.Request) -> tuple[str, str] | None:
        resource = request.match_info.route.resource
        path = "" if resource is None else resource.canonical
        if path.endswith(("/layer", "/sse")):
            return "Accept-Post", JSON
        return None if "events" in request.match_info else super().accepted(request)

    async def nothing(self, request: web.Request) -> web.Response:
        """GET and HEAD of an endpoint: the type identifies it (section 4.2)."""
        response = await super().nothing(request)
        response.set_status(200)
        response.headers[hdrs.CONTENT_TYPE] = SDP
        # aiohttp would not send it in response to HEAD.
        response.headers[hdrs.CONTENT_LENGTH] = "0"
        return response

    async def post(self, request: web.Request) -> web.Response:
        """Open a session; to a server that asks, tell by way of which others."""
        response = await super().post(request)
        if self._upstreams is not None and CDN_LOOP in request.headers:
            path = self._upstreams.path_of(request.match_info["stream"])
            if path:
                response.headers[STREAM_PATH] = write_path(path)
        return response

    async def open(
        self, request: web.Request, stream: str, offer: Offer
    ) -> tuple[Session, str]:
        try:
            return await self._store.watch(
                stream,
                offer,
                client_of(request).address or "-",
                rid=request.query.get("layer"),
                path=read_path(request.headers.getall(CDN_LOOP, ())),
            )
        except NothingToWatch:
            raise Problem(
                409,
                "Nothing to watch",
                f'Nobody publishes "{stream}" now.',
                section="draft-ietf-wish-whep-03 section 4.3.8",
                headers={hdrs.RETRY_AFTER: RETRY_AFTER},
            ) from None
        except StreamLoop as error:
            raise Problem(
                508, "Loop detected", str(error), section="RFC 8586 section 2"
            ) from None
        except NoSuchLayer as error:
            raise Problem(404, "No such layer", str(error)) from None
        except WrongCodecs as error:
            raise Problem(
                406,
                "No codec in common",
                f"The stream's {error.kind} is {_names(error.sent)}, which the offer "
                "does not have.",
                section="draft-ietf-wish-whep-03 section 4.3.2",
            ) from None


def _names(codecs: tuple[Codec, ...]) -> str:
    return ", ".join(sorted({codec.registered_name for codec in codecs}))
