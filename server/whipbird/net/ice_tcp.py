"""ICE over TCP: the connections of the process that carry it (RFC 6544)."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..transport.ice import LocalCandidate, passive_candidate
from ..transport.path import Path, TcpAddress
from .addresses import is_unspecified
from .backlog import Backlog
from .clients import network_of
from .dispatcher import Dispatcher, ufrag_of
from .framing import first_frame
from .neighbours import ICE_LISTENER, Neighbours
from .shard import Sharing
from .tcp_connection import CONGESTED, TcpConnection
from .tcp_limit import ConnectionLimit
from .tcp_listener import TcpListener

# Seconds for the first frame, which must be an authentic connectivity check.
FIRST_CHECK_TIMEOUT = 1.0

# Octets that are looked at for the first check, and seconds until the next look when it
# is not there yet.
_FIRST_LOOK = 1024
_LOOK_INTERVAL = 0.005

# Connectivity checks are the datagrams that begin with less (RFC 7983).
_AFTER_STUN = 4


@dataclass(frozen=True, slots=True)
class TcpStats:
    """ICE over TCP at a moment. Counts are since the start.

    Attributes:
        port: the TCP port in the candidates; 0 when there are none.
        connections: open ones.
        accepted: connections that have begun with an authentic check.
        refused: connections that were closed because they did not, in time.
        malformed: connections that were closed at a frame that was too large.
        send_drops: frames that were not sent, because too many waited already.
    """

    port: int
    connections: int
    accepted: int
    refused: int
    malformed: int
    send_drops: int


class _Guest:
    """A connection, as ``ConnectionLimit`` sees it."""

    def __init__(self, owner: "IceTcp", connection: TcpConnection) -> None:
        self._owner = owner
        self._connection = connection

    @property
    def network(self) -> str:
        return network_of(self._connection.path.remote[0])

    def end(self) -> None:
        self._owner.connection_lost(self._connection)


class IceTcp:
    """Takes accepted connections, and hands their frames to the dispatcher.

    A connection stays as long as a session has its path.

    Args:
        dispatcher: finds the session of each frame.
        backlog: counts what waits, together with other sockets.

    Attributes:
        neighbours: the other workers of this server, if there are any.
    """

    def __init__(self, dispatcher: Dispatcher, backlog: Backlog) -> None:
        self._dispatcher = dispatcher
        self._all_backlog = backlog
        self._connections: dict[Path, TcpConnection] = {}
        self._timers: dict[TcpConnection, asyncio.TimerHandle] = {}
        self._looked_at: dict[socket.socket, asyncio.TimerHandle] = {}
        self.neighbours: Neighbours | None = None
        self._listening: tuple[tuple[str, int], ...] = ()
        self._listener: TcpListener | None = None
        self._accepted = self._refused = self._malformed = self._dropped = 0

    # The port

    async def open(
        self, number: int, max_connections: int, sharing: Sharing = Sharing.NONE
    ) -> None:
        """Listen on a port of its own, on all addresses.

        Args:
            number: the port; 0 for any.
            max_connections: open connections, at most (see ``ConnectionLimit``).
            sharing: whether other workers have the port, too.

        Raises:
            OSError: when the port cannot be used.
        """
        limit = ConnectionLimit(max_connections, self.count, self.guests)

        def accepted(sock: socket.socket) -> None:
            limit.make_room()
            self.accept(sock)

        self._listener = listener = TcpListener(accepted)
        try:
            await listener.open(None, number, sharing)
        except OSError as error:
            problem = error.errno, f"TCP port {number}: {error.strerror or error}"
            raise OSError(*problem) from error
        self.announce(listener.addresses)

    def announce(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Set the addresses and the port on which connections are accepted."""
        self._listening = tuple(addresses)

    def candidates(
        self, public: Sequence[str], hosts: Sequence[str]
    ) -> list[LocalCandidate]:
        """The passive candidates of a new ICE session.

        Args:
            public, hosts: the IP addresses to offer; those on which nothing is accepted
                are left out.
        """
        found: list[LocalCandidate] = []
        for address, is_reached in (
            *((address, _reaches_public) for address in public),
            *((address, _reaches_host) for address in hosts),
        ):
            for listening, port in self._listening:
                if is_reached(address, listening):
                    base = TcpAddress(address, port)
                    found.append(passive_candidate(address, port, base, len(found)))
                    break
        return found

    def close(self) -> None:
        """Close the port of its own, if there is one, and all connections."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections.values()):
            self._shut(connection)
        for sock, timer in self._looked_at.items():
            timer.cancel()
            sock.close()
        self._looked_at.clear()

    # Connections

    def accept(self, sock: socket.socket) -> None:
        """Take a connection from which nothing was read.

        With other workers, its first frame is looked at, and left where it is: the
        connection goes to the worker of the session that it names.
        """
        if self.neighbours is None:
            self.keep(sock)
        else:
            self._look(sock, self._loop_time() + FIRST_CHECK_TIMEOUT)

    def _look(self, sock: socket.socket, until: float) -> None:
        assert self.neighbours is not None
        self._looked_at.pop(sock, None)
        try:
            octets = sock.recv(_FIRST_LOOK, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            octets = b""
        except OSError:
            sock.close()  # It has ended already.
            return
        check = first_frame(octets)
        is_whole = check is not None or len(octets) == _FIRST_LOOK
        if not is_whole and self._loop_time() < until:
            self._looked_at[sock] = asyncio.get_running_loop().call_later(
                _LOOK_INTERVAL, self._look, sock, until
            )
            return
        owner = self.neighbours.shard.other_of_ufrag(ufrag_of(check or b""))
        if owner is None or not self.neighbours.pass_on(owner, ICE_LISTENER, sock):
            self.keep(sock)

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()

    def keep(self, sock: socket.socket) -> None:
        """Take a connection, whichever worker its session has."""
        try:
            local, remote = sock.getsockname(), sock.getpeername()
        except OSError:
            sock.close()  # It has ended already.
            return
        path = Path(TcpAddress(*local[:2]), TcpAddress(*remote[:2]))
        connection = TcpConnection(sock, path, self, self._all_backlog)
        self._connections[path] = connection
        self._timers[connection] = asyncio.get_running_loop().call_later(
            FIRST_CHECK_TIMEOUT, self._refuse, connection
        )

    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections) + len(self._looked_at)

    def guests(self) -> list[_Guest]:
        """The open connections, those without a session first, then the oldest."""
        connections = sorted(self._connections.values(), key=lambda c: c.is_verified)
        return [_Guest(self, connection) for connection in connections]

    def release(self, path: Path) -> None:
        """Close the connection of a path that no session has any more."""
        connection = self._connections.get(path)
        if connection is not None and connection.is_verified:
            self._shut(connection)

    def _refuse(self, connection: TcpConnection) -> None:
        self._refused += 1
        self._shut(connection)

    def _shut(self, connection: TcpConnection) -> None:
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()
        if self._connections.get(connection.path) is connection:
            del self._connections[connection.path]
            self._dropped += connection.dropped
        connection.shut()

    # TcpSink

    def frame_received(
        self, connection: TcpConnection, frame: bytes, now: float
    ) -> None:
        path, dispatcher = connection.path, self._dispatcher
        if connection.is_verified:
            dispatcher.receive(frame, path.local, path.remote, now)
            return
        if frame and frame[0] < _AFTER_STUN:
            dispatcher.receive(frame, path.local, path.remote, now)
        if dispatcher.is_routed(path):
            connection.is_verified = True
            self._accepted += 1
            self._timers.pop(connection).cancel()
        else:
            self._refuse(connection)

    def turn_ended(self, now: float) -> None:
        self._dispatcher.flush(now)

    def connection_lost(
        self, connection: TcpConnection, *, malformed: bool = False
    ) -> None:
        self._malformed += malformed
        if not (malformed or connection.is_verified):
            self._refused += 1
        self._shut(connection)
        now = asyncio.get_running_loop().time()
        self._dispatcher.close_path(connection.path, now)
        self._dispatcher.flush(now)

    # Sending

    def send(self, datagram: bytes | memoryview, path: Path) -> None:
        """Send a datagram; it is lost if the connection has ended."""
        if (connection := self._connections.get(path)) is not None:
            connection.send(datagram)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams on one path."""
        if (connection := self._connections.get(path)) is not None:
            connection.send_batch(datagrams)

    def is_congested(self, path: Path) -> bool:
        """Whether the peer takes less than it is sent."""
        connection = self._connections.get(path)
        return connection is not None and connection.queued > CONGESTED

    @property
    def stats(self) -> TcpStats:
        """A snapshot of its counts."""
        connections = self._connections.values()
        return TcpStats(
            port=self._listening[0][1] if self._listening else 0,
            connections=len(connections),
            accepted=self._accepted,
            refused=self._refused,
            malformed=self._malformed,
            send_drops=self._dropped + sum(c.dropped for c in connections),
        )


def _reaches_host(address: str, listening: str) -> bool:
    """Whether connections to an address of this machine are accepted."""
    if address == listening:
        return True
    return _is_of_one_family(address, listening) and is_unspecified(listening)


def _reaches_public(address: str, listening: str) -> bool:
    """Whether connections that a NAT forwards here may be accepted."""
    is_local = ipaddress.ip_address(listening).is_loopback
    return _is_of_one_family(address, listening) and not is_local


def _is_of_one_family(one: str, other: str) -> bool:
    return (":" in one) is (":" in other)
