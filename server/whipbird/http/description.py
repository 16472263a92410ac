"""The OpenAPI document of the HTTP interface."""

from importlib.resources import files
from pathlib import Path

from aiohttp import web

PATH = "/api/openapi.yaml"


def description_file() -> Path:
    """The document: in the package, or in a checkout."""
    package = Path(str(files("whipbird")))
    installed = package / "openapi.yaml"
    return (
        installed if installed.is_file() else package.parents[1] / "docs/openapi.yaml"
    )


class DescriptionResource:
    """The handler of ``/api/openapi.yaml``.

    Args:
        path: the document, which is read at once.
    """

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_get(PATH, self.get)

    async def get(self, _request: web.Request) -> web.Response:
        """Send the document (RFC 9512: the media type)."""
        return web.Response(
            body=self._body,
            content_type="application/yaml",
            headers={"X-Content-Type-Options": "nosniff"},
        )
