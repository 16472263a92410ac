"""Names of streams in the paths of requests."""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..rights import STREAM_NAME
from ..sdp.errors import quote
from .cors import is_preflight
from .problems import Problem

_RULE = (
    "A stream's name has 1 to 64 of the letters A-Z and a-z, digits, and "
    '". _ ~ -"; "." and ".." alone are none.'
)


def is_stream_name(name: str) -> bool:
    """Whether a stream can have a name."""
    return name not in (".", "..") and STREAM_NAME.fullmatch(name) is not None


def check_stream_names(
    root: Callable[[], str], is_known: Callable[[list[str]], bool]
) -> Middleware:
    """Make a middleware that says what is wrong with the name of a stream in a path.

    Preflights pass, so that a page can read the response that follows.

    Args:
        root: returns the path that the name follows.
        is_known: tells of the segments of a path, from the name on, whether there is
            a resource; there are two segments or more.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = request.match_info.get("stream")
        if name is not None and not is_stream_name(name) and not is_preflight(request):
            raise not_a_stream_name(name)
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            rest = _rest_of(request, root())
            if len(rest) > 1 and not is_known(rest):
                raise not_a_stream_name("/".join(rest)) from None
            raise

    return middleware


def _rest_of(request: web.Request, root: str) -> list[str]:
    """The segments of a request's path after those of another path, without empty ones.

    The path may have a prefix in front of the other one.
    """
    segments = [segment for segment in request.path.split("/") if segment]
    known = [segment for segment in root.split("/") if segment]
    for start in range(len(segments) - len(known) + 1):
        end = start + len(known)
        if segments[start:end] == known:
            return segments[end:]
    return []


def not_a_stream_name(name: str) -> Problem:
    """The problem for a path with something else where a stream's name should be."""
    slash = (
        " It has no slash, and there is no such session either." if "/" in name else ""
    )
    return Problem(
        404,
        "Not a stream name",
        f'"{quote(name)}" is not the name of a stream. {_RULE}{slash}',
    )
