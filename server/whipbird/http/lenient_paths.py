"""Paths that lead to a resource although they are written otherwise."""

import re
from collections.abc import Callable, Iterator

from aiohttp import web
from aiohttp.web_urldispatcher import UrlMappingMatchInfo
from yarl import URL

from .clients import Client, keep_prefix

_SLASHES = re.compile("//+")


class LenientPaths(web.AbstractResource):
    """Finds what is meant by a path with several slashes in a row.

    Clients make them from a base with a slash at its end. Proxies may merge them or
    not. It is registered last, and in each application that shall have it.

    Args:
        app: the application that it belongs to.
        client: finds the client of a request. Where it is given, the prefix that a
            trusted proxy has told, but left in the path, is passed over, too.
    """

    def __init__(
        self,
        app: web.Application,
        client: Callable[[web.Request], Client] | None = None,
    ) -> None:
        super().__init__()
        self._app = app
        self._client = client
        self._prefix = ""

    @property
    def canonical(self) -> str:
        """The path of the application."""
        return self._prefix

    def add_prefix(self, prefix: str) -> None:
        """Move below a prefix, as the application does."""
        self._prefix = prefix + self._prefix

    async def resolve(
        self, request: web.Request
    ) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Find the resource of the path that is meant."""
        path = request.rel_url.raw_path
        meant = _SLASHES.sub("/", self._without_prefix(request, path))
        if meant == path:
            return None, set()
        url = URL.build(
            path=meant, query_string=request.rel_url.raw_query_string, encoded=True
        )
        return await self._app.router.resolve(request.clone(rel_url=url)), set()

    def _without_prefix(self, request: web.Request, path: str) -> str:
        prefix = self._client(request).prefix if self._client else None
        if not prefix or not f"{path}/".startswith(f"{prefix}/"):
            return path
        keep_prefix(request)
        return path.removeprefix(prefix) or "/"

    def url_for(self, **_: str) -> URL:
        """It has no URL of its own."""
        raise RuntimeError("there is no URL for this")

    def get_info(self) -> dict[str, object]:  # type: ignore[override]
        """What it is, for whoever lists the resources."""
        return {"prefix": self._prefix}

    def raw_match(self, path: str) -> bool:
        """Whether it is for exactly this path, which it never is."""
        return False

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(())
