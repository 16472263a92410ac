"""The names of streams in paths."""

from aiohttp import web

from ..rights import STREAM_NAME
from .problems import Problem


def stream_of(request: web.Request) -> str:
    """The stream's name in the path of a request.

    Raises:
        Problem: when it is none.
    """
    name = request.match_info["stream"]
    # Clients remove these from paths.
    if not STREAM_NAME.fullmatch(name) or name in (".", ".."):
        raise Problem(
            404,
            "Not a stream name",
            "A stream's name has 1 to 64 of the letters A-Z and a-z, digits, and "
            '". _ ~ -"; "." and ".." alone are none.',
        )
    return name
