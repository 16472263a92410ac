"""What a worker says to the others: Unix datagram sockets that they read."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping

# Claims, facts and the like that wait for one worker that reads nothing; then the
# oldest is dropped. It is stopped, or about to end.
MAX_WAITING = 65_536

# Octets of the buffer of an inbox to ask the kernel for; Linux grants wmem_max.
INBOX_SIZE = 8 * 1024 * 1024
_SO_SNDBUFFORCE = 32


def make_inbox() -> tuple[socket.socket, socket.socket]:
    """An inbox: the end that one worker reads, and the one that all others write to.

    Both outlive the worker: what it was sent waits for the one that replaces it.
    """
    readable, writable = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for option in (socket.SO_SNDBUF, _SO_SNDBUFFORCE):
        # Beyond the system's bound with privileges only.
        with contextlib.suppress(OSError):
            writable.setsockopt(socket.SOL_SOCKET, option, INBOX_SIZE)
    readable.setblocking(False)
    writable.setblocking(False)
    return readable, writable


class Outboxes:
    """The inboxes of the other workers, as one of them writes to them.

    Args:
        sockets: one for each, by its number.
    """

    def __init__(self, sockets: Mapping[int, socket.socket]) -> None:
        self._sockets = sockets
        self._waiting: dict[int, deque[bytes]] = {}

    def close(self) -> None:
        """Send nothing that waits any more."""
        loop = asyncio.get_running_loop()
        for number in self._waiting:
            loop.remove_writer(self._sockets[number].fileno())
        self._waiting.clear()

    def tell_all(self, message: bytes) -> None:
        """Send all workers a message that must not be lost, in order."""
        for worker in self._sockets:
            self.tell(worker, message)

    def tell(self, worker: int, message: bytes) -> None:
        """Send a message that must not be lost, in order."""
        if worker in self._waiting:
            self._wait(worker, message)
        elif not self.send(worker, message):
            self._waiting[worker] = deque()
            asyncio.get_running_loop().add_writer(
                self._sockets[worker].fileno(), self._writable, worker
            )
            self._wait(worker, message)

    def send(self, worker: int, message: bytes) -> bool:
        """Send a message.

        Returns:
            Whether there was room for it.
        """
        try:
            self._sockets[worker].send(message)
        except OSError:
            return False
        return True

    def send_with(self, worker: int, message: bytes, descriptor: int) -> bool:
        """Send a message and a descriptor; see ``send``."""
        try:
            socket.send_fds(self._sockets[worker], [message], [descriptor])
        except OSError:
            return False
        return True

    def _wait(self, worker: int, message: bytes) -> None:
        waiting = self._waiting[worker]
        if len(waiting) == MAX_WAITING:
            waiting.popleft()
        waiting.append(message)

    def _writable(self, worker: int) -> None:
        waiting = self._waiting[worker]
        while waiting:
            if not self.send(worker, waiting[0]):
                return
            waiting.popleft()
        del self._waiting[worker]
        asyncio.get_running_loop().remove_writer(self._sockets[worker].fileno())
