"""A network in memory: ports whose datagrams go to each other."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence

from ..net import Dispatcher
from ..net.backlog import Backlog
from ..transport.ice import LocalCandidate, host_candidate
from ..transport.path import Address, Path

# Seconds that a datagram is on its way.
LATENCY = 0.01

_PORT = 9


class MemoryNetwork:
    """Carries datagrams between its ports. None is lost, and they stay in order."""

    def __init__(self) -> None:
        self._ports: dict[Address, MemoryPort] = {}
        # Timers of one moment run in any order.
        self._on_the_way: deque[tuple[bytes, Path]] = deque()

    def open(self) -> "MemoryPort":
        """Open a port on an address of its own (RFC 5737: nobody has such a one)."""
        number = len(self._ports) + 1
        address: Address = (f"198.51.{100 + number // 250}.{number % 250 + 1}", _PORT)
        port = self._ports[address] = MemoryPort(self, address)
        return port

    def carry(self, datagram: bytes, source: Address, target: Address) -> None:
        """Deliver a datagram after ``LATENCY``, if somebody has that address."""
        self._on_the_way.append((datagram, Path(target, source)))
        asyncio.get_running_loop().call_later(LATENCY, self._deliver)

    def _deliver(self) -> None:
        datagram, path = self._on_the_way.popleft()
        port = self._ports.get(path.local)
        if port is not None:
            port.receive(datagram, path)


class MemoryPort:
    """A port of such a network (see ``rtc.connection.Port``).

    Attributes:
        address: its address.
        dispatcher, all_backlog: as ``net.UdpPort`` has them.
        native: None: it has no socket that the compiled packet path could use.
    """

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self.address = address
        self.native = None
        self.dispatcher = Dispatcher(self._arm)
        self.all_backlog = Backlog()  # there is never any
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._is_flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    @property
    def now(self) -> float:
        """The time of the event loop."""
        return self._loop.time()

    def candidates(self) -> tuple[LocalCandidate, ...]:
        """Its one candidate."""
        host, number = self.address[:2]
        return (host_candidate(host, number, self.address, 65535),)

    def compiled_socket(self, path: Path) -> None:
        """There is none."""

    def send(self, datagram: bytes, path: Path) -> None:
        """Send a datagram."""
        self._network.carry(bytes(datagram), self.address, path.remote)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams to one destination."""
        for datagram in datagrams:
            self._network.carry(bytes(datagram), self.address, path.remote)

    def is_congested(self, path: Path) -> bool:
        """Nothing ever waits here."""
        return False

    def flush_soon(self) -> None:
        """Flush the sessions that were touched, when this turn ends."""
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def receive(self, datagram: bytes, path: Path) -> None:
        """Take a datagram from the network."""
        self.dispatcher.receive(datagram, path.local, path.remote, self.now)
        self.flush_soon()

    def close(self) -> None:
        """Stop its timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        self._is_flushing = False
        self.dispatcher.flush(self.now)

    def _arm(self) -> None:
        deadline = self.dispatcher.deadline
        if deadline < self._timer_at:
            self.close()
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self.dispatcher.handle_timeout(self.now)
        if self.dispatcher.deadline < math.inf:
            self._arm()
