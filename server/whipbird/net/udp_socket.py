"""One UDP socket of the process, read and written in batches."""

import asyncio
import contextlib
import errno
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOL_SOCKET,
    socket,
)
from struct import Struct
from typing import Any

from ..native import Native
from ..transport.path import Address
from .backlog import Backlog

# Octets of buffer to ask the kernel for. Without privileges Linux grants at most
# net.core.rmem_max and net.core.wmem_max.
BUFFER_SIZE = 8 * 1024 * 1024
_MIN_BUFFER_SIZE = 256 * 1024

# Octets for one destination that wait until the network takes them; more are dropped.
MAX_BACKLOG = 2 * 1024 * 1024
# ... above which its path is congested.
CONGESTED = 1024 * 1024

# Control messages that are cached: one for each size of datagrams.
MAX_CONTROLS = 2048

# Datagrams, or batches of them, that are read in one turn.
MAX_READS = 32
# Turns that read one, until one looks whether there are more.
SINGLE_READS = 8

# Linux, udp(7) and socket(7); Python has no names for them.
_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104
_SO_RXQ_OVFL = 40
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SEGMENT_SIZE = Struct("=H")
_INT = Struct("=i")
_UINT = Struct("=I")
# Octets, and datagrams, that fit into one call.
_MAX_SEGMENTED = 65000
_MAX_SEGMENTS = 64

_READ_SIZE = 65535
_CONTROL_SIZE = 64

# The network interface cannot cut batches into datagrams. Not EINVAL: some kernels say
# that of datagrams that are too large for one path.
_CANNOT_SEGMENT = frozenset({errno.EIO, errno.EOPNOTSUPP})


Receive = Callable[[bytes, Address, Address, float], None]
"""Takes a datagram: its octets, the local and the remote address, and the time."""


class UdpSocket:
    """A UDP socket on one address of this machine.

    Args:
        sock: bound, and not blocking.
        receive: takes each datagram.
        flush: called after each turn of reading, with the time.
        backlog: counts what waits, together with other sockets.
        native: sends to many viewers with one call, if it is used.

    Attributes:
        compiled: the socket, as ``native`` has it.
        local: its address.
        receive_buffer, send_buffer: octets, as the kernel has granted them.
        kernel_drops: datagrams that found the receive buffer full.
        dropped: datagrams that were not sent, because too many waited already or the
            network refused them.
    """

    def __init__(
        self,
        sock: socket,
        receive: Receive,
        flush: Callable[[float], None],
        backlog: Backlog,
        native: Native | None = None,
    ) -> None:
        self._socket = sock
        self._receive = receive
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self.local: Address = sock.getsockname()[:2]
        self.receive_buffer, self.send_buffer = _size_buffers(sock)
        self.kernel_drops = 0
        self.dropped = 0
        self._is_ipv6 = sock.family == AF_INET6
        self._segments = hasattr(sock, "sendmsg") and _enable(sock, _UDP_SEGMENT, 0)
        if hasattr(sock, "recvmsg_into"):
            self._recvmsg_into = sock.recvmsg_into
            _enable(sock, _UDP_GRO, 1)
            if sys.platform == "linux":
                with contextlib.suppress(OSError):
                    sock.setsockopt(SOL_SOCKET, _SO_RXQ_OVFL, 1)
        else:
            self._recvmsg_into = partial(_recvmsg_into, sock)
        self._buffer = bytearray(_READ_SIZE)
        self._view = memoryview(self._buffer)
        self._reads = 1
        self._single_reads = 0
        self.compiled = (
            None
            if native is None
            else native.socket(
                sock.fileno(), segments=self._segments, unsent=self._unsent
            )
        )
        # What the network has not taken yet, by destination.
        self._backlog: dict[Address, deque[bytes]] = {}
        self._backlog_sizes: dict[Address, int] = {}
        self._all_backlog = backlog
        # The control messages for batches, by the size of their datagrams.
        self._controls: dict[int, list[tuple[int, int, bytes]]] = {}
        self._loop.add_reader(sock.fileno(), self.read)

    def set_option(self, level: int, option: int, value: int) -> None:
        """Set an option of the socket.

        Raises:
            OSError: when this system does not have it.
        """
        self._socket.setsockopt(level, option, value)

    def close(self) -> None:
        """Close the socket; what waits is lost."""
        if self.compiled is not None:
            self.compiled.close()
        self._loop.remove_reader(self._socket.fileno())
        if self._backlog:
            self._loop.remove_writer(self._socket.fileno())
            self._all_backlog.octets -= sum(self._backlog_sizes.values())
            self._backlog.clear()
        self._socket.close()

    # Reading

    def read(self) -> bool:
        """Read the datagrams that have arrived, up to a bound, then flush.

        Returns:
            Whether there may be more.
        """
        now = self._loop.time()
        recvmsg_into, buffers = self._recvmsg_into, [self._buffer]
        view, receive, local = self._view, self._receive, self.local
        reads, more = self._reads, False
        for count in range(reads):
            try:
                size, control, _, remote = recvmsg_into(buffers, _CONTROL_SIZE)
            except BlockingIOError:
                # A read that finds nothing costs as much as one that succeeds. Where
                # datagrams come one by one, further turns read only once.
                if count < 2:
                    self._reads = max(1, reads - 1)
                break
            except OSError:
                # An earlier datagram could not be delivered (ICMP).
                break
            if self._is_ipv6:
                remote = remote[:2]
            segment = self._read_control(control) if control else 0
            if 0 < segment < size:
                for start in range(0, size, segment):
                    end = min(start + segment, size)
                    receive(bytes(view[start:end]), local, remote, now)
            else:
                receive(bytes(view[:size]), local, remote, now)
        else:
            more = True
            if reads > 1:
                self._reads = MAX_READS
            else:
                self._single_reads += 1
                if self._single_reads == SINGLE_READS:
                    self._reads, self._single_reads = 2, 0
        self._flush(now)
        return more

    def _read_control(self, control: list[tuple[int, int, bytes]]) -> int:
        """The size of the segments in a batch; 0 for one datagram."""
        segment = 0
        for level, kind, data in control:
            if level == _SOL_UDP and kind == _UDP_GRO:
                segment = _INT.unpack_from(data)[0]
            elif level == SOL_SOCKET and kind == _SO_RXQ_OVFL:
                self.kernel_drops = _UINT.unpack_from(data)[0]
        return segment

    # Writing

    def backlog(self, remote: Address) -> int:
        """Octets for a destination that the network has not taken yet."""
        return self._backlog_sizes.get(remote, 0)

    def send(self, datagram: bytes | memoryview, remote: Address) -> None:
        """Send a datagram."""
        if self._backlog:
            self._wait([datagram], remote)
            return
        try:
            self._socket.sendto(datagram, remote)
        except BlockingIOError:
            self._wait([datagram], remote)
        except OSError:
            # There is no way there, or not for so large a datagram.
            self.dropped += 1

    def send_batch(
        self, datagrams: Sequence[bytes | memoryview], remote: Address
    ) -> None:
        """Send datagrams, those of one size with one call (``UDP_SEGMENT``)."""
        if self._backlog:
            self._wait(datagrams, remote)
            return
        start, count = 0, len(datagrams)
        while start < count:
            rest = datagrams[start:] if start else datagrams
            if not self._segments or start == count - 1:
                self.send(rest[0], remote)
                start += 1
                continue
            sizes = list(map(len, rest))
            size, end = sizes[0], batch_end(sizes)
            batch = rest if end == len(rest) else rest[:end]
            try:
                self._socket.sendmsg(batch, self._control_of(size), 0, remote)
            except BlockingIOError:
                self._wait(rest, remote)
                return
            except OSError as error:
                self._send_singly(batch, remote, error.errno)
            start += end

    def _send_singly(
        self, batch: Sequence[bytes | memoryview], remote: Address, number: int | None
    ) -> None:
        """Send datagrams that the kernel did not take together.

        Args:
            number: the errno.
        """
        if number in _CANNOT_SEGMENT:
            self._segments = False
            if self.compiled is not None:
                self.compiled.segments = False
        for datagram in batch:
            self.send(datagram, remote)

    def _unsent(
        self, datagrams: Sequence[bytes], remote: tuple[str, int], number: int
    ) -> None:
        """Take datagrams that the kernel did not take from ``native``."""
        if number == errno.EAGAIN:
            self._wait(datagrams, remote)
        else:
            self._send_singly(datagrams, remote, number)

    def _control_of(self, size: int) -> list[tuple[int, int, bytes]]:
        """The control message of a batch: the kernel cuts it into datagrams."""
        control = self._controls.get(size)
        if control is None:
            if len(self._controls) >= MAX_CONTROLS:
                self._controls.clear()
            data = _SEGMENT_SIZE.pack(size)
            control = self._controls[size] = [(_SOL_UDP, _UDP_SEGMENT, data)]
        return control

    def _wait(self, datagrams: Sequence[bytes | memoryview], remote: Address) -> None:
        """Keep datagrams until the network takes them, up to a bound."""
        if not self._backlog:
            self._loop.add_writer(self._socket.fileno(), self._writable)
            if self.compiled is not None:
                self.compiled.is_blocked = True
        waiting = self._backlog.setdefault(remote, deque())
        size = self._backlog_sizes.get(remote, 0)
        for datagram in datagrams:
            length = len(datagram)
            if size + length > MAX_BACKLOG or not self._all_backlog.has_room(length):
                self.dropped += 1
                continue
            waiting.append(bytes(datagram))
            size += length
            self._all_backlog.octets += length
        self._backlog_sizes[remote] = size

    def _writable(self) -> None:
        """Send what waits, a datagram for each destination in turn."""
        while self._backlog:
            for remote, waiting in list(self._backlog.items()):
                if waiting:
                    datagram = waiting[0]
                    try:
                        self._socket.sendto(datagram, remote)
                    except BlockingIOError:
                        return
                    except OSError:
                        self.dropped += 1
                    waiting.popleft()
                    self._all_backlog.octets -= len(datagram)
                    self._backlog_sizes[remote] -= len(datagram)
                if waiting:
                    # To the end: the next turn may end after one datagram.
                    self._backlog[remote] = self._backlog.pop(remote)
                else:
                    del self._backlog[remote], self._backlog_sizes[remote]
        self._loop.remove_writer(self._socket.fileno())
        if self.compiled is not None:
            self.compiled.is_blocked = False


def batch_end(sizes: Sequence[int]) -> int:
    """How many datagrams can be sent with one call, of those of these sizes."""
    size, most = sizes[0], _MAX_SEGMENTED // sizes[0]
    if most > _MAX_SEGMENTS:
        most = _MAX_SEGMENTS
    if len(sizes) > most:
        sizes = sizes[:most]
    # The last one may be shorter, and no other.
    count = len(sizes)
    if sizes.count(size) == count - (sizes[-1] < size):
        return count
    end = 1
    while sizes[end] == size:
        end += 1
    return end + (sizes[end] < size)


def bind(address: str, port: int, *, shares: bool = False) -> socket:
    """A UDP socket on a port of an address; 0 for any free port.

    Args:
        shares: whether other processes of this user may have the port, too.

    Raises:
        OSError: when the address or the port cannot be used.
    """
    sock = socket(AF_INET6 if ":" in address else AF_INET, SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if sock.family == AF_INET6:
            sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        if shares:
            # Not all systems have it; those without it have no workers.
            from socket import SO_REUSEPORT

            sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _size_buffers(sock: socket) -> tuple[int, int]:
    """Ask for large buffers.

    Returns:
        Octets of the receive and the send buffer that were granted.
    """
    for option, forced in (
        (SO_RCVBUF, _SO_RCVBUFFORCE),
        (SO_SNDBUF, _SO_SNDBUFFORCE),
    ):
        size = BUFFER_SIZE
        while size >= _MIN_BUFFER_SIZE:
            try:
                sock.setsockopt(SOL_SOCKET, option, size)
                break
            except OSError:
                # Linux grants what it can; others refuse what is too much.
                size //= 2
        if sys.platform == "linux":
            # Beyond the bound, with privileges.
            with contextlib.suppress(OSError):
                sock.setsockopt(SOL_SOCKET, forced, BUFFER_SIZE)
    return (
        sock.getsockopt(SOL_SOCKET, SO_RCVBUF),
        sock.getsockopt(SOL_SOCKET, SO_SNDBUF),
    )


def _recvmsg_into(
    sock: socket, buffers: list[bytearray], _control_size: int
) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
    """``socket.recvmsg_into`` for systems without it; there are no control messages."""
    size, remote = sock.recvfrom_into(buffers[0])
    return size, [], 0, remote


def _enable(sock: socket, option: int, value: int) -> bool:
    """Set a UDP option of Linux. Return whether this system has it."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(_SOL_UDP, option, value)
    except OSError:
        return False
    return True
