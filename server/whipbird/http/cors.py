"""CORS: allows pages of other origins to publish and to watch."""

import aiohttp_cors
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..config import ANY
from .host import AllowedOrigins, not_for_other_pages

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
    origins: AllowedOrigins,
) -> None:
    """Allow pages of other origins to use routes; credentials are never cookies.

    Args:
        app: an application with only these routes; pages can read its 404 and 405 too.
        origins: those that are allowed, at each request.
    """
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=EXPOSED,
        allow_headers=ALLOWED,
        allow_methods=(hdrs.METH_OPTIONS,),  # and those of the routes
        max_age=MAX_AGE,
    )
    # Which of them are allowed may change: that is decided here.
    cors = aiohttp_cors.setup(app, defaults={ANY: options})
    for route in routes:
        cors.add(route)

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer no preflight of a page of another origin."""
        if is_preflight(request) and request.headers[hdrs.ORIGIN] not in origins:
            raise not_for_other_pages()
        return await handler(request)

    app.middlewares.append(refuse)

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        """Add Vary, and CORS headers where aiohttp-cors adds none: OPTIONS, errors."""
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin not in origins:
            response.headers.popall(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN, None)
            response.headers.popall(hdrs.ACCESS_CONTROL_EXPOSE_HEADERS, None)
        elif (
            origin is not None
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
