"""A log of requests, for debugging."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from ..sdp.errors import quote
from ..sessions import short_id

logger = logging.getLogger(__name__)


@web.middleware
async def access_middleware(
    request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Log each request and its status. Session ids are shortened: they are secret."""
    response = await handler(request)
    if logger.isEnabledFor(logging.DEBUG):
        path = request.rel_url.raw_path
        if session := request.match_info.get("session"):
            path = path.replace(session, short_id(session))
        logger.debug(
            "%s %s from %s: %d",
            request.method,
            quote(path, 200),
            request.remote,
            response.status,
        )
    return response
