"""The client's side, the same for every server: Whipbird's own WHIP client."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import SO_REUSEADDR, SOL_SOCKET
from typing import Any

import aiohttp
from yarl import URL

from whipbird.client import WhipClient, WhipHttp
from whipbird.client.whip import TIMEOUT
from whipbird.net import HostAddresses, UdpPort
from whipbird.rtc import Certificate, DataChannel, PeerOptions
from whipbird.transport.path import Path
from whipbird.transport.sctp import PPID_BINARY

from .servers import Endpoint


class BenchError(Exception):
    """What came back is not what was sent. A figure of it would mean nothing."""


class TimedHttp(WhipHttp):
    """Notes when it sends a POST, and when that is answered."""

    posted = answered = 0.0

    async def request(
        self, method: str, url: URL, **arguments: Any
    ) -> tuple[aiohttp.ClientResponse, str]:
        if method != "POST":
            return await super().request(method, url, **arguments)
        self.posted = time.perf_counter()
        answer = await super().request(method, url, **arguments)
        self.answered = time.perf_counter()
        return answer


class _SharedPort(UdpPort):
    """A port whose addresses other sockets can have, too."""

    def share_addresses(self) -> None:
        """Let other sockets be bound to the addresses from now on."""
        for opened in self._sockets.values():
            opened.set_option(SOL_SOCKET, SO_REUSEADDR, 1)


class TimedClient(WhipClient):
    """A client whose own work can be kept away from the clock.

    Args:
        certificate: the same for many, so that each costs this side little.
        addresses: of this machine, to be reached at.
    """

    def __init__(
        self, endpoint: Endpoint, certificate: Certificate, addresses: HostAddresses
    ) -> None:
        port = _SharedPort(addresses)
        super().__init__(endpoint.url, options=PeerOptions(certificate, port))
        self.http: TimedHttp = TimedHttp(endpoint.token, TIMEOUT)
        self._port = port

    @property
    def posted(self) -> float:
        """When it has sent its POST, of ``time.perf_counter``."""
        return self.http.posted

    @property
    def answered(self) -> float:
        """When the answer to it was there."""
        return self.http.answered

    async def prepare(self) -> DataChannel:
        """Make a channel, sockets and candidates; ``post`` will do it faster."""
        channel = self.peer.createDataChannel("bench")
        await self._make_offer()
        return channel

    async def prepare_to_watch(self) -> None:
        """Make an offer of video and audio, sockets and candidates, as above."""
        for kind in ("video", "audio"):
            self.peer.addTransceiver(kind, direction="recvonly")
        await self._make_offer()

    async def _make_offer(self) -> None:
        assert self._port is not None
        await self._port.open()
        await self.peer.setLocalDescription(await self.peer.createOffer())

    def share_address(self) -> None:
        """Let another socket have the address of this client's as well."""
        assert isinstance(self._port, _SharedPort)
        self._port.share_addresses()

    def receive(self, datagram: bytes, path: Path) -> None:
        """Take a datagram that another socket has read."""
        assert self._port is not None
        dispatcher, now = self._port.dispatcher, self._port.now
        dispatcher.receive(datagram, path.local, path.remote, now)
        dispatcher.flush(now)

    async def delete(self) -> None:
        """End the session at the server; what is left on this side is to be closed.

        Some servers have no session to be ended.
        """
        if self.location is None:
            return
        await self.http.request("DELETE", self.location)
        self.location = None


@dataclass(frozen=True, slots=True)
class Wire:
    """An open data channel, reliable and ordered, without the cost of events."""

    client: TimedClient
    channel: DataChannel

    def send(self, message: bytes) -> None:
        """Send a binary message.

        Raises:
            BenchError: when the channel is no longer open.
        """
        if not self.client.peer.send_message(self.channel, PPID_BINARY, message):
            raise BenchError("the server has closed the channel")

    def on_message(self, take: Callable[[bytes], None]) -> None:
        """Give every message that comes to a function."""
        self.client.peer.on_message = lambda channel, protocol, data: take(data)


class _OneAddress(HostAddresses):
    """The address that is preferred, and no other."""

    def current(self) -> list[str]:
        return super().current()[:1]


class Clients:
    """Makes clients, each with a UDP port of its own, as those of many machines."""

    def __init__(self) -> None:
        self._certificate = Certificate.generate()
        self._addresses, self._one_address = HostAddresses(), _OneAddress()

    def new(self, endpoint: Endpoint) -> TimedClient:
        """A client that is not connected yet."""
        return TimedClient(endpoint, self._certificate, self._addresses)

    def with_one_path(self, endpoint: Endpoint) -> TimedClient:
        """The same, where both sides can send to one address only."""
        return TimedClient(endpoint, self._certificate, self._one_address)

    async def wire(self, endpoint: Endpoint) -> Wire:
        """Connect a client, and open a channel. It is the caller's to close."""
        client = self.new(endpoint)
        try:
            channel = client.peer.createDataChannel("bench")
            await client.post()
            await client.opened(channel)
        except BaseException:
            await client.close()
            raise
        return Wire(client, channel)

    @asynccontextmanager
    async def wired(self, endpoint: Endpoint) -> AsyncIterator[Wire]:
        """Connect a client, open a channel, and close both when done."""
        wire = await self.wire(endpoint)
        try:
            yield wire
        finally:
            await wire.client.close()
