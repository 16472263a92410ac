"""The server that is examined: what is asked of it, and what is known so far."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from ..client import WhipClient, WhipError
from ..net import HostAddresses
from ..rtc import DataChannel
from ..sdp.candidate import Candidate
from ..transport.path import Address
from .prober import Prober


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an examination.

    Attributes:
        token: a Bearer token; None for none.
        fingerprint: the SHA-256 digest of the only certificate to accept.
        timeout: seconds to wait for each answer.
    """

    token: str | None = None
    fingerprint: bytes | None = None
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Mapping:
    """This client's address, as a server has seen it.

    Attributes:
        server: the address that was asked, by UDP.
        local: the socket that asked.
        seen: where the question came from.
    """

    server: Address
    local: Address
    seen: Address


@dataclass(slots=True)
class Subject:
    """A server under examination.

    Attributes:
        url: as given, then where it redirects to.
        stopped: why nothing more can be found out; None while it can.
        addresses: the IP addresses of the URL's host.
        fingerprint: of the certificate to accept: the one given, or the one seen.
        endpoint: the WHIP endpoint.
        is_whipbird: whether the server says that it is Whipbird.
        client: the client of the session.
        channel: its data channel.
        connecting: waits for its connection.
        candidates: those of the answer.
        udp_answers: whether the server was heard over UDP; None before that is tried.
        tcp_answers: the same for TCP.
        mappings: this client's addresses as servers have seen them.
        probers: a UDP socket for each family, by whether it is IPv6's.
    """

    url: URL
    options: Options
    stopped: str | None = None
    addresses: tuple[str, ...] = ()
    fingerprint: bytes | None = None
    endpoint: URL = field(default_factory=URL)
    is_whipbird: bool = False
    client: WhipClient | None = None
    channel: DataChannel | None = None
    connecting: asyncio.Task[None] | None = None
    candidates: tuple[Candidate, ...] = ()
    udp_answers: bool | None = None
    tcp_answers: bool | None = None
    mappings: list[Mapping] = field(default_factory=list)
    probers: dict[bool, Prober] = field(default_factory=dict)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def host(self) -> str:
        """The host of the URL."""
        return self.url.host or ""

    @property
    def port(self) -> int:
        """The port of the URL."""
        return self.url.port or 0

    def own_addresses(self) -> list[str]:
        """The addresses of this machine."""
        return HostAddresses(loopback=True).current()

    async def prober(self, *, ipv6: bool) -> Prober:
        """The UDP socket for a family: one, so that a NAT maps it once.

        Raises:
            OSError: when this machine does not have the family.
        """
        # Several checks need it at the same time.
        async with self._opening:
            if ipv6 not in self.probers:
                self.probers[ipv6] = await Prober.open(ipv6=ipv6)
            return self.probers[ipv6]

    def http(self) -> aiohttp.ClientSession:
        """A session for requests without a token."""
        tls = aiohttp.Fingerprint(self.fingerprint) if self.fingerprint else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            timeout=aiohttp.ClientTimeout(self.options.timeout),
        )

    async def close(self) -> None:
        """End the session, and close all sockets."""
        if self.connecting is not None:
            self.connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError, WhipError):
                await self.connecting
        if self.client is not None:
            await self.client.close()
        for prober in self.probers.values():
            prober.close()
