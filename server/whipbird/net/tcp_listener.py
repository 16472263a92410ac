"""A TCP port that is listened on: accepts connections, and hands their sockets on."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

# Connections that the kernel completes while the process is busy.
BACKLOG = 1024

# Connections that are accepted in one turn.
MAX_ACCEPTS = 64

# Seconds after which a connection ends whose client takes nothing of what it is sent.
WRITE_TIMEOUT = 60.0

# Seconds to wait when there are no more file descriptors, or no memory.
_PAUSE = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class TcpListener:
    """Listens on a port of one or more addresses.

    Args:
        accepted: takes the socket of each connection; it does not block.
    """

    def __init__(self, accepted: Callable[[socket.socket], None]) -> None:
        self._accepted = accepted
        self._sockets: list[socket.socket] = []

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The IP addresses, ``0.0.0.0`` and ``::`` for all, and the port of each."""
        return tuple(listening.getsockname()[:2] for listening in self._sockets)

    async def open(self, host: str | None, port: int) -> None:
        """Listen.

        Args:
            host: an address, or a name: then all its addresses. None for all addresses
                of this machine.
            port: 0 for any.

        Raises:
            OSError: when an address or the port cannot be used.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            self._bind(
                dict.fromkeys((info[0], str(info[4][0])) for info in infos), port
            )
        except BaseException:
            self.close()
            raise
        for listening in self._sockets:
            loop.add_reader(listening.fileno(), self._accept, listening)

    def _bind(
        self, addresses: Iterable[tuple[socket.AddressFamily, str]], port: int
    ) -> None:
        problem: OSError | None = None
        for family, address in addresses:
            try:
                listening = socket.create_server(
                    (address, port), family=family, backlog=BACKLOG
                )
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                # A machine without IPv6, for example; other addresses may do.
                problem = error
                continue
            self._sockets.append(listening)
            listening.setblocking(False)
            port = listening.getsockname()[1]
            # Accepted sockets inherit it. Not all systems have it.
            with contextlib.suppress(OSError, AttributeError):
                listening.setsockopt(
                    socket.IPPROTO_TCP,
                    socket.TCP_USER_TIMEOUT,
                    int(WRITE_TIMEOUT * 1000),
                )
        if not self._sockets:
            raise problem or OSError("there is no such address")

    def close(self) -> None:
        """Accept nothing more."""
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening.fileno())
            listening.close()
        self._sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                logger.error("No connection can be accepted: %s", error.strerror)
                self._pause(listening)
                return
            accepted.setblocking(False)
            self._accepted(accepted)

    def _pause(self, listening: socket.socket) -> None:
        """Accept nothing for a moment."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening.fileno())

        def resume() -> None:
            if listening in self._sockets:
                loop.add_reader(listening.fileno(), self._accept, listening)

        loop.call_later(_PAUSE, resume)
