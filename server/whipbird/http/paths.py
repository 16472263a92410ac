"""Paths of requests, as they may be logged."""

from aiohttp import web

from ..sdp.errors import quote
from ..sessions import short_id

# Below these, the stream's name is followed by ids: of a session, of its events.
# Whoever knows one has access.
_PREFIXES = (["whip"], ["whep"])

_LIMIT = 200


def public_path(request: web.BaseRequest) -> str:
    """The path of a request in one short line, without its query and whole ids.

    Ids are shortened wherever one may be, whether the path leads somewhere or not.
    """
    parts = request.rel_url.raw_path.split("/")
    if parts[1:2] in _PREFIXES:
        parts[3:] = map(short_id, parts[3:])
    return quote("/".join(parts), _LIMIT)
