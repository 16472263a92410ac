"""Which host a request names, and which page it comes from: both are checked."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..config import ANY
from ..net.addresses import is_address
from ..sdp.errors import quote
from .clients import client_of
from .problems import Problem

# RFC 9110 section 7.2 and RFC 3986 section 3.2.2; names as DNS and mDNS have them.
_HOST = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{0,5}))?"
)

# Names that no stranger can register: RFC 6761, RFC 6762, RFC 8375, and ICANN's
# reservation of "internal".
_LOCAL_NAMES = (".localhost", ".local", ".home.arpa", ".internal")

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Methods that change nothing (RFC 9110 section 9.2.1).
_SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


@dataclass(frozen=True, slots=True)
class Host:
    """A host of an HTTP URL.

    Attributes:
        name: a name in lower case, or an IP address without brackets.
        port: as written; None for the default of the scheme.
    """

    name: str
    port: int | None

    @classmethod
    def parse(cls, value: str) -> "Host | None":
        """Read the value of a Host header; None if it does not follow the grammar."""
        return _parse(value)

    @property
    def is_address(self) -> bool:
        """Whether it is an IP address."""
        return is_address(self.name)


@lru_cache(maxsize=256)
def _parse(value: str) -> Host | None:
    match = _HOST.fullmatch(value)
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 65535:
        return None
    if match["name"]:
        return Host(match["name"].lower().removesuffix("."), port)
    try:
        return Host(str(ipaddress.IPv6Address(match["literal"])), port)
    except ValueError:
        return None


def host_of(request: web.Request) -> Host | None:
    """The host that a client names; None without one, or with a malformed one."""
    return Host.parse(client_of(request).host or "")


class AllowedHosts:
    """The hosts that this server answers for, against DNS rebinding.

    A page of another site can give its own name the address of this server, and is then
    a page of "the same origin". Such a name must be one that its owner can register:
    addresses, names without a dot and names of local networks are always answered.

    Args:
        names: further names; ``*.example.org`` for all names below it; ``ANY`` for any.
        all_are: whether any name is harmless now.
    """

    def __init__(
        self, names: Iterable[str], all_are: Callable[[], bool] = lambda: False
    ) -> None:
        self._all_are = all_are
        self.change(names)

    def change(self, names: Iterable[str]) -> None:
        """Answer for other further names from now on."""
        names = {name.lower().removesuffix(".") for name in names}
        self._any = ANY in names
        self._names = names | {socket.gethostname().lower()}
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))

    def __contains__(self, host: Host) -> bool:
        name = host.name
        return (
            self._any
            or "." not in name
            or name in self._names
            or name.endswith(_LOCAL_NAMES)
            or name.endswith(self._suffixes)
            or host.is_address
            or self._all_are()
        )


def check_host(allowed: AllowedHosts) -> Middleware:
    """Make a middleware that refuses requests for other hosts, and malformed ones."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        values = request.headers.getall(hdrs.HOST, [])
        if len(values) != 1:
            if values or request.version >= (1, 1):
                raise _malformed(f"There are {len(values)} Host headers, not one.")
            return await handler(request)
        host = Host.parse(values[0])
        if host is None:
            raise _malformed(
                f'"{quote(values[0])}" is not a host name or address with, optionally, '
                "a port."
            )
        # Both that of a proxy and that of its client, which it may pass on unseen.
        names: list[Host | None] = [host]
        told = client_of(request).host
        if told != values[0]:
            names.append(Host.parse(told or ""))
        for named in names:
            if named is not None and named not in allowed:
                raise Problem(
                    421,
                    "Unknown host",
                    f'This server does not know the name "{quote(named.name)}". If it '
                    'is its own, add it to the setting "allowed_hosts".',
                    section="RFC 9110 section 15.5.20",
                )
        return await handler(request)

    return middleware


class AllowedOrigins:
    """The origins whose pages may use this server, beside its own.

    Args:
        origins: as browsers write them; ``ANY`` for all.
    """

    def __init__(self, origins: Iterable[str] = (ANY,)) -> None:
        self.change(origins)

    def change(self, origins: Iterable[str]) -> None:
        """Allow other origins from now on."""
        origins = frozenset(origins)
        self._any = ANY in origins
        self._named = origins - {ANY}

    def __contains__(self, origin: str | None) -> bool:
        return self._any or self.names(origin)

    def names(self, origin: str | None) -> bool:
        """Whether an origin is one of those that are named."""
        return origin in self._named


def check_origin(is_allowed: Callable[[str | None], bool]) -> Middleware:
    """Make a middleware that refuses requests from pages of other origins.

    Args:
        is_allowed: whether pages of an origin may do this; None for no origin.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_allowed(request.headers.get(hdrs.ORIGIN)) and _is_foreign(request):
            raise not_for_other_pages()
        return await handler(request)

    return middleware


def not_for_other_pages() -> Problem:
    """The problem for a request of a page of another origin."""
    return Problem(
        403,
        "From another page",
        'Pages of other origins may not do this; the setting "allowed_origins" lists '
        "those that may.",
    )


def _is_foreign(request: web.Request) -> bool:
    """Whether a browser sends a request for a page of another origin.

    A form of any page can send a POST without asking first. Browsers tell the site of
    the page to servers that they reach securely (Fetch metadata), its origin to all.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if request.method in _SAFE:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and not _is_own(request, origin)


def _is_own(request: web.Request, origin: str) -> bool:
    """Whether an origin is that of this server, as the client knows it.

    A proxy may have changed the Host header, and the scheme.
    """
    try:
        parts = urlsplit(origin)
        page = Host.parse(parts.netloc)
    except ValueError:
        return False
    if page is None or parts.scheme not in _DEFAULT_PORTS:
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    for host in (Host.parse(request.headers.get(hdrs.HOST, "")), host_of(request)):
        if host is not None and (host.name, host.port or default) == (
            page.name,
            page.port or default,
        ):
            return True
    return False


def _malformed(detail: str) -> Problem:
    return Problem(400, "Malformed Host", detail, section="RFC 9110 section 7.2")
