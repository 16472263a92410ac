"""What proxies tell of a client: X-Forwarded-* and Forwarded (RFC 7239).

Each proxy adds its part on the right, so what stands left of it may be the client's own
invention. Nothing here knows whom to believe.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

# RFC 7239 section 4: a part of an element. No known value has a comma in it.
_PAIR = re.compile(
    r"[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r"(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*'
)
_ESCAPED = re.compile(r"\\(.)")

# RFC 7239 section 6, and IPv6 addresses without brackets, as X-Forwarded-For has them.
_NODE = re.compile(
    r"\[(?P<literal>[0-9A-Fa-f:.]{2,45})\](?::[0-9A-Za-z._-]+)?"
    r"|(?P<ipv4>[0-9.]{7,15})(?::[0-9A-Za-z._-]+)?"
    r"|(?P<ipv6>[0-9A-Fa-f:.]{2,45})"
)
# Nodes that do not say where they are (RFC 7239 sections 6.2 and 6.3).
_HIDDEN = re.compile(r"unknown|_[0-9A-Za-z._-]+", re.IGNORECASE)

# Without an empty segment: "//" at the beginning would lead to another host.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)*/?")
_MAX_PREFIX = 256


class Malformed(Exception):  # noqa: N818 - as in sdp.errors
    """A value does not follow its grammar."""


def split_list(values: Iterable[str]) -> list[str]:
    """The members of a list header, which may stand in several lines."""
    members = (member.strip(" \t") for value in values for member in value.split(","))
    return [member for member in members if member]


def read_element(element: str) -> Mapping[str, str]:
    """Read an element of Forwarded: values by name, in lower case.

    Raises:
        Malformed: when it does not follow the grammar.
    """
    found: dict[str, str] = {}
    for name, value in _pairs(element):
        if name in found:
            raise Malformed(f"{name} twice")
        found[name] = value
    return found


def _pairs(element: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(element):
        match = _PAIR.match(element, at)
        if match is None or element[match.end() : match.end() + 1] not in ("", ";"):
            raise Malformed("not a list of pairs")
        at = match.end() + 1
        token = match["token"]
        value = _ESCAPED.sub(r"\1", match["quoted"]) if token is None else token
        yield match["name"].lower(), value


def read_node(node: str) -> str | None:
    """The IP address of a node; None if it is one that does not tell it.

    Raises:
        Malformed: when it is malformed.
    """
    if _HIDDEN.fullmatch(node):
        return None
    match = _NODE.fullmatch(node)
    if match is None:
        raise Malformed("not a node")
    try:
        if match["literal"]:
            return str(plain_address(IPv6Address(match["literal"])))
        return str(plain_address(ip_address(match["ipv4"] or match["ipv6"])))
    except ValueError:
        raise Malformed("not an address") from None


def plain_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An address; an IPv4 address as such, where IPv6 has a form of it."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def read_scheme(scheme: str) -> bool:
    """Whether a scheme is that of HTTPS.

    Raises:
        Malformed: when it is none of HTTP's.
    """
    match scheme.lower():
        case "https":
            return True
        case "http":
            return False
    raise Malformed("not a scheme of HTTP")


def read_prefix(parts: Iterable[str]) -> str:
    """The prefix that proxies have taken off a path, the outermost first.

    Returns:
        A path without a slash at its end; empty for the root.

    Raises:
        Malformed: when it is not a path, or one that leads upwards.
    """
    prefix = ""
    for part in parts:
        if not part.startswith("/") or not _PREFIX.fullmatch(part):
            raise Malformed("not a path")
        prefix += part.removesuffix("/")
    if len(prefix) > _MAX_PREFIX or {".", ".."} & {*prefix.split("/")}:
        raise Malformed("not a prefix")
    return prefix
