"""A TCP port that is listened on: accepts connections, and hands their sockets on."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterable

from .shard import Sharing

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

    async def open(
        self, host: str | None, port: int, sharing: Sharing = Sharing.NONE
    ) -> None:
        """Listen.

        Args:
            host: an address, or a name: then all its addresses. None for all addresses
                of this machine.
            port: 0 for any.
            sharing: whether other workers have the port, too.

        Raises:
            OSError: when an address or the port cannot be used.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        addresses = dict.fromkeys((info[0], str(info[4][0])) for info in infos)
        try:
            if sharing is Sharing.FIRST:
                # Who shares a port does not see that strangers have it.
                self._bind(addresses, port, _claim)
                port = self._sockets[0].getsockname()[1]
                self._close_sockets()
            listen = _share if sharing is not Sharing.NONE else _listen
            self._bind(addresses, port, listen)
        except BaseException:
            self.close()
            raise
        for listening in self._sockets:
            loop.add_reader(listening.fileno(), self._accept, listening)

    def _bind(
        self,
        addresses: Iterable[tuple[socket.AddressFamily, str]],
        port: int,
        make: Callable[[socket.AddressFamily, str, int], socket.socket],
    ) -> None:
        problem: OSError | None = None
        for family, address in addresses:
            try:
                listening = make(family, address, port)
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
        self._close_sockets()

    def _close_sockets(self) -> None:
        for listening in self._sockets:
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


def _listen(
    family: socket.AddressFamily, address: str, port: int, *, shares: bool = False
) -> socket.socket:
    return socket.create_server(
        (address, port), family=family, backlog=BACKLOG, reuse_port=shares
    )


def _share(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    return _listen(family, address, port, shares=True)


def _claim(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Have a port without listening: a client that connected would be cut off."""
    claimed = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As for one that listens: former connections do not matter, listeners do.
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            claimed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        claimed.bind((address, port))
    except OSError:
        claimed.close()
        raise
    return claimed
