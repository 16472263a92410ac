"""A UDP port of a virtual host: what ``net.UdpPort`` is to a real one."""

import math
from collections.abc import Sequence

from tests.netem.host import Host, Socket
from tests.netem.world import Timer
from whipbird.net.backlog import Backlog
from whipbird.net.dispatcher import Dispatcher
from whipbird.transport.ice import LocalCandidate, host_candidate
from whipbird.transport.path import Address, Path

_HIGHEST_PREFERENCE = 65535


class VirtualPort:
    """One UDP port of a host for many sessions, on each of its addresses.

    Args:
        host: whose.
        number: the port; 0 for a free one of each address.
        public: an address and port at which a NAT forwards to each address.
        addresses: the IP addresses to bind; all of the host by default.

    Attributes:
        dispatcher: hands datagrams to sessions, and wakes these.
        native: None: it has no socket that the compiled packet path could use.
        sockets: IP address -> socket.
    """

    def __init__(
        self,
        host: Host,
        number: int = 0,
        *,
        public: Sequence[Address] = (),
        addresses: Sequence[str] = (),
    ) -> None:
        self.host = host
        self.native = None
        self.dispatcher = Dispatcher(self._arm)
        self.all_backlog = Backlog()  # there is never any
        self.sockets: dict[str, Socket] = {}
        self._public = tuple(public)
        self._is_flushing = False
        self._timer: Timer | None = None
        self._timer_at = math.inf
        for address in addresses or host.addresses:
            self.add_address(address, number)

    def add_address(self, address: str, number: int = 0) -> None:
        """Bind to one more IP address of the host."""
        self.sockets[address] = self.host.bind((address, number), self._receive)

    @property
    def now(self) -> float:
        """The World's time."""
        return self.host.world.now

    def candidates(self) -> tuple[LocalCandidate, ...]:
        """Candidates for the public addresses, then for the host's own."""
        found: list[LocalCandidate] = []
        bases = [socket.address for socket in self.sockets.values()]
        offered = [(public, bases[0]) for public in self._public]
        offered += [(base, base) for base in bases]
        for address, base in offered:
            preference = _HIGHEST_PREFERENCE - len(found)
            found.append(host_candidate(*address[:2], base, preference))
        return tuple(found)

    def compiled_socket(self, path: Path) -> None:
        """There is none."""

    def send(self, datagram: bytes, path: Path) -> None:
        """Send a datagram."""
        self.sockets[path.local[0]].send(datagram, path.remote)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams to one destination."""
        socket = self.sockets[path.local[0]]
        for datagram in datagrams:
            socket.send(bytes(datagram), path.remote)

    def is_congested(self, path: Path) -> bool:
        """Nothing ever waits here: a link's queue is the network's."""
        return False

    def flush_soon(self) -> None:
        """Flush the sessions that were touched, after all events of this moment."""
        if not self._is_flushing:
            self._is_flushing = True
            self.host.call_later(0, self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        self.dispatcher.flush(self.now)

    def _receive(self, datagram: bytes, path: Path) -> None:
        self.dispatcher.receive(datagram, path.local, path.remote, self.now)
        self.flush_soon()

    def _arm(self) -> None:
        deadline = self.dispatcher.deadline
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self.host.call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self.dispatcher.handle_timeout(self.now)
        if self.dispatcher.deadline < math.inf:
            self._arm()
