"""The web client: static files."""

from importlib.resources import files
from pathlib import Path

from aiohttp import hdrs, web

# The page loads nothing from elsewhere, and nobody may frame it. It connects to its
# own server, which may be behind a proxy of another name for the media.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def webclient_directory() -> Path:
    """Where the page's files are: in the package, or beside it in a checkout."""
    package = Path(str(files("whipbird")))
    installed = package / "webclient"
    return installed if installed.is_dir() else package.parents[1] / "webclient"


class PageResource:
    """The handlers of ``/`` and the files below it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application; last, for they match any file's name."""
        app.router.add_get("/", self.index)
        app.router.add_static("/", self._directory, append_version=False)
        app.on_response_prepare.append(self._secure)

    async def index(self, _request: web.Request) -> web.FileResponse:
        """The page."""
        return web.FileResponse(self._directory / "index.html")

    async def _secure(
        self, _request: web.Request, response: web.StreamResponse
    ) -> None:
        if isinstance(response, web.FileResponse):
            response.headers.update(SECURITY_HEADERS)
            # Ask each time: a new version of the server brings a new page.
            response.headers.setdefault(hdrs.CACHE_CONTROL, "no-cache")
