"""Hosts: addresses, UDP sockets, timers, and a process that may be stopped."""

from collections import deque
from collections.abc import Callable
from functools import partial

from tests.netem.link import Conditions, Datagram
from tests.netem.network import Access, Network
from tests.netem.world import Timer, World
from whipbird.transport.path import Address, Path

Receive = Callable[[bytes, Path], object]

SOCKET_BUFFER = 212_992
"""Octets that wait for a suspended process, in each socket: Linux's default."""

# Linux counts some 500 octets of bookkeeping for a small datagram.
_BOOKKEEPING = 512
_FIRST_EPHEMERAL_PORT = 49152
_EPOCH = 1_800_000_000.0


class Socket:
    """A UDP socket.

    Attributes:
        address: the IP address and port that it is bound to.
        overflowed: datagrams dropped because its buffer was full.
    """

    def __init__(self, host: "Host", address: Address, receive: Receive) -> None:
        self.address = address
        self.overflowed = 0
        self._host = host
        self._receive = receive
        self._buffer: deque[Datagram] = deque()
        self._buffered = 0

    def send(self, data: bytes, remote: Address) -> None:
        """Send a datagram. Of a closed socket, nothing is sent."""
        self._host._send(self, Datagram(self.address, remote, bytes(data)))

    def close(self) -> None:
        """Receive no more; what waits is discarded."""
        self._host._close(self)
        self._buffer.clear()

    def _arrive(self, datagram: Datagram) -> None:
        self._receive(datagram.data, Path(self.address, datagram.source))

    def _hold(self, datagram: Datagram) -> None:
        cost = len(datagram.data) + _BOOKKEEPING
        if self._buffered + cost > SOCKET_BUFFER:
            self.overflowed += 1
            return
        self._buffered += cost
        self._buffer.append(datagram)

    def _drain(self) -> None:
        while self._buffer and not self._host.is_suspended:
            datagram = self._buffer.popleft()
            self._buffered -= len(datagram.data) + _BOOKKEEPING
            self._arrive(datagram)


class Host:
    """A machine with one process.

    Attributes:
        name: unique in this world.
        access: where it was attached first.
        is_suspended: its process is stopped.
        unbound: datagrams dropped because no socket has their port.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        *addresses: str,
        up: Conditions | None = None,
        down: Conditions | None = None,
    ) -> None:
        self.world: World = network.world
        self.name = name
        self.is_suspended = False
        self.unbound = 0
        self._rng = self.world.derive_rng(f"host {name}")
        self._accesses: dict[str, Access] = {}
        self._sockets: dict[Address, Socket] = {}
        self._late: list[Callable[[], object]] = []
        self._wake: Timer | None = None
        self._wall_clock_offset = _EPOCH
        self._next_port = _FIRST_EPHEMERAL_PORT
        self.access = self.attach(network, *addresses, up=up, down=down)

    def attach(
        self,
        network: Network,
        *addresses: str,
        up: Conditions | None = None,
        down: Conditions | None = None,
    ) -> Access:
        """Attach this host to a network, maybe to one more, with addresses of its own.

        Raises:
            ValueError: when an address is in use.
        """
        name = f"{self.name} {network.name}"
        access = network.attach(name, addresses, self._arrive, up, down)
        self._accesses.update(dict.fromkeys(addresses, access))
        return access

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its IP addresses, in the order in which they were attached."""
        return tuple(self._accesses)

    # Sockets

    def bind(self, address: Address, receive: Receive) -> Socket:
        """Open a socket.

        Args:
            address: one of this host's IP addresses, and a port; 0 for a free one.
            receive: is called with each datagram's data and path.

        Raises:
            ValueError: when the address is not this host's, or in use.
        """
        ip, port = address[:2]
        if ip not in self._accesses:
            raise ValueError(f"{ip} is not an address of {self.name}")
        while port == 0:
            self._next_port += 1
            if (ip, self._next_port) not in self._sockets:
                port = self._next_port
        if (ip, port) in self._sockets:
            raise ValueError(f"{ip} port {port} is in use")
        socket = self._sockets[ip, port] = Socket(self, (ip, port), receive)
        return socket

    def _send(self, socket: Socket, datagram: Datagram) -> None:
        if self._sockets.get(socket.address) is socket:
            self._accesses[socket.address[0]].up.send(datagram)

    def _close(self, socket: Socket) -> None:
        if self._sockets.get(socket.address) is socket:
            del self._sockets[socket.address]

    def _arrive(self, datagram: Datagram) -> None:
        socket = self._sockets.get(datagram.destination)
        if socket is None:
            self.unbound += 1
        elif self.is_suspended:
            socket._hold(datagram)
        else:
            socket._arrive(datagram)

    # The process

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Run a callback of this host's process at a virtual time.

        It runs when the process goes on, if it is suspended at that time. Cancelling
        then comes too late, as a callback that an event loop has already taken up.
        """
        return self.world.call_at(when, self._run, partial(callback, *args))

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Run a callback of this host's process after so many seconds."""
        return self.call_at(self.world.now + delay, callback, *args)

    def run(self, callback: Callable[..., object], *args: object) -> None:
        """Run a callback in this host's process: now, or when it goes on."""
        self._run(partial(callback, *args))

    def _run(self, callback: Callable[[], object]) -> None:
        if self.is_suspended:
            self._late.append(callback)
        else:
            callback()

    def suspend(self, seconds: float) -> None:
        """Stop the process for a time.

        Datagrams wait in the sockets' buffers, timers are late.
        """
        self.is_suspended = True
        end = self.world.now + seconds
        if self._wake is not None:
            end = max(end, self._wake.when)
            self._wake.cancel()
        self._wake = self.world.call_at(end, self.resume)

    def resume(self) -> None:
        """Let the process go on: at random, timers first, or datagrams first."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self.is_suspended = False
        work = [self._run_late, self._drain_sockets]
        self._rng.shuffle(work)
        for part in work:
            part()

    def _run_late(self) -> None:
        late, self._late = self._late, []
        for callback in late:
            self._run(callback)

    def _drain_sockets(self) -> None:
        for socket in list(self._sockets.values()):
            socket._drain()

    # The wall clock

    def wall_clock(self) -> float:
        """Seconds since 1970, as this host believes: what `time.time` would return."""
        return self.world.now + self._wall_clock_offset

    def step_wall_clock(self, seconds: float) -> None:
        """Set the wall clock forward, or back. No other clock is touched."""
        self._wall_clock_offset += seconds
