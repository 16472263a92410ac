"""References to resources of this server, for responses."""

from aiohttp import hdrs, web

from .clients import client_of
from .forwarded import split_list

# A client that resolves references against the URL of its request asks for a relative
# one with it (RFC 7240).
RELATIVE = "relative-location"

# The headers that show a proxy, whoever it is.
_SIGNS = (
    *(hdrs.VIA, hdrs.FORWARDED, "X-Real-IP"),
    *(hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_PROTO, hdrs.X_FORWARDED_HOST),
)


def reference(request: web.Request, path: str) -> str:
    """A reference from the URL of a request to a path of this server.

    Where a trusted proxy has told the prefix that clients see, it is a path with that.
    Where a proxy may have taken a prefix off without telling, it is relative (RFC 3986
    section 4.2), up to the root and down again: so it stays below the prefix. A client
    that takes any reference for a path from the root, as OBS does, gets the same where
    there is no prefix. Otherwise it is a path: some players understand nothing else.

    Args:
        path: as this server's router has it, from the root.
    """
    client = client_of(request)
    if client.prefix is not None:
        return client.prefix + path
    if not _wants_relative(request):
        return path
    upwards = request.rel_url.raw_path.count("/") - 1
    return "../" * upwards + path.removeprefix("/")


def _wants_relative(request: web.Request) -> bool:
    """Whether the client has asked for it, or a proxy shows itself.

    nginx speaks HTTP/1.0 unless it is told otherwise.
    """
    return (
        RELATIVE in split_list(request.headers.getall("Prefer", ()))
        or request.version < (1, 1)
        or any(name in request.headers for name in _SIGNS)
    )
