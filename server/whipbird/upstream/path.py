"""The nodes that a stream passes, so that no node pulls it from itself (RFC 8586).

A node names itself, and those that ask it, in ``CDN-Loop`` of the requests that it
sends. The nodes through which it gets a stream it tells to those that it serves: in a
header field of its response, and in events whenever they change.
"""

import re
import secrets
from collections.abc import Iterable

# Of requests; proxies of other makes leave it alone or add to it.
CDN_LOOP = "CDN-Loop"
# Of the response that opens a session for another node.
STREAM_PATH = "Stream-Path"

# Nodes in a path, at most; with more of them something is wrong.
MAX_HOPS = 16

_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,128}")

Path = tuple[str, ...]

# What the names of nodes of this make begin with.
_PREFIX = "whipbird-"


def new_node() -> str:
    """A name for this node, which no other has (a pseudonym of RFC 8586 section 2)."""
    return f"{_PREFIX}{secrets.token_hex(8)}"


def has_nodes(path: Path) -> bool:
    """Whether there are nodes of this make in a path: proxies name themselves, too."""
    return any(name.startswith(_PREFIX) for name in path)


def read_path(values: Iterable[str]) -> Path:
    """The names in header fields, in their order; parameters are left out."""
    parts = [part for value in values for part in value.split(",")]
    names = (part.partition(";")[0].strip() for part in parts[: 2 * MAX_HOPS])
    return tuple(name for name in names if _NAME.fullmatch(name))


def write_path(path: Path) -> str:
    """The value of a header field."""
    return ", ".join(path)


def path_in(data: object) -> Path:
    """The path in the data of an event; empty if it has none."""
    found = data.get("path") if isinstance(data, dict) else None
    if not isinstance(found, list):
        return ()
    names = (str(name) for name in found[: 2 * MAX_HOPS])
    return tuple(name for name in names if _NAME.fullmatch(name))
