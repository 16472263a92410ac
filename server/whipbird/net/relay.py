"""A TURN allocation on a socket of its own."""

import asyncio
import math
import ssl
from collections.abc import Callable, Sequence

from ..sdp.link import IceServer
from ..transport.path import Address, RelayAddress
from ..transport.stun import StunError
from ..transport.turn import Allocation, TurnError
from ..transport.turn.framing import TurnDeframer

# Octets that wait on a connection to the TURN server; more are dropped.
MAX_BACKLOG = 2 * 1024 * 1024

# Seconds: some event loops wake up to a millisecond too early.
_RESOLUTION = 0.001

Received = Callable[[bytes, Address, float], None]
"""Takes a relayed datagram: its octets, the peer's address, and the time."""


class Relay:
    """A TURN server that relays for this side, from ``open`` to ``close``.

    Args:
        server: its URL and credentials.
        ipv6: whether to ask for an IPv6 address.

    Attributes:
        received: takes what peers send to ``relayed``.
        refused: called with each address that the server does not relay to, and why.
        lost: called when the server ends the allocation.
        server_address: the address of the server.
    """

    def __init__(self, server: IceServer, *, ipv6: bool = False) -> None:
        address = server.address
        self.server = server
        self.received: Received = lambda *_: None
        self.refused: Callable[[Address, TurnError], None] = lambda *_: None
        self.lost: Callable[[TurnError], None] = lambda _: None
        self.server_address: Address = (address.host, address.port)
        self._loop = asyncio.get_running_loop()
        self._allocation = Allocation(
            self,
            server.username or "",
            server.credential or "",
            reliable=address.is_tcp,
            ipv6=ipv6,
        )
        self._deframer = TurnDeframer()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._stream: asyncio.WriteTransport | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, timeout: float) -> None:
        """Get an allocation from the server. After an error it is closed.

        Args:
            timeout: seconds that it may take.

        Raises:
            OSError: when the server cannot be reached; ``ssl.SSLError`` is one.
            TimeoutError: when it does not answer in time.
            TurnError: when it refuses.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._connect()
                self._allocation.start(self._loop.time())
                self._arm()
                await self._opened
        except BaseException:
            self.close()
            raise

    @property
    def relayed(self) -> RelayAddress:
        """The address at which peers see this side."""
        assert self._allocation.relayed is not None
        return RelayAddress(*self._allocation.relayed[:2])

    @property
    def mapped(self) -> Address | None:
        """This side's address as the server sees it."""
        return self._allocation.mapped

    @property
    def local(self) -> Address:
        """The address of the socket to the server."""
        transport = self._stream or self._datagrams
        assert transport is not None
        name = transport.get_extra_info("sockname")
        return str(name[0]), int(name[1])

    def send_to(self, data: bytes, peer: Address) -> None:
        """Send a datagram to a peer through the server."""
        self._allocation.send(data, peer, self._loop.time())
        self._arm()

    def send_batch(
        self, datagrams: Sequence[bytes | memoryview], remote: Address
    ) -> None:
        """Send datagrams to a peer through the server."""
        for datagram in datagrams:
            self.send_to(bytes(datagram), remote)

    @property
    def backlog(self) -> int:
        """Octets that wait on the connection to the server."""
        return 0 if self._stream is None else self._stream.get_write_buffer_size()

    def close(self) -> None:
        """Give the allocation back, and close the socket."""
        self._shut()
        self._opened.cancel()

    def _shut(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._allocation.close(self._loop.time())
        for transport in (self._datagrams, self._stream):
            if transport is not None:
                transport.close()

    async def _connect(self) -> None:
        address = self.server.address
        if address.is_tcp:
            context = ssl.create_default_context() if address.is_secure else None
            stream, _ = await self._loop.create_connection(
                lambda: _Stream(self), address.host, address.port, ssl=context
            )
            self._stream = stream
            name = stream.get_extra_info("peername")
        elif address.is_secure:
            raise OSError("TURN over DTLS is not supported")
        else:
            datagrams, _ = await self._loop.create_datagram_endpoint(
                lambda: _Datagrams(self), remote_addr=(address.host, address.port)
            )
            self._datagrams = datagrams
            name = datagrams.get_extra_info("peername")
        self.server_address = str(name[0]), int(name[1])

    # What the socket says

    def datagram_received(self, data: bytes) -> None:
        """Take a message of the server."""
        self._allocation.receive(data, self._loop.time())
        self._arm()

    def octets_received(self, data: bytes) -> None:
        """Take octets of the server's stream."""
        try:
            for message in self._deframer.feed(data):
                self._allocation.receive(message, self._loop.time())
        except StunError as error:
            self._fail(TurnError(0, f"it is no TURN server ({error})"))
        else:
            self._arm()

    def connection_lost(self) -> None:
        """Take note that the connection has ended."""
        if not self._closed:
            self._fail(TurnError(0, "it has closed the connection"))

    def _fail(self, error: TurnError) -> None:
        """Give up: nothing that comes can be read."""
        self._shut()
        self.ended(error)

    # AllocationSinks

    def send(self, data: bytes) -> None:
        if self._datagrams is not None:
            self._datagrams.sendto(data)
        elif (
            self._stream is not None
            and self._stream.get_write_buffer_size() < MAX_BACKLOG
        ):
            self._stream.write(data)

    def allocated(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def relayed_data(self, data: bytes, peer: Address) -> None:
        self.received(data, peer, self._loop.time())

    def peer_refused(self, peer: Address, error: TurnError) -> None:
        self.refused(peer, error)

    def ended(self, error: TurnError) -> None:
        if not self._opened.done():
            self._opened.set_exception(error)
        elif not self._opened.cancelled():
            self.lost(error)

    # Time

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._allocation.deadline
        if deadline < math.inf:
            self._timer = self._loop.call_at(deadline + _RESOLUTION, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self._allocation.handle_timeout(self._loop.time())
        self._arm()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket of a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._relay.datagram_received(data)

    def error_received(self, exc: Exception) -> None:
        # Nothing listens there (ICMP); a request that is not answered says so.
        pass


class _Stream(asyncio.Protocol):
    """The TCP connection of a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def data_received(self, data: bytes) -> None:
        self._relay.octets_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.connection_lost()
