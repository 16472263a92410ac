"""The web client: static files, read at start."""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from aiohttp import ETag, hdrs, web

from .clients import client_of
from .host import host_of

INDEX = "index.html"

# Cross-origin isolation gives the page a finer clock for round-trip times. Browsers
# warn about these headers on connections that they do not trust.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_TRUSTED_HOSTS = ("localhost", "127.0.0.1", "::1")

# The page loads nothing from other origins, and must not be framed.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Revalidate each time: a new version of the server has a new page.
    "Cache-Control": "no-cache",
}


def webclient_directory() -> Path:
    """The directory of the page's files: in the package, or in a checkout."""
    package = Path(str(files("whipbird")))
    installed = package / "webclient"
    return installed if installed.is_dir() else package.parents[1] / "webclient"


class PageResource:
    """The handlers of ``/`` and of each file of the page.

    Args:
        directory: the directory of the files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add_to(self, app: web.Application) -> None:
        """Read the files, and add a route for each to an application."""
        for path in sorted(self._directory.rglob("*")):
            if not path.is_file() or path.name.startswith("."):
                continue
            handler = _serve(path)
            name = path.relative_to(self._directory).as_posix()
            app.router.add_get(f"/{name}", handler)
            if name == INDEX:
                app.router.add_get("/", _with_slash(handler))
                # Of an application that is mounted at a path.
                app.router.add_get("", _with_slash(handler))


_Handler = Callable[[web.Request], Awaitable[web.Response]]


def _with_slash(handler: _Handler) -> _Handler:
    """Make a handler that first sends a browser to a path with a slash at its end.

    The links of the page are relative to it.
    """

    async def serve(request: web.Request) -> web.Response:
        last = request.rel_url.raw_path.rpartition("/")[2]
        if not last:
            return await handler(request)
        query = request.rel_url.raw_query_string
        location = f"{last}/?{query}" if query else f"{last}/"
        return web.Response(status=308, headers={hdrs.LOCATION: location})

    return serve


def _serve(path: Path) -> _Handler:
    """Make a handler that serves the current content of a file."""
    body = path.read_bytes()
    tag = ETag(hashlib.sha256(body).hexdigest()[:16])
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    charset = "utf-8" if content_type.startswith("text/") else None

    async def serve(request: web.Request) -> web.Response:
        if tag in (request.if_none_match or ()):
            response = web.Response(status=304, headers=HEADERS)
        else:
            response = web.Response(
                body=body, content_type=content_type, charset=charset, headers=HEADERS
            )
        response.etag = tag
        if _is_trustworthy(request):
            response.headers.update(ISOLATION)
        return response

    return serve


def _is_trustworthy(request: web.Request) -> bool:
    """Whether browsers trust the connection: HTTPS (also to a proxy) or loopback."""
    if client_of(request).is_secure:
        return True
    host = host_of(request)
    return host is not None and host.name in _TRUSTED_HOSTS
