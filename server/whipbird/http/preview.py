"""What is shown of a stream's page where somebody links to it (Open Graph)."""

from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from ..rights import Action, Need, Rights
from ..streams import Streams
from .auth import grant_for
from .clients import client_of
from .content import is_secure
from .problems import Problem

_ICON = "icon-512.png"


@dataclass(frozen=True)
class Preview:
    """The properties of a page; URLs are absolute."""

    title: str
    description: str
    url: str
    picture: str


class Previews:
    """Makes previews of pages.

    Args:
        streams: the published streams.
        rights: a picture is shown of what may be watched without a token.
    """

    def __init__(self, streams: Streams, rights: Rights) -> None:
        self._streams = streams
        self._rights = rights

    async def of(self, request: web.Request, base: str, names: list[str]) -> Preview:
        """The preview of a page that shows streams.

        Args:
            request: the request for the page.
            base: the relative URL of the start page.
            names: the names of the streams.
        """
        start = _address_of(request).join(URL(base))
        title = " + ".join(names)
        picture = start.joinpath(_ICON)
        for name in names:
            if await self._is_public(request, name):
                picture = start.joinpath("api", "streams", name, "snapshot.jpg")
                break
        path = "+".join(names)
        return Preview(
            title=title,
            description=f"Watch {title} live in the browser.",
            url=str(start.joinpath("watch", path)),
            picture=str(picture),
        )

    async def _is_public(self, request: web.Request, name: str) -> bool:
        """Whether a stream with pictures is live and everybody may see it."""
        stream = self._streams.get(name)
        if stream is None or all(
            track.kind != "video" for track in stream.source.tracks
        ):
            return False
        try:
            await grant_for(request, self._rights, Need(Action.WATCH, name))
        except Problem:
            return False
        return True


def _address_of(request: web.Request) -> URL:
    """The URL of a request as its client knows it, as far as proxies tell."""
    client = client_of(request)
    prefix = "" if client.is_prefix_kept else client.prefix or ""
    return URL.build(
        scheme="https" if is_secure(request) else "http",
        authority=client.host or "localhost",
        path=prefix + request.path,
    )
