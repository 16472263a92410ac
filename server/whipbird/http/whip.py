"""The WHIP endpoint and its sessions (RFC 9725 section 4)."""

import math

from aiohttp import hdrs, web

from ..sdp.offer import Offer
from ..sdp.role import PUBLISHER
from ..sessions import Session
from ..streams import StreamTaken
from .clients import client_of
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
            return await self._store.publish(
                stream, offer, client_of(request).address or "-"
            )
        except StreamTaken as taken:
            seconds = max(1, math.ceil(taken.retry_after))
            raise Problem(
                409,
                "Stream is taken",
                f'Somebody else publishes "{stream}" now. Wait for the end of it, or '
                "choose another name. If that publisher has vanished, the name is free "
                f"in {seconds} s.",
                section="RFC 9110 section 15.5.10",
                headers={hdrs.RETRY_AFTER: str(seconds)},
            ) from None
