"""A log of requests."""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from .clients import IS_PART, client_of
from .paths import public_path

logger = logging.getLogger(__name__)


class AccessLog:
    """A middleware that logs each request, its status, duration and octets.

    The path is that of ``public_path``, which has nothing secret.

    Attributes:
        level: the level of these records.
    """

    __middleware_version__ = 1

    def __init__(self, level: int) -> None:
        self.level = level

    async def __call__(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let a request through, and log what came of it."""
        began = time.monotonic()
        response = await handler(request)
        if logger.isEnabledFor(self.level) and IS_PART not in request:
            _log(self.level, request, response, time.monotonic() - began)
        return response


def _log(
    level: int, request: web.Request, response: web.StreamResponse, seconds: float
) -> None:
    fields = {
        "method": request.method,
        "path": public_path(request),
        "client": client_of(request).address,
        "status": response.status,
        "octets": response.body_length or response.content_length or 0,
        "milliseconds": round(seconds * 1000, 1),
    }
    template = "%s %s from %s: %d, %d octets in %.1f ms"
    logger.log(level, template, *fields.values(), extra=fields)
