"""Paths of requests, as they may be logged."""

from aiohttp import web

from ..sdp.errors import quote
from ..sessions import short_id

# After these, the stream's name is followed by ids: of a session, of its events.
# Whoever knows one has access.
_PREFIXES = ("whip", "whep")

_LIMIT = 200


def public_path(request: web.BaseRequest) -> str:
    """The path of a request in one short line, without its query and whole ids.

    Ids are shortened wherever one may be, whether the path leads somewhere or not.
    """
    shown: list[str] = []
    # Before the first of those, further prefixes; between slashes there may be nothing.
    named = 0
    for part in request.rel_url.raw_path.split("/"):
        shown.append(short_id(part) if named > 1 else part)
        if named or part in _PREFIXES:
            named += bool(part)
    return quote("/".join(shown), _LIMIT)
