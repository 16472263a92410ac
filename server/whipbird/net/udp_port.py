"""One UDP port for all sessions: a socket for each address of this machine."""

import asyncio
import errno
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from socket import socket

from ..native import Native, Socket
from ..transport.ice import LocalCandidate, host_candidate
from ..transport.path import Address, Path
from .addresses import HostAddresses
from .backlog import Backlog
from .dispatcher import Dispatcher
from .ice_tcp import IceTcp
from .public_addresses import PublicAddresses
from .relays import Relays
from .shard import Sharing
from .udp_socket import CONGESTED, UdpSocket, bind

logger = logging.getLogger(__name__)

# The highest local preference there is (RFC 8445 section 5.1.2.1).
MAX_LOCAL_PREFERENCE = 65535

# Free ports that are tried until one is free on every address.
_TRIES = 10

# Seconds: some event loops count whole milliseconds, and wake up to one too early.
_RESOLUTION = 0.001

# Seconds after which a timer is late: the process was stopped, or had much to do.
_LATE = 0.1
# Times that each socket is read then, at most.
_LATE_READS = 64


class PortInUse(OSError):  # noqa: N818 - a state, not a fault
    """The UDP port is in use, or forbidden. The message names it."""


@dataclass(frozen=True, slots=True)
class UdpStats:
    """A UDP port at a moment. Counts are since the start.

    Attributes:
        port: its number.
        addresses: the local addresses that it has a socket on.
        receive_buffer, send_buffer: octets of one socket, as granted by the kernel.
        kernel_drops: datagrams that found the receive buffer full.
        send_drops: datagrams that could not be sent.
        unknown_stun, unknown_address, refused: see ``DispatchStats``.
    """

    port: int
    addresses: tuple[str, ...]
    receive_buffer: int
    send_buffer: int
    kernel_drops: int
    send_drops: int
    unknown_stun: int
    unknown_address: int
    refused: int


# Paths with a socket of their own, at most (see ``UdpPort.connect``).
MAX_CONNECTED = 64


class UdpPort:
    """The UDP port of the process: its sockets, candidates and timer.

    Every address of this machine has a socket of its own, so that an answer leaves from
    the address that was asked. Addresses that appear later get one when the next
    session needs candidates; those that have gone lose theirs once no session uses it.

    Args:
        addresses: finds the addresses of this machine.
        public: public addresses, or names of them, which are looked up again from time
            to time: a 1:1 NAT in front of this machine forwards their port to it.
        hide_hosts: offer the public addresses only.
        native: the compiled packet path, if it is used.

    Attributes:
        native: the same.
        dispatcher: hands the datagrams to the sessions.
        tcp: the TCP connections that carry ICE beside this port.
        relays: the TURN servers that relay beside it; a server has none.
        all_backlog: what waits for the network, to all destinations.
        number: the port; 0 before ``open``.
    """

    def __init__(
        self,
        addresses: HostAddresses | None = None,
        *,
        public: Sequence[str] = (),
        hide_hosts: bool = False,
        native: Native | None = None,
    ) -> None:
        self.native = native
        self._addresses = addresses or HostAddresses()
        self._public = PublicAddresses(public, self._addresses.version)
        self._hide_hosts = hide_hosts
        self._sockets: dict[str, UdpSocket] = {}
        self._by_local: dict[Address, UdpSocket] = {}
        self._connected: dict[Path, UdpSocket] = {}
        self.dispatcher = Dispatcher(self._arm, self._path_unused)
        self.all_backlog = Backlog()
        self.tcp = IceTcp(self.dispatcher, self.all_backlog)
        self.relays = Relays(self.dispatcher)
        self.number = 0
        # Known from ``open`` on: a port can be made before the loop runs.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._shares = False
        # Of sockets that are closed: ``kernel_drops``, and ``dropped``.
        self._closed_kernel_drops = self._closed_send_drops = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._flushing = False

    @property
    def now(self) -> float:
        """The time of the event loop's clock, in seconds."""
        return (self._loop or asyncio.get_running_loop()).time()

    @property
    def packet_path(self) -> str:
        """What sends to viewers: ``compiled``, or ``python``."""
        return "python" if self.native is None else "compiled"

    @property
    def is_open(self) -> bool:
        """Whether it has sockets."""
        return bool(self._sockets)

    async def open(self, number: int = 0, sharing: Sharing = Sharing.NONE) -> None:
        """Bind to the port on every address, and look up the public names.

        Args:
            number: 0 for one that is free on all of them.
            sharing: whether other workers have the port, too.

        Raises:
            PortInUse: when another program has it, or it is forbidden.
            OSError: when no address can be bound at all, there is no such interface,
                or a public name has no address.
        """
        self._loop = asyncio.get_running_loop()
        self._addresses.check()
        await self._public.open()
        for remaining in reversed(range(1 if number else _TRIES)):
            try:
                if sharing is Sharing.FIRST:
                    # Who shares a port does not see that strangers have it.
                    self._bind_all(number)
                    number = self.number
                    self._close_sockets()
                self._shares = sharing is not Sharing.NONE
                self._bind_all(number)
            except PortInUse:
                self._close_sockets()
                if not remaining:
                    self._public.close()
                    raise
            except OSError:
                self._public.close()
                raise
            else:
                return

    def _bind_all(self, number: int) -> None:
        self.number = number
        problem: OSError | None = None
        for address in self._addresses.current():
            try:
                self._bind(address)
            except PortInUse:
                raise
            except OSError as error:
                problem = error
                logger.debug("Cannot bind to %s: %s", address, error)
        if not self._sockets:
            raise problem or OSError("this machine has no address")

    def _bind(self, address: str) -> None:
        try:
            opened = bind(address, self.number, shares=self._shares)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                reason = (
                    "is in use" if error.errno == errno.EADDRINUSE else "is forbidden"
                )
                raise PortInUse(
                    error.errno, f"UDP port {self.number} of {address} {reason}"
                ) from None
            raise
        self._add(address, opened)

    def _add(self, address: str, opened: socket) -> None:
        dispatcher = self.dispatcher
        added = UdpSocket(
            opened,
            dispatcher.receive,
            dispatcher.flush,
            self.all_backlog,
            self.native,
        )
        self._sockets[address] = self._by_local[added.local] = added
        self.number = added.local[1]

    def close(self) -> None:
        """Close all sockets, for good."""
        self._closed = True
        self._public.close()
        self._close_sockets()
        self.relays.close_all()
        self.tcp.close()
        if self._timer is not None:
            self._timer.cancel()

    def connect(self, path: Path) -> None:
        """Let the kernel hand the datagrams of a path straight to this worker.

        Without it, any worker gets them that shares the port. Nothing is sent from the
        socket, which is closed when no session has the path any more. When there are
        too many of them, or it cannot be made, nothing changes.
        """
        is_full = len(self._connected) >= MAX_CONNECTED
        if is_full or path in self._connected or path.local not in self._by_local:
            return
        try:
            opened = bind(*path.local, shares=self._shares)
        except OSError as error:
            logger.debug("No socket for %s: %s", path.remote, error)
            return
        try:
            opened.connect(path.remote)
        except OSError as error:
            logger.debug("No socket for %s: %s", path.remote, error)
            opened.close()
            return
        self._connected[path] = UdpSocket(
            opened, self.dispatcher.receive, self.dispatcher.flush, self.all_backlog
        )

    def _disconnect(self, path: Path) -> None:
        """Close the socket of a path, if it has one."""
        if (opened := self._connected.pop(path, None)) is not None:
            opened.close()
            self._closed_kernel_drops += opened.kernel_drops

    def _close_sockets(self) -> None:
        for path in tuple(self._connected):
            self._disconnect(path)
        for address in tuple(self._sockets):
            self._close_socket(address)

    def _close_socket(self, address: str) -> None:
        closed = self._sockets.pop(address)
        del self._by_local[closed.local]
        closed.close()
        self._closed_kernel_drops += closed.kernel_drops
        self._closed_send_drops += closed.dropped

    # For sessions

    def candidates(self) -> tuple[LocalCandidate, ...]:
        """The candidates of a new ICE session, as the addresses are now.

        The earlier an address is listed, the more it is preferred. Public addresses
        come before the host's own. The base of one is the first socket of its family:
        which socket the NAT forwards to is not known here. TCP comes after all of UDP.

        Raises:
            ConnectionError: when there is none, or the port is closed.
        """
        bases = self._refresh()
        found: list[LocalCandidate] = []
        preference = MAX_LOCAL_PREFERENCE
        public_addresses = self._public.current
        for public in public_addresses:
            base = next((b for b in bases if (":" in b[0]) == (":" in public)), None)
            if base is not None:
                found.append(host_candidate(public, self.number, base, preference))
                preference -= 1
        if self._hide_hosts and public_addresses:
            bases = []
        for base in bases:
            found.append(host_candidate(base[0], self.number, base, preference))
            preference -= 1
        found += self.tcp.candidates(public_addresses, [base[0] for base in bases])
        found += self.relays.candidates()
        if not found:
            raise ConnectionError("There is no address to offer")
        return tuple(found)

    def _refresh(self) -> list[Address]:
        """Open sockets on new addresses, close those on addresses that have gone.

        Returns:
            The local addresses of the sockets, except those whose IP address has gone
            and that stay open only for the sessions that use them.
        """
        if self._closed:
            raise ConnectionError("The UDP port is closed")
        current = self._addresses.current()
        if list(self._sockets) != current:
            self._follow(current)
        return [self._sockets[a].local for a in current if a in self._sockets]

    def _follow(self, current: Sequence[str]) -> None:
        for address in current:
            if address not in self._sockets:
                try:
                    self._bind(address)
                except OSError as error:
                    logger.debug("Cannot bind to %s: %s", address, error)
        for address, opened in list(self._sockets.items()):
            if address not in current and not self.dispatcher.is_used(opened.local):
                self._close_socket(address)

    def send(self, datagram: bytes, path: Path) -> None:
        """Send a datagram; it is lost if the socket is closed."""
        if (opened := self._by_local.get(path.local)) is not None:
            opened.send(datagram, path.remote)
        elif (relay := self.relays.get(path.local)) is not None:
            relay.send_to(datagram, path.remote)
        else:
            self.tcp.send(datagram, path)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        """Send datagrams to one destination, in as few calls as possible."""
        if (opened := self._by_local.get(path.local)) is not None:
            opened.send_batch(datagrams, path.remote)
        elif (relay := self.relays.get(path.local)) is not None:
            relay.send_batch(datagrams, path.remote)
        else:
            self.tcp.send_batch(datagrams, path)

    def compiled_socket(self, path: Path) -> Socket | None:
        """The socket of a path, for the compiled packet path; None if it has none."""
        opened = self._by_local.get(path.local)
        return None if opened is None else opened.compiled

    def is_congested(self, path: Path) -> bool:
        """Whether much waits for a destination that the network has not taken yet."""
        if (opened := self._by_local.get(path.local)) is not None:
            return opened.backlog(path.remote) > CONGESTED
        if (relay := self.relays.get(path.local)) is not None:
            return relay.backlog > CONGESTED
        return self.tcp.is_congested(path)

    def _path_unused(self, path: Path) -> None:
        if path.is_tcp:
            self.tcp.release(path)
        else:
            self._disconnect(path)

    def flush_soon(self) -> None:
        """Flush the touched sessions, after a change outside of the dispatcher's turns.

        The first call in a pass of the event loop flushes at once, further ones at the
        end of the pass: one message leaves without delay, many leave together.
        """
        if self.dispatcher.in_turn or self._flushing or self._loop is None:
            return
        self._flushing = True
        self._loop.call_soon(self._flush)
        self.dispatcher.flush(self._loop.time())

    def _flush(self) -> None:
        self._flushing = False
        self.dispatcher.flush(self.now)

    @property
    def stats(self) -> UdpStats:
        """A snapshot of its counts and sizes."""
        sockets = self._sockets.values()
        drops = self.dispatcher.stats
        return UdpStats(
            port=self.number,
            addresses=tuple(self._sockets),
            receive_buffer=min((s.receive_buffer for s in sockets), default=0),
            send_buffer=min((s.send_buffer for s in sockets), default=0),
            kernel_drops=self._closed_kernel_drops
            + sum(s.kernel_drops for s in (*sockets, *self._connected.values())),
            send_drops=self._closed_send_drops + sum(s.dropped for s in sockets),
            unknown_stun=drops.unknown_stun,
            unknown_address=drops.unknown_address,
            refused=drops.refused,
        )

    # Time

    def _arm(self) -> None:
        """Set the timer for the earliest deadline."""
        deadline = self.dispatcher.deadline
        if deadline >= self._timer_at or self._closed or self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline + _RESOLUTION, self._timeout)

    def _timeout(self) -> None:
        """Let the sessions do what is due, and set the timer anew."""
        late = self.now - self._timer_at > _LATE
        self._timer, self._timer_at = None, math.inf
        if late:
            self._catch_up()
        try:
            self.dispatcher.handle_timeout(self.now)
        finally:
            if self.dispatcher.deadline < math.inf:
                self._arm()

    def _catch_up(self) -> None:
        """Read what has waited in the sockets: it came before the time was up."""
        for opened in (*self._sockets.values(), *self._connected.values()):
            for _ in range(_LATE_READS):
                if not opened.read():
                    break
