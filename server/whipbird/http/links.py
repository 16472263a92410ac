"""Links for viewers of a stream, who have no token."""

from typing import Any

from aiohttp import web

from ..rights import MAX_LIFETIME, MIN_LIFETIME, Action, Rights, ViewerLinks
from ..sdp.errors import quote
from .auth import GRANT
from .body import read_json
from .problems import Problem

_SECTION = "RFC 9110 section 8.3"
_MEMBER = "expires_in"

# From this resource to the page, also where a proxy has both below a path.
_PAGE = "../../../"


class LinksResource:
    """The handler of ``/api/streams/{stream}/links``.

    Its route belongs to the application of the streams. The server keeps no links:
    there is nothing to list, or to delete.
    """

    def __init__(self, links: ViewerLinks, rights: Rights) -> None:
        self._links = links
        self._rights = rights

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_post("/{stream}/links", self.make)

    async def make(self, request: web.Request) -> web.Response:
        """Make a link to the page that plays the stream, for a time."""
        stream = request.match_info["stream"]
        if self._rights.are_public(Action.WATCH, stream):
            raise Problem(
                409,
                "Everybody may watch",
                "Everybody may watch this stream, so a link would not expire. Its "
                "address is enough.",
            )
        lifetime = _read_lifetime(await read_json(request, section=_SECTION))
        token, expires = self._links.make(stream, lifetime, request[GRANT])
        return web.json_response(
            {
                "stream": stream,
                # Browsers send no fragment: no server and no log on the way sees it.
                "url": f"{_PAGE}#watch/{stream}?key={token}",
                "token": token,
                "expires": expires.isoformat(),
            },
            status=201,
            headers={"Cache-Control": "no-store"},
        )


def _read_lifetime(wish: Any) -> int:
    """The seconds for which a link is to be good.

    Raises:
        Problem: when the body does not say.
    """
    if not isinstance(wish, dict):
        raise Problem(400, "Not an object", "The body must be an object.")
    others = wish.keys() - {_MEMBER}
    if others:
        raise _wrong(
            f'There is no member "{quote(min(others))}"; there is {_MEMBER} alone.'
        )
    seconds = wish.get(_MEMBER)
    # JSON's true would be an int in Python.
    if type(seconds) is not int or not MIN_LIFETIME <= seconds <= MAX_LIFETIME:
        raise _wrong(
            f"{_MEMBER} must be a whole number of seconds from {MIN_LIFETIME} to "
            f"{MAX_LIFETIME}."
        )
    return seconds


def _wrong(detail: str) -> Problem:
    return Problem(422, "No such link", detail)
