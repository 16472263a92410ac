"""One TCP connection that carries ICE: frames in, and a bounded queue of frames out."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from ..transport.path import Path
from .backlog import Backlog
from .framing import Deframer, FrameError, pack_length

# Octets that the kernel may keep for a peer that takes them slowly. It counts its own
# overhead, too, and doubles the number for that.
SEND_BUFFER = 128 * 1024

# Octets in the queue of one connection above which its path is congested; above which
# no more media is queued; and above which nothing is.
CONGESTED = 512 * 1024
MAX_MEDIA_QUEUE = 1024 * 1024
MAX_QUEUE = MAX_MEDIA_QUEUE + 256 * 1024

# Octets that are read in one turn.
READ_SIZE = 64 * 1024

# Frames that are written with one call.
_MAX_BUFFERS = 64

# The first octet of RTP and RTCP is above it (RFC 7983).
_NOT_MEDIA = 127


class TcpSink(Protocol):
    """What a connection calls while it is read."""

    def frame_received(
        self, connection: "TcpConnection", frame: bytes, now: float
    ) -> None:
        """Take a datagram. It may shut the connection."""

    def turn_ended(self, now: float) -> None:
        """All frames that could be read were given."""

    def connection_lost(
        self, connection: "TcpConnection", *, malformed: bool = False
    ) -> None:
        """The peer has closed it, or sends what are no frames."""


class TcpConnection:
    """A connection, from its acceptance to ``shut``.

    What its peer does not take waits, whole frames only. When there is too much, new
    frames are dropped, as datagrams are where a network is full: media first, because
    DTLS, SCTP and STUN that do get through keep the session alive.

    Args:
        sock: connected, and not blocking.
        path: its two ends.
        sink: what is called.
        backlog: counts what waits, together with other sockets.

    Attributes:
        path: as given.
        is_verified: whether a session has shown to be on it.
        dropped: frames that were not sent.
    """

    def __init__(
        self, sock: socket.socket, path: Path, sink: TcpSink, backlog: Backlog
    ) -> None:
        self._socket = sock
        self.path = path
        self._sink = sink
        self._all_backlog = backlog
        self._loop = asyncio.get_running_loop()
        self._deframer = Deframer()
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._is_shut = False
        self.is_verified = False
        self.dropped = 0
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._loop.add_reader(sock.fileno(), self.read)

    @property
    def queued(self) -> int:
        """Octets that wait."""
        return self._queued

    def shut(self) -> None:
        """Close it; what waits is lost. The sink is not called any more."""
        if self._is_shut:
            return
        self._is_shut = True
        self._loop.remove_reader(self._socket.fileno())
        self._clear()
        self._socket.close()

    # Reading

    def read(self) -> None:
        """Read what has come, up to a bound."""
        now = self._loop.time()
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._sink.connection_lost(self)
            return
        try:
            for frame in self._deframer.feed(data):
                self._sink.frame_received(self, frame, now)
                if self._is_shut:
                    break
        except FrameError:
            self._sink.connection_lost(self, malformed=True)
        self._sink.turn_ended(now)

    # Writing

    def send(self, datagram: bytes | memoryview) -> None:
        """Send a datagram as a frame."""
        self.send_batch((datagram,))

    def send_batch(self, datagrams: Sequence[bytes | memoryview]) -> None:
        """Send datagrams, each as a frame, with one call."""
        if self._is_shut:
            return
        frames = [pack_length(len(datagram)) + datagram for datagram in datagrams]
        if self._queue:
            self._wait(frames)
            return
        try:
            sent = self._socket.send(b"".join(frames))
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # It is broken. The next read says so; sessions are not told in the midst
            # of sending.
            self.dropped += len(frames)
            return
        for index, frame in enumerate(frames):
            if sent < len(frame):
                if sent:
                    # The rest of a frame that has begun: without it, nothing behind it
                    # could be read.
                    self._enqueue(frame[sent:])
                    index += 1
                self._wait(frames[index:])
                return
            sent -= len(frame)

    def _wait(self, frames: Sequence[bytes]) -> None:
        """Keep frames until the peer takes them, up to a bound."""
        for frame in frames:
            is_media = len(frame) > 2 and frame[2] > _NOT_MEDIA
            most = MAX_MEDIA_QUEUE if is_media else MAX_QUEUE
            length = len(frame)
            if self._queued + length > most or not self._all_backlog.has_room(length):
                self.dropped += 1
            else:
                self._enqueue(frame)

    def _enqueue(self, octets: bytes) -> None:
        if not self._queue:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._queue.append(octets)
        self._queued += len(octets)
        self._all_backlog.octets += len(octets)

    def _writable(self) -> None:
        """Send what waits."""
        queue = self._queue
        while queue:
            try:
                sent = self._socket.sendmsg(list(islice(queue, _MAX_BUFFERS)))
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.dropped += len(queue)
                break
            self._queued -= sent
            self._all_backlog.octets -= sent
            while sent and sent >= len(queue[0]):
                sent -= len(queue.popleft())
            if sent:
                queue[0] = queue[0][sent:]
        self._clear()

    def _clear(self) -> None:
        """Let nothing wait any more."""
        self._loop.remove_writer(self._socket.fileno())
        self._all_backlog.octets -= self._queued
        self._queue.clear()
        self._queued = 0
