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
    """What a client has sent of one RTP source.

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


class LossyRelay:
    """Forwards UDP between clients and one address of a server.

    Each client gets a socket of its own on the way to the server. The first packet of
    an RTP source is spared: a receiver cannot know that there was one.

    Args:
        server: where to.
        seed: of the choice of what is lost.

    Attributes:
        loss: the share of datagrams that is lost, in each direction.
        bitrate: bits per second that the path to the server takes; None for any.
        sources: what came from clients, by SSRC.
        address: where clients send to.
    """

    def __init__(self, server: Address, seed: int = 5) -> None:
        self.loss = 0.0
        self.bitrate: int | None = None
        self.sources: dict[int, Source] = {}
        self._server = server
        self._random = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._clients: dict[Address, _Socket] = {}
        self._waiting: deque[tuple[float, _Socket, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = 0.0
        self._side = _Socket(server[0], self._from_client)
        self.address = self._side.address

    @property
    def delay(self) -> float:
        """Seconds that a datagram would wait now before the thin part of the path."""
        return max(0.0, self._free_at - self._loop.time())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for side in (self._side, *self._clients.values()):
            side.close()

    def _from_client(self, data: bytes, client: Address) -> None:
        now = self._loop.time()
        bitrate = self.bitrate
        is_lost = self._random.random() < self.loss
        if bitrate is not None and (self._free_at - now) * bitrate > 8 * QUEUE:
            is_lost = True
        if not self._passes(data, is_lost):
            return
        if client not in self._clients:
            self._clients[client] = self._connect(client)
        leaves = max(now, self._free_at)
        if bitrate is not None:
            leaves += 8 * len(data) / bitrate
        self._free_at = leaves
        self._waiting.append((leaves, self._clients[client], data))
        if self._timer is None:
            self._release()

    def _connect(self, client: Address) -> "_Socket":
        """A client's socket on the way to the server."""

        def back(data: bytes, server: Address) -> None:
            if server == self._server and self._random.random() >= self.loss:
                self._side.send(data, client)

        return _Socket(self._server[0], back)

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
            leaves, side, data = self._waiting[0]
            if leaves > self._loop.time():
                self._timer = self._loop.call_at(leaves, self._release)
                return
            self._waiting.popleft()
            side.send(data, self._server)


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
