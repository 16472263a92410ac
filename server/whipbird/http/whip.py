"""The WHIP endpoint and its sessions (RFC 9725 section 4)."""

from aiohttp import web

from ..sdp.offer import Offer
from ..sdp.role import PUBLISHER
from ..sessions import Session
from ..streams import StreamTaken
from .problems import Problem
from .sessions import SessionsResource


class WhipResource(SessionsResource):
    """The WHIP resources: an offer with media publishes a stream."""

    prefix = "/whip"
    # The first has no stream name: the server makes one up.
    endpoints = ("", "/{stream}")
    role = PUBLISHER

    async def open(
        self, request: web.Request, stream: str, offer: Offer
    ) -> tuple[Session, str]:
        try:
            return await self._store.publish(stream, offer, request.remote or "-")
        except StreamTaken:
            raise Problem(
                409,
                "Stream is taken",
                f'Somebody else publishes "{stream}" now. Wait for the end of it, or '
                "choose another name.",
                section="RFC 9110 section 15.5.10",
            ) from None
