"""Plain HTTP where there is HTTPS: redirections, and HSTS."""

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from .clients import client_of
from .problems import Problem

_PROBES = ("/healthz", "/readyz")

_HSTS = "Strict-Transport-Security"


def redirect_to_https() -> Middleware:
    """Make a middleware that redirects plain HTTP to the same URL of HTTPS.

    308 keeps the method and the body (RFC 9110 section 15.4.9), as WHIP wants it (RFC
    9725 section 4.5). It comes behind ``check_host``: the host is one of this server's.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = client_of(request)
        # A proxy that does not tell may have undone TLS: it would come back forever.
        if client.is_secure is not False or _is_probe(request):
            return await handler(request)
        host, target = client.host, request.raw_path
        if client.prefix and not client.is_prefix_kept:
            target = client.prefix + target
        if host is None or not target.startswith("/"):
            raise Problem(
                400,
                "HTTPS is required",
                "There is no Host header from which its URL could be made.",
                section="RFC 9110 section 7.2",
            )
        return web.Response(
            status=308, headers={hdrs.LOCATION: f"https://{host}{target}"}
        )

    return middleware


def _is_probe(request: web.Request) -> bool:
    """Whether a load balancer or a container engine may ask.

    They ask without TLS, and do not follow redirections.
    """
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical.endswith(_PROBES)


def demand_https(request: web.Request, response: web.StreamResponse, age: int) -> None:
    """Have browsers use HTTPS only, from now on (RFC 6797 section 7.1).

    Args:
        age: seconds for which they remember it.
    """
    if client_of(request).is_secure:
        response.headers[_HSTS] = f"max-age={age}"
