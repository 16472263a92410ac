"""Who has sent a request, as the proxies in front that are trusted tell it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..config import UNIX, ProxyAddress
from .clients import CLIENT, Client, client_of
from .forwarded import (
    Malformed,
    plain_address,
    read_element,
    read_node,
    read_prefix,
    read_scheme,
    split_list,
)
from .host import Host

logger = logging.getLogger(__name__)

_PREFIX = "X-Forwarded-Prefix"
# Of one family; where one of them is, Forwarded is not looked at: a proxy that knows
# the one passes on what a client has sent of the other.
_X_FORWARDED = (hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_PROTO, hdrs.X_FORWARDED_HOST)
_ALL = (*_X_FORWARDED, _PREFIX, hdrs.FORWARDED)

_Value = TypeVar("_Value")


class Proxies:
    """A middleware that finds the client of each request; it comes before all others.

    From the right, each address in the headers is that of the client of the proxy
    before it. The first that is not a trusted proxy is the client.

    Args:
        trusted: the addresses of proxies that are believed.
        ignored: counts headers that have no effect, by why: ``untrusted`` or
            ``malformed``.

    Attributes:
        trusted: see above; it may change.
        told: returns the client that another worker of this server has found; None
            where there is none.
    """

    __middleware_version__ = 1

    def __init__(self, trusted: Iterable[ProxyAddress], ignored: Counter[str]) -> None:
        self.trusted = tuple(trusted)
        self.told: Callable[[web.Request], Client | None] | None = None
        self._ignored = ignored
        self._has_warned = False
        for reason in ("untrusted", "malformed"):
            ignored[reason] += 0

    async def __call__(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let a request through; ``client_of`` tells its client from now on."""
        self.find(request)
        return await handler(request)

    def find(self, request: web.Request) -> Client:
        """The client of a request."""
        client: Client | None = request.get(CLIENT)
        if client is None:
            told = None if self.told is None else self.told(request)
            client = request[CLIENT] = told or self._find(request)
        return client

    def _find(self, request: web.Request) -> Client:
        peer = client_of(request)
        headers = request.headers
        if not self._trusts(peer.address):
            if any(name in headers for name in _ALL):
                self._ignore_stranger(peer.address)
            return peer
        if any(name in headers for name in _X_FORWARDED):
            client = self._read_x_forwarded(request, peer)
        else:
            client = self._read_forwarded(request, peer)
        prefixes = split_list(headers.getall(_PREFIX, ()))
        if prefixes:
            client = client._replace(prefix=self._read(read_prefix, prefixes))
        return client

    def _read_x_forwarded(self, request: web.Request, peer: Client) -> Client:
        headers = request.headers
        nodes = split_list(headers.getall(hdrs.X_FORWARDED_FOR, ()))
        *_, (address, hops) = self._walk(nodes, peer.address)

        def told(name: str) -> str | None:
            # By the proxy that the client has reached; some replace what others told.
            values = split_list(headers.getall(name, ()))
            return values[-min(max(hops, 1), len(values))] if values else None

        return self._client(
            address, peer, told(hdrs.X_FORWARDED_PROTO), told(hdrs.X_FORWARDED_HOST)
        )

    def _read_forwarded(self, request: web.Request, peer: Client) -> Client:
        elements: list[Mapping[str, str]] = []
        for element in reversed(split_list(request.headers.getall(hdrs.FORWARDED, ()))):
            read = self._read(read_element, element)
            if read is None:
                break
            elements.insert(0, read)
            if "for" not in read:
                break
        nodes = [element["for"] for element in elements if "for" in element]
        *_, (address, hops) = self._walk(nodes, peer.address)
        told = elements[-max(hops, 1)] if elements else {}
        return self._client(address, peer, told.get("proto"), told.get("host"))

    def _walk(self, nodes: list[str], address: str) -> Iterator[tuple[str, int]]:
        """The proxies from this server on, and the client at last.

        Args:
            nodes: the clients that proxies have told; the nearest proxy's is the last.
            address: that of the nearest proxy.

        Yields:
            Each address, and how many nodes have led to it.
        """
        yield address, 0
        for hops, node in enumerate(reversed(nodes), 1):
            if not self._trusts(address):
                return
            found = self._read(read_node, node)
            if found is None:
                return
            address = found
            yield address, hops

    def _client(
        self, address: str, peer: Client, scheme: str | None, host: str | None
    ) -> Client:
        is_secure = None if scheme is None else self._read(read_scheme, scheme)
        named = None if host is None else self._read(_read_host, host)
        # Where nobody tells it: a proxy that connects without TLS may have undone it.
        return Client(
            address,
            is_secure if is_secure is not None else (peer.is_secure or None),
            named or peer.host,
        )

    def _read(self, reader: Callable[..., _Value], value: object) -> _Value | None:
        """What a reader makes of a value; None if that is malformed."""
        try:
            return reader(value)
        except Malformed:
            self._ignored["malformed"] += 1
            return None

    def _trusts(self, address: str) -> bool:
        if not self.trusted:
            return False
        if not address:
            return UNIX in self.trusted
        with suppress(ValueError):
            ip = plain_address(ip_address(address))
            if isinstance(ip, IPv6Address) and ip.scope_id is not None:
                ip = ip_address(int(ip))
            return any(
                network != UNIX and ip.version == network.version and ip in network
                for network in self.trusted
            )
        return False

    def _ignore_stranger(self, address: str) -> None:
        self._ignored["untrusted"] += 1
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Headers of a proxy from %s are ignored. If it is yours, add it to the "
                'setting "trusted_proxies". This is not said again',
                address or "a local socket",
            )


def _read_host(value: str) -> str:
    if Host.parse(value) is None:
        raise Malformed("not a host")
    return value
