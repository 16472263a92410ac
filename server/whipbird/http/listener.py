"""The TCP connections of HTTP: how many there are, and how long they may be idle."""

import asyncio
import contextlib
import socket
from collections import defaultdict
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ..net.clients import network_of

# Seconds that a connection may take for the head of its first request, and be idle
# between two: longer than proxies keep theirs.
IDLE_TIMEOUT = 75.0

# Seconds after which a connection ends whose client takes nothing of what it is sent.
WRITE_TIMEOUT = 60.0

# Seconds to wait for open requests when the server stops.
SHUTDOWN_TIMEOUT = 3.0

# Connections that the kernel completes while the process is busy.
BACKLOG = 1024

# The part of all connections that is ended at a time when there are too many: looking
# for them takes as long as ending ten, and others are not to wait for many.
_SHARE = 128

Handler = RequestHandler


@dataclass(frozen=True, slots=True)
class ListenerStats:
    """A listener at a moment.

    Attributes:
        connections: those that are open.
        ended: those that were ended to make room for others.
    """

    connections: int = 0
    ended: int = 0


class ConnectionLimit:
    """Makes the handlers of connections, and ends some when there are too many.

    Then the network (see ``network_of``) that has most of them gives up its oldest
    ones. So nobody can keep the others out by connections that do nothing.

    Args:
        server: makes the handlers, and knows those of all open connections.
        limit: how many there may be.

    Attributes:
        ended: connections that were ended to make room.
    """

    def __init__(self, server: web.Server, limit: int) -> None:
        self.ended = 0
        self._server = server
        self._limit = limit

    def __call__(self) -> Handler:
        """The handler of a new connection."""
        if len(self._server.connections) >= self._limit:
            self._make_room()
        return self._server()

    def _make_room(self) -> None:
        networks: defaultdict[str, list[Handler]] = defaultdict(list)
        # The oldest first.
        for handler in self._server.connections:
            networks[_network(handler)].append(handler)
        most = max(networks.values(), key=len)
        for handler in most[: max(self._limit // _SHARE, 1)]:
            self.ended += 1
            handler.force_close()


def _network(handler: Handler) -> str:
    peer = handler.peername
    return network_of(peer[0]) if isinstance(peer, tuple) else ""


class Listener:
    """Serves an application on a TCP port.

    Args:
        app: the application; ``open`` starts it up.
        max_connections: open connections, at most (see ``ConnectionLimit``).
    """

    def __init__(self, app: web.Application, max_connections: int) -> None:
        self._max_connections = max_connections
        self._runner = web.AppRunner(
            app,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            keepalive_timeout=IDLE_TIMEOUT,
            # No content coding is supported, so none need be undone.
            auto_decompress=False,
            access_log=None,  # it would show whole session ids
        )
        self._server: asyncio.Server | None = None
        self._limit: ConnectionLimit | None = None

    @property
    def port(self) -> int:
        """The number of the port; 0 before ``open``."""
        sockets = () if self._server is None else self._server.sockets
        return sockets[0].getsockname()[1] if sockets else 0

    @property
    def stats(self) -> ListenerStats:
        """A snapshot."""
        handlers, limit = self._runner.server, self._limit
        if handlers is None or limit is None:
            return ListenerStats()
        return ListenerStats(len(handlers.connections), limit.ended)

    async def start_app(self) -> None:
        """Start the application up.

        Raises:
            OSError: when it cannot be started.
        """
        await self._runner.setup()

    async def open(self, host: str, port: int) -> None:
        """Accept connections, once the application has started.

        Raises:
            OSError: when the address or the port cannot be used.
        """
        handlers = self._runner.server
        assert handlers is not None
        self._limit = ConnectionLimit(handlers, self._max_connections)
        self._server = server = await asyncio.get_running_loop().create_server(
            self._limit,
            host,
            port,
            backlog=BACKLOG,
            start_serving=False,
        )
        for listening in server.sockets:
            # Accepted sockets inherit it. Not all systems have it.
            with contextlib.suppress(OSError, AttributeError):
                milliseconds = int(WRITE_TIMEOUT * 1000)
                listening.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds
                )
        await server.start_serving()

    async def close(self) -> None:
        """Accept nothing more, answer what was asked, and shut the application down."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
