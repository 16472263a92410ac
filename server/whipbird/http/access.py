"""A log of requests."""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from .paths import public_path

logger = logging.getLogger(__name__)


def log_requests(level: int) -> Middleware:
    """Make a middleware that logs each request, its status, duration and octets.

    The path is that of ``public_path``, which has nothing secret.

    Args:
        level: the level of these records.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        response = await handler(request)
        if logger.isEnabledFor(level):
            _log(level, request, response, time.monotonic() - began)
        return response

    return middleware


def _log(
    level: int, request: web.Request, response: web.StreamResponse, seconds: float
) -> None:
    fields = {
        "method": request.method,
        "path": public_path(request),
        "client": request.remote,
        "status": response.status,
        "octets": response.body_length or response.content_length or 0,
        "milliseconds": round(seconds * 1000, 1),
    }
    template = "%s %s from %s: %d, %d octets in %.1f ms"
    logger.log(level, template, *fields.values(), extra=fields)
