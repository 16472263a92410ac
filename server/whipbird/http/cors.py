"""CORS: allows pages of other origins to publish and to watch."""

from collections.abc import Iterable

import aiohttp_cors
from aiohttp import hdrs, web

from ..config import ANY

# Header fields that WHIP clients in browsers read, and send.
EXPOSED = (
    "Location",
    "ETag",
    "Link",
    "Accept-Patch",
    "Accept-Post",
    "Retry-After",
    "WWW-Authenticate",
)
# Any: tracing libraries add headers of their own, and none of ours is a secret that a
# page could guess (there are no cookies).
ALLOWED = "*"

# Seconds that a browser may remember the answer to a preflight.
MAX_AGE = 600


def enable_cors(
    app: web.Application,
    routes: list[web.AbstractRoute],
    origins: Iterable[str] = (ANY,),
) -> None:
    """Allow pages of other origins to use routes; credentials are never cookies.

    Args:
        app: an application with only these routes; pages can read its 404 and 405 too.
        origins: the origins; ``ANY`` for all.
    """
    allowed = frozenset(origins)
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=EXPOSED,
        allow_headers=ALLOWED,
        allow_methods=(hdrs.METH_OPTIONS,),  # and those of the routes
        max_age=MAX_AGE,
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(allowed, options))
    for route in routes:
        cors.add(route)

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        """Add Vary, and CORS headers where aiohttp-cors adds none: OPTIONS, errors."""
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN)
        if (
            origin is not None
            and (ANY in allowed or origin in allowed)
            and not is_preflight(request)
            and hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers
        ):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ",".join(EXPOSED)

    app.on_response_prepare.append(complete)


def is_preflight(request: web.Request) -> bool:
    """Whether a request is a CORS preflight (Fetch section 4.8)."""
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )
