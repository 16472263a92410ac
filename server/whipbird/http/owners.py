"""Which worker a request is for: the one that has its session, or owns its stream."""

import re

from aiohttp import hdrs, web

from ..net.shard import Shard
from ..recording import stream_of
from ..sessions import may_be_id
from ..upstream import CDN_LOOP, has_nodes, read_path
from .cors import is_preflight

# The path of the first request on a connection, up to the name of a stream or the id of
# a session. It may have a prefix, and stand for something else: then the request is
# handed on once more.
_STREAM = re.compile(
    rb"[A-Z]{3,7} [^ ?]*?/(?:whip|whep|watch|embed|api/streams)/"
    rb"([A-Za-z0-9._~-]{1,64})(?:/([A-Za-z0-9_-]+))?[/? ]"
)

# The endpoint of viewers.
_VIEWERS = "/whep/{stream}"

# Octets of a connection that are looked at for it.
FIRST_LOOK = 512


def owner_of_connection(octets: bytes, shard: Shard) -> int | None:
    """The worker that a connection's first request is for.

    Args:
        octets: what the connection begins with.

    Returns:
        Its number; None if it is this one's, or any worker's.
    """
    found = _STREAM.match(octets)
    if found is None:
        return None
    return _other(found[1].decode(), (found[2] or b"").decode(), shard)


def owner_of_request(request: web.Request, shard: Shard) -> int | None:
    """The worker that a request is for; None as for ``owner_of_connection``."""
    match = request.match_info
    if is_preflight(request):
        return None
    if "stream" in match:
        return _other(match["stream"], match.get("session", ""), shard)
    if "streams" in match:
        # A page with several: what it says to others is about the first one.
        return _other(match["streams"].partition("+")[0], "", shard)
    if "file" in match and request.method == "DELETE":
        # Only its owner knows whether it is being written.
        stream = stream_of(match["file"])
        return None if stream is None else _other(stream, "", shard)
    return None


def opens_viewer(request: web.Request) -> bool:
    """Whether a request is an offer of a viewer that may be at any worker.

    Another server that asks for a stream stays with its owner, which knows where the
    stream comes from.
    """
    resource = request.match_info.route.resource
    return (
        request.method == hdrs.METH_POST
        and resource is not None
        and resource.canonical.rstrip("/") == _VIEWERS
        and not has_nodes(read_path(request.headers.getall(CDN_LOOP, ())))
    )


def _other(stream: str, session: str, shard: Shard) -> int | None:
    """The worker that has a session, or owns a stream; None if it is this one.

    Args:
        session: the id of the session; anything else for none.
    """
    owner = shard.worker_of_id(session) if may_be_id(session) else None
    if owner is None:
        owner = shard.owner_of(stream)
    return None if owner == shard.number else owner
