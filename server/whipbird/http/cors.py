"""CORS, so that pages of other origins can publish here, and plain OPTIONS."""

import aiohttp_cors
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

# What a browser's WHIP client reads, and sends.
EXPOSED = ("Location", "ETag", "Link", "Accept-Patch", "Accept-Post", "Retry-After")
ALLOWED = ("Content-Type", "Authorization", "If-Match")

# Seconds that a browser may remember the answer to a preflight.
MAX_AGE = 600


def enable_cors(app: web.Application, routes: list[web.AbstractRoute]) -> None:
    """Let pages of any origin use these routes; credentials are never cookies."""
    cors = aiohttp_cors.setup(
        app,
        defaults={
            "*": aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
                expose_headers=EXPOSED, allow_headers=ALLOWED, max_age=MAX_AGE
            )
        },
    )
    for route in routes:
        cors.add(route)


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks if it may send another request (Fetch section 4.8)."""
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


@web.middleware
async def plain_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer an OPTIONS that is no preflight: aiohttp-cors refuses it."""
    resource = request.match_info.route.resource
    if (
        request.method == hdrs.METH_OPTIONS
        and resource is not None
        and not is_preflight(request)
    ):
        methods = sorted({route.method for route in resource})
        return web.Response(headers={"Allow": ", ".join(methods)})
    return await handler(request)
