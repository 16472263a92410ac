"""The TCP port: HTTP, HTTPS and ICE, told apart by the first octet of a connection."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ..net import IceTcp
from ..net.clients import network_of
from ..net.tcp_limit import ConnectionLimit, Guest
from ..net.tcp_listener import TcpListener

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

    def __init__(self, sock: socket.socket, network: str, drop: "_Drop") -> None:
        self.socket = sock
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
    """

    def __init__(
        self,
        app: web.Application,
        max_connections: int,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        ice: IceTcp | None = None,
    ) -> None:
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

    async def open(self, host: str, port: int) -> None:
        """Accept connections, once the application has started.

        Args:
            host: an address or a name; ``::`` is all addresses, of IPv4 too, with a
                socket for each family: IPv4 clients have no mapped addresses.

        Raises:
            OSError: when the address or the port cannot be used.
        """
        await self._listener.open(None if host == "::" else host, port)
        if self._ice is not None:
            self._ice.announce(self._listener.addresses)

    async def close(self) -> None:
        """Accept nothing more, answer what was asked, and shut the application down."""
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
        # Those without a transport are about to end.
        return [h for h in connections if h.transport is not None]

    # Connections

    def _accepted(self, sock: socket.socket) -> None:
        self._limit.make_room()
        try:
            network = network_of(sock.getpeername()[0])
        except OSError:
            sock.close()  # It has ended already.
            return
        arrival = _Arrival(sock, network, self._drop)
        self._arrivals[arrival] = None
        loop = asyncio.get_running_loop()
        arrival.timer = loop.call_later(IDLE_TIMEOUT, self._drop, arrival)
        loop.add_reader(sock.fileno(), self._look, arrival)
        # Often it is there already.
        self._look(arrival)

    def _look(self, arrival: _Arrival) -> None:
        """Look at the first octet, and hand the connection on."""
        sock = arrival.socket
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
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
            self._connect(arrival, None)
        else:
            del self._arrivals[arrival]
            self._ice.accept(sock)

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

    def _stop_waiting(self, arrival: _Arrival) -> None:
        assert arrival.timer is not None
        arrival.timer.cancel()
        asyncio.get_running_loop().remove_reader(arrival.socket.fileno())
