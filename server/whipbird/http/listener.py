"""The TCP port: HTTP, HTTPS and ICE, told apart by the first octet of a connection."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ..net import IceTcp
from ..net.clients import network_of
from ..net.neighbours import Neighbours
from ..net.shard import Sharing
from ..net.tcp_limit import ConnectionLimit, Guest
from ..net.tcp_listener import TcpListener
from .owners import FIRST_LOOK, owner_of_connection

# Seconds that a connection may be silent at first, take for the head of its first
# request, and be idle between two: longer than proxies keep theirs.
IDLE_TIMEOUT = 75.0

# Seconds for a TLS handshake.
TLS_TIMEOUT = 20.0

# Seconds to wait for open requests when the server stops.
SHUTDOWN_TIMEOUT = 3.0

# The first octet of a TLS connection: a handshake record (RFC 8446 section 5.1).
_TLS = 22

# ... and above which one is that of HTTP, which begins with a letter: or with an empty
# line (RFC 9112 section 2.2). Frames (RFC 4571) begin with the length of a datagram.
_HTTP = frozenset(b"\r\nABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class ListenerStats:
    """A listener at a moment.

    Attributes:
        connections: those that are open.
        ended: those that were ended to make room for others.
    """

    connections: int = 0
    ended: int = 0


class _Arrival:
    """A connection that has not said what it is, or is shaking hands."""

    def __init__(
        self, sock: socket.socket, network: str, drop: "_Drop", *, is_mine: bool
    ) -> None:
        self.socket = sock
        # Whether it stays with this worker, whatever it is for.
        self.is_mine = is_mine
        self.network = network
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_shaking_hands = False
        self.is_over = False
        self._drop = drop

    def end(self) -> None:
        self._drop(self)


_Drop = Callable[[_Arrival], None]


class _Visitor:
    """A connection of HTTP, as ``ConnectionLimit`` sees it."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler

    @property
    def network(self) -> str:
        peer = self._handler.peername
        return network_of(peer[0]) if isinstance(peer, tuple) else ""

    def end(self) -> None:
        self._handler.force_close()


class Listener:
    """Serves an application on a TCP port.

    What a connection is for is told by its first octet, which is looked at and left
    where it is: a letter begins HTTP, 0x16 TLS, and anything else a frame of ICE.

    Args:
        app: the application; ``open`` starts it up.
        max_connections: open connections, at most (see ``ConnectionLimit``).
        tls: gives the context for a new connection of HTTPS; without it there is none.
        ice: takes connections of ICE; without it there are none.
        name: what the listener is called by other workers.
        neighbours: those that its connections may be for; None if there are none.
    """

    def __init__(
        self,
        app: web.Application,
        max_connections: int,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        ice: IceTcp | None = None,
        name: str = "public",
        neighbours: Neighbours | None = None,
    ) -> None:
        self._name = name
        self._neighbours = neighbours
        self._inside: asyncio.AbstractServer | None = None
        self._tls = tls
        self._ice = ice
        self._runner = web.AppRunner(
            app,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            keepalive_timeout=IDLE_TIMEOUT,
            # No content coding is supported, so none need be undone.
            auto_decompress=False,
            access_log=None,  # it would show whole session ids
        )
        self._max_connections = max_connections
        self._limit = ConnectionLimit(max_connections, self._count, self._guests)
        self._listener = TcpListener(self._accepted)
        # In the order of their arrival.
        self._arrivals: dict[_Arrival, None] = {}

    @property
    def port(self) -> int:
        """The number of the port; 0 before ``open``."""
        addresses = self._listener.addresses
        return addresses[0][1] if addresses else 0

    @property
    def stats(self) -> ListenerStats:
        """A snapshot."""
        count = self._others() + len(self._handlers)
        return ListenerStats(count, self._limit.ended)

    async def start_app(self) -> None:
        """Start the application up.

        Raises:
            OSError: when it cannot be started.
        """
        await self._runner.setup()

    async def open(self, host: str, port: int, sharing: Sharing = Sharing.NONE) -> None:
        """Accept connections, once the application has started.

        Args:
            host: an address or a name; ``::`` is all addresses, of IPv4 too, with a
                socket for each family: IPv4 clients have no mapped addresses.
            sharing: whether other workers have the port, too.

        Raises:
            OSError: when the address or the port cannot be used.
        """
        if self._neighbours is not None:
            self._neighbours.listeners[self._name] = self._handed_over
        await self._listener.open(None if host == "::" else host, port, sharing)
        if self._ice is not None:
            self._ice.announce(self._listener.addresses)

    async def open_inside(self, path: Path) -> None:
        """Take requests of the other workers, too, at a local socket.

        Raises:
            OSError: when it cannot be made.
        """
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        self._inside = await loop.create_unix_server(self._runner.server, str(path))

    async def close(self) -> None:
        """Accept nothing more, answer what was asked, and shut the application down."""
        if self._neighbours is not None:
            self._neighbours.listeners.pop(self._name, None)
        if self._inside is not None:
            self._inside.close()
        self._listener.close()
        connecting = [a.task for a in self._arrivals if a.task is not None]
        for arrival in tuple(self._arrivals):
            arrival.end()
        if connecting:
            await asyncio.wait(connecting)
        await self._runner.cleanup()

    # For the limit

    def _others(self) -> int:
        """How many connections there are that are not of HTTP, or not yet."""
        ice = 0 if self._ice is None else self._ice.count()
        return len(self._arrivals) + ice

    def _count(self) -> int:
        """How many there are; exact only where it matters, since each arrival asks."""
        server, others = self._runner.server, self._others()
        most = 0 if server is None else len(server.connections)
        if others + most >= self._max_connections:
            most = len(self._handlers)
        return others + most

    def _guests(self) -> list[Guest]:
        """All connections: the silent ones first, then those of HTTP, then of ICE."""
        visitors = [_Visitor(handler) for handler in self._handlers]
        ice = () if self._ice is None else self._ice.guests()
        return [*self._arrivals, *visitors, *ice]

    @property
    def _handlers(self) -> list[RequestHandler]:
        """Those of all open connections of HTTP, the oldest first."""
        server = self._runner.server
        connections = [] if server is None else server.connections
        # Those without a transport are about to end; those of other workers, which
        # have no addresses, are counted where they come from.
        return [
            handler
            for handler in connections
            if handler.transport is not None and isinstance(handler.peername, tuple)
        ]

    # Connections

    def _accepted(self, sock: socket.socket) -> None:
        self._arrived(sock, is_mine=self._neighbours is None)

    def _handed_over(self, sock: socket.socket) -> None:
        """Take a connection that another worker has accepted."""
        self._arrived(sock, is_mine=True)

    def _arrived(self, sock: socket.socket, *, is_mine: bool) -> None:
        self._limit.make_room()
        try:
            network = network_of(sock.getpeername()[0])
        except OSError:
            sock.close()  # It has ended already.
            return
        arrival = _Arrival(sock, network, self._drop, is_mine=is_mine)
        self._arrivals[arrival] = None
        self._look(arrival)

    def _look(self, arrival: _Arrival) -> None:
        """Look at the first octet, and hand the connection on; or wait for it."""
        sock = arrival.socket
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._wait(arrival)
            return
        except OSError:
            first = b""
        if not first:
            self._drop(arrival)
            return
        self._stop_waiting(arrival)
        if first[0] == _TLS:
            # Without a certificate HTTP refuses it; a client can tell that.
            self._connect(arrival, None if self._tls is None else self._tls())
        elif self._ice is None or first[0] in _HTTP:
            if arrival.is_mine or not self._pass_on(arrival):
                self._connect(arrival, None)
        else:
            del self._arrivals[arrival]
            self._ice.accept(sock)

    def _pass_on(self, arrival: _Arrival) -> bool:
        """Hand a connection to the worker that its first request is for.

        Returns:
            Whether it was handed over; it stays when the head of the request has not
            come yet.
        """
        neighbours = self._neighbours
        assert neighbours is not None
        try:
            octets = arrival.socket.recv(FIRST_LOOK, socket.MSG_PEEK)
        except OSError:
            return False
        owner = owner_of_connection(octets, neighbours.shard)
        if owner is None or not neighbours.pass_on(owner, self._name, arrival.socket):
            return False
        del self._arrivals[arrival]
        return True

    def _connect(self, arrival: _Arrival, tls: ssl.SSLContext | None) -> None:
        arrival.is_shaking_hands = tls is not None
        arrival.task = asyncio.create_task(self._serve(arrival, tls))

    async def _serve(self, arrival: _Arrival, tls: ssl.SSLContext | None) -> None:
        """Hand a connection to aiohttp, after the TLS handshake, if there is one."""
        server = self._runner.server
        assert server is not None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                server,
                arrival.socket,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else TLS_TIMEOUT,
            )
            if arrival.is_over:
                transport.abort()
        except (OSError, asyncio.CancelledError):
            # ssl.SSLError is one: what is wrong with a client's TLS is its own affair.
            arrival.socket.close()
        finally:
            self._arrivals.pop(arrival, None)

    def _drop(self, arrival: _Arrival) -> None:
        """Close a connection that has not said what it is, or is shaking hands."""
        self._arrivals.pop(arrival, None)
        arrival.is_over = True
        if arrival.task is not None:
            # Without a handshake it takes an instant; uvloop does not end it well.
            if arrival.is_shaking_hands:
                arrival.task.cancel()
            return
        self._stop_waiting(arrival)
        with contextlib.suppress(OSError):
            arrival.socket.close()

    def _wait(self, arrival: _Arrival) -> None:
        """Look again when something comes; often the first octet is there at once."""
        if arrival.timer is None:
            loop = asyncio.get_running_loop()
            arrival.timer = loop.call_later(IDLE_TIMEOUT, self._drop, arrival)
            loop.add_reader(arrival.socket.fileno(), self._look, arrival)

    def _stop_waiting(self, arrival: _Arrival) -> None:
        if arrival.timer is not None:
            arrival.timer.cancel()
            asyncio.get_running_loop().remove_reader(arrival.socket.fileno())
