"""How the page's files are sent."""

from aiohttp import ETag, hdrs, web

from ..pages import Content
from .clients import client_of
from .host import host_of

# The page loads nothing from other origins.
_POLICY = (
    "default-src 'self'; {}img-src 'self' data:; base-uri 'self'; form-action 'none'; "
    "frame-ancestors {}"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}

# Revalidate each time: a new version of the server has a new page.
FRESH = "no-cache"
# The name tells the content.
FOREVER = "public, max-age=31536000, immutable"

# Cross-origin isolation gives the page a finer clock for round-trip times. Browsers
# warn about these headers on connections that they do not trust.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_TRUSTED_HOSTS = ("localhost", "127.0.0.1", "::1")


def policy(frame_ancestors: str = "'none'", inline: str = "") -> str:
    """The Content-Security-Policy of a page.

    Args:
        frame_ancestors: whose pages may show it in a frame.
        inline: the directives for what stands in it.
    """
    return _POLICY.format(inline, frame_ancestors)


def respond(
    request: web.Request,
    content: Content,
    *,
    status: int = 200,
    cache: str = FRESH,
    frame_ancestors: str = "'none'",
) -> web.Response:
    """Send content, compressed if the client takes that, unless it has it already."""
    body = content.body
    tag = content.tag
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy(frame_ancestors, content.policy),
        "Cache-Control": cache,
    }
    if content.compressed is not None and quality(
        request.headers.get(hdrs.ACCEPT_ENCODING, ""), "gzip"
    ):
        body = content.compressed
        tag += "-gzip"
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    etag = ETag(tag)
    if status == 200 and etag in (request.if_none_match or ()):
        headers.pop(hdrs.CONTENT_ENCODING, None)
        response = web.Response(status=304, headers=headers)
    else:
        charset = "utf-8" if content.content_type.startswith("text/") else None
        response = web.Response(
            status=status,
            body=body,
            content_type=content.content_type,
            charset=charset,
            headers=headers,
        )
    response.etag = etag
    return response


def quality(header: str, name: str) -> float:
    """The weight of a member in a list such as Accept (RFC 9110 section 12.4.2).

    Returns:
        0 if the header does not name it; wildcards do not count.
    """
    for item in header.split(","):
        member, *parameters = (part.strip().lower() for part in item.split(";"))
        if member != name:
            continue
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    return float(parameter[2:])
                except ValueError:
                    return 0.0
        return 1.0
    return 0.0


def is_trustworthy(request: web.Request) -> bool:
    """Whether browsers trust the connection: HTTPS or loopback."""
    host = host_of(request)
    return bool(client_of(request).is_secure) or (
        host is not None and host.name in _TRUSTED_HOSTS
    )
