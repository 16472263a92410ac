"""References to resources of this server, for responses."""

from aiohttp import web

from .clients import client_of


def reference(request: web.Request, path: str) -> str:
    """A reference from the URL of a request to a path of this server.

    Where a trusted proxy has told the prefix that clients see, it is an absolute path.
    Otherwise a proxy may have taken a prefix off the path, and nobody tells: then it is
    relative (RFC 3986 section 4.2), up to the root and down again. A client that takes
    any reference for a path from the root, as OBS does, gets the same where there is no
    prefix.

    Args:
        path: as this server's router has it, from the root.
    """
    client = client_of(request)
    if client.prefix is not None:
        return client.prefix + path
    upwards = request.rel_url.raw_path.count("/") - 1
    return "../" * upwards + path.removeprefix("/")
