"""The web client: static files, read once."""

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from aiohttp import ETag, web

INDEX = "index.html"

# Isolation gives the page a finer clock for its round-trip times. Browsers complain of
# these headers where they do not trust the connection.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_TRUSTED_HOSTS = ("localhost", "127.0.0.1", "::1")

# The page loads nothing from elsewhere, and nobody may frame it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Ask each time: a new version of the server brings a new page.
    "Cache-Control": "no-cache",
}


def webclient_directory() -> Path:
    """Where the page's files are: in the package, or beside it in a checkout."""
    package = Path(str(files("whipbird")))
    installed = package / "webclient"
    return installed if installed.is_dir() else package.parents[1] / "webclient"


class PageResource:
    """The handlers of ``/`` and of every file of the page, and of nothing else.

    Args:
        directory: where the files are.
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
                app.router.add_get("/", handler)


def _serve(path: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that serves what is now in a file."""
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
    """Whether a browser trusts the connection: HTTPS, maybe to a proxy, or loopback."""
    return (
        request.secure
        or request.headers.get("X-Forwarded-Proto") == "https"
        or request.url.host in _TRUSTED_HOSTS
    )
