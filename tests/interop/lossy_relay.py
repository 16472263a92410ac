"""A bad path between a client and a server: datagrams are lost, or have to wait."""

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Self

# Octets that wait before the thin part of the path; what comes then is lost.
QUEUE = 30_000

# RFC 7983: what begins so is RTP or RTCP; RFC 5761: and these types are RTCP.
_MEDIA = range(128, 192)
_RTCP_TYPES = range(64, 96)

Address = tuple[str, int]


class Source:
    """The packets of one RTP source.

    Attributes:
        payload_type: of its first packet.
        first_sent: sequence number -> whether the packet went through when it was
            sent the first time.
        again: how many packets were sent again with the same number.
    """

    def __init__(self, payload_type: int) -> None:
        self.payload_type = payload_type
        self.first_sent: dict[int, bool] = {}
        self.again = 0

    @property
    def lost(self) -> int:
        """How many packets were lost when they were sent the first time."""
        return sum(not passed for passed in self.first_sent.values())


class Way:
    """One direction of a path.

    The first packet of an RTP source is spared: a receiver cannot know that there
    was one.

    Args:
        chance: what is lost.

    Attributes:
        loss: the share of datagrams that is lost.
        bitrate: bits per second that the way takes; None for any.
        sources: what was sent, by SSRC.
    """

    def __init__(self, chance: random.Random) -> None:
        self.loss = 0.0
        self.bitrate: int | None = None
        self.sources: dict[int, Source] = {}
        self._random = chance
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = 0.0

    @property
    def delay(self) -> float:
        """Seconds that a datagram would wait now before the thin part of the way."""
        return max(0.0, self._free_at - self._loop.time())

    def take(self, data: bytes, send: Callable[[], None]) -> None:
        """Send a datagram in its time, or lose it."""
        now = self._loop.time()
        is_lost = self._random.random() < self.loss
        if self.bitrate is not None and self.delay * self.bitrate > 8 * QUEUE:
            is_lost = True
        if not self._passes(data, is_lost):
            return
        self._free_at = max(now, self._free_at)
        if self.bitrate is not None:
            self._free_at += 8 * len(data) / self.bitrate
        self._waiting.append((self._free_at, send))
        if self._timer is None:
            self._release()

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _passes(self, data: bytes, is_lost: bool) -> bool:
        """Whether a datagram passes, with an account of media."""
        if len(data) < 12 or data[0] not in _MEDIA or data[1] & 0x7F in _RTCP_TYPES:
            return not is_lost
        sequence = int.from_bytes(data[2:4], "big")
        ssrc = int.from_bytes(data[8:12], "big")
        source = self.sources.get(ssrc)
        if source is None:
            source = self.sources[ssrc] = Source(data[1] & 0x7F)
            is_lost = False
        if sequence in source.first_sent:
            source.again += 1
        else:
            source.first_sent[sequence] = not is_lost
        return not is_lost

    def _release(self) -> None:
        """Send what has waited long enough, in order."""
        self._timer = None
        while self._waiting:
            leaves, send = self._waiting[0]
            if leaves > self._loop.time():
                self._timer = self._loop.call_at(leaves, self._release)
                return
            self._waiting.popleft()
            send()


class LossyRelay:
    """Forwards UDP between clients and one address of a server.

    Each client gets a socket of its own on the way to the server.

    Args:
        server: where to.
        seed: of the choice of what is lost.

    Attributes:
        there: the way to the server.
        back: the way from it.
        address: where clients send to.
    """

    def __init__(self, server: Address, seed: int = 5) -> None:
        chance = random.Random(seed)
        self.there, self.back = Way(chance), Way(chance)
        self._server = server
        self._clients: dict[Address, _Socket] = {}
        self._side = _Socket(server[0], self._from_client)
        self.address = self._side.address

    def lose(self, loss: float) -> None:
        """Lose a share of the datagrams, in each direction."""
        self.there.loss = self.back.loss = loss

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for way in (self.there, self.back):
            way.close()
        for side in (self._side, *self._clients.values()):
            side.close()

    def _from_client(self, data: bytes, client: Address) -> None:
        if client not in self._clients:
            self._clients[client] = self._connect(client)
        to_server = self._clients[client]
        self.there.take(data, lambda: to_server.send(data, self._server))

    def _connect(self, client: Address) -> "_Socket":
        """A client's socket on the way to the server."""

        def back(data: bytes, server: Address) -> None:
            if server == self._server:
                self.back.take(data, lambda: self._side.send(data, client))

        return _Socket(self._server[0], back)


class _Socket:
    """A UDP socket that gives what comes to a function."""

    def __init__(self, host: str, take: Callable[[bytes, Address], None]) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    @property
    def address(self) -> Address:
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def send(self, data: bytes, to: Address) -> None:
        try:
            self._socket.sendto(data, to)
        except BlockingIOError:
            raise AssertionError("the relay itself has lost a packet") from None

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            data, address = self._socket.recvfrom(65536)
        except OSError:
            # ICMP tells of the far end, when it is closed.
            return
        self._take(data, (str(address[0]), int(address[1])))
