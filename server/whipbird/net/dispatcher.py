"""Finds the session of each datagram, and wakes the sessions that are due (no I/O)."""

import heapq
import itertools
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..transport.budget import Budget
from ..transport.path import Address, Path
from .faults import FaultLog
from .route import MAX_SHARING, Endpoint, Route

logger = logging.getLogger(__name__)

# STUN messages of all sessions to addresses that have not shown to be their peers': per
# second, and at once.
PROBE_RATE = 500
PROBE_BURST = 2000

# Octets of a transaction id that name the session; the other 64 bits are random.
PREFIX_LENGTH = 4

# RFC 8489 sections 5 and 14.3: the position of the transaction id, a message type, an
# attribute type.
_PREFIX = slice(8, 8 + PREFIX_LENGTH)
_BINDING_REQUEST = b"\x00\x01"
_USERNAME = 0x0006

# The largest first octet of a record of the DTLS handshake (RFC 6347 section 4.1).
_HANDSHAKE = 22


@dataclass(slots=True)
class DispatchStats:
    """Counts of dropped datagrams.

    Attributes:
        unknown_stun: STUN requests and responses of no session.
        unknown_address: other datagrams, on paths that belong to no session.
        refused: STUN requests that name a session, and other datagrams on a path of
            one, that no session accepts as authentic.
    """

    unknown_stun: int = 0
    unknown_address: int = 0
    refused: int = 0


class Elsewhere(Protocol):
    """The other workers of this server (see ``Neighbours``)."""

    def take(self, datagram: bytes, local: Address, remote: Address) -> bool:
        """Take a datagram that is not for a session of this worker, if one has it."""

    def take_stun(self, datagram: bytes, path: Path, ufrag: str) -> bool:
        """Take a STUN message of no session of this worker, if another has it.

        Args:
            ufrag: the receiver's, in a request; empty for a response.
        """

    def flush(self) -> None:
        """Hand over what was taken."""

    def path_claimed(self, path: Path) -> None:
        """A session of this worker has shown to be on a path."""

    def path_released(self, path: Path) -> None:
        """No session of this worker has the path any more."""


# [deadline, a number that settles ties, endpoint]; no endpoint after ``detach``.
_Timer = list[Any]


class Dispatcher:
    """Hands datagrams to sessions, and wakes these when they are due.

    STUN requests are told apart by the user name, STUN responses by the first octets of
    their transaction id, all else by the path that it came on. A path belongs to a
    session from the moment that a check with the session's password has come on it. It
    may belong to several; each gets what the others before it do not take.

    Args:
        on_deadline: called when ``deadline`` has become earlier.
        on_path_unused: called with a path that no session has any more.

    Attributes:
        stats: what was dropped.
        probes: what the sessions may send to addresses that have not shown to be their
            peers'.
        faults: logs what goes wrong in the sessions by our own fault.
        elsewhere: takes what is for sessions of other workers; None without workers.
        mark: what the prefixes and ufrags of its sessions begin with (see ``Shard``).
        in_turn: whether a turn is going on: datagrams are being read or timeouts
            handled, and a ``flush`` follows.
    """

    def __init__(
        self,
        on_deadline: Callable[[], None],
        on_path_unused: Callable[[Path], None] | None = None,
    ) -> None:
        self.stats = DispatchStats()
        self.faults = FaultLog()
        self.probes = Budget(PROBE_RATE, PROBE_BURST)
        self.elsewhere: Elsewhere | None = None
        self.mark = b""
        self.in_turn = False
        self._on_deadline = on_deadline
        self._on_path_unused = on_path_unused
        self._by_ufrag: dict[str, Endpoint] = {}
        self._by_prefix: dict[bytes, Endpoint] = {}
        # local address -> remote address -> route
        self._routes: dict[Address, dict[Address, Route]] = {}
        self._touched: dict[Endpoint, None] = {}
        self._timers: list[_Timer] = []
        # The timers of each endpoint, the earliest one last. Later ones stay in use:
        # most deadlines come near for a moment only, then move back.
        self._armed: dict[Endpoint, list[_Timer]] = {}
        self._numbers = itertools.count()

    # Sessions

    @property
    def endpoints(self) -> int:
        """How many sessions there are."""
        return len(self._by_prefix)

    def attach(self, endpoint: Endpoint, prefix: bytes) -> None:
        """Add a session.

        Args:
            prefix: the first octets of its STUN transaction ids.
        """
        self._by_prefix[prefix] = endpoint
        self._armed[endpoint] = []

    def detach(self, endpoint: Endpoint, prefix: bytes) -> None:
        """Remove a session."""
        self._by_prefix.pop(prefix, None)
        self._touched.pop(endpoint, None)
        for timer in self._armed.pop(endpoint, ()):
            # The timer stays in the heap until its time; the endpoint is released now.
            timer[2] = None

    def has_prefix(self, prefix: bytes) -> bool:
        """Whether a session has this prefix already."""
        return prefix in self._by_prefix

    def route_ufrags(
        self, endpoint: Endpoint, old: Iterable[str], new: Iterable[str]
    ) -> None:
        """Route STUN requests to the new ufrags, no longer the old, to a session."""
        for ufrag in old:
            if self._by_ufrag.get(ufrag) is endpoint:
                del self._by_ufrag[ufrag]
        for ufrag in new:
            self._by_ufrag[ufrag] = endpoint

    def route_path(self, endpoint: Endpoint, path: Path, now: float) -> None:
        """Route the datagrams of a path to a session, ahead of others on the path."""
        routes = self._routes.setdefault(path.local, {})
        route = routes.get(path.remote)
        if route is None:
            route = routes[path.remote] = Route(path)
            if self.elsewhere is not None and not path.is_tcp:
                self.elsewhere.path_claimed(path)
        route.add(endpoint, now)

    def forget_path(self, endpoint: Endpoint, path: Path) -> None:
        """Route the datagrams of a path to a session no longer."""
        routes = self._routes.get(path.local, {})
        route = routes.get(path.remote)
        if route is not None:
            route.remove(endpoint)
            if route.is_empty:
                del routes[path.remote]
                if not routes:
                    del self._routes[path.local]
                if self._on_path_unused is not None:
                    self._on_path_unused(path)
                if self.elsewhere is not None and not path.is_tcp:
                    self.elsewhere.path_released(path)

    def is_routed(self, path: Path) -> bool:
        """Whether a session has shown to be on a path."""
        return path.remote in self._routes.get(path.local, {})

    def close_path(self, path: Path, now: float) -> None:
        """Tell the sessions of a path that its TCP connection has ended.

        ``flush`` is to follow.
        """
        route = self._routes.get(path.local, {}).get(path.remote)
        if route is None:
            return
        self.in_turn = True
        for endpoint in route.sessions():
            self._touched[endpoint] = None
            try:
                endpoint.path_closed(path, now)
            except Exception as error:
                self._fail(endpoint, error)

    def is_used(self, local: Address) -> bool:
        """Whether any session has a path from this local address."""
        return local in self._routes

    # Datagrams

    def receive(
        self, datagram: bytes, local: Address, remote: Address, now: float
    ) -> None:
        """Hand a datagram to its session; call ``flush`` at the end of the turn."""
        self.in_turn = True
        if not datagram:
            return
        first = datagram[0]
        if first < 4:
            self._receive_stun(datagram, Path(local, remote), now)
            return
        routes = self._routes.get(local)
        route = None if routes is None else routes.get(remote)
        if route is None:
            if self.elsewhere is None or not self.elsewhere.take(
                datagram, local, remote
            ):
                self.stats.unknown_address += 1
            return
        endpoints = route.endpoints
        is_shared = len(endpoints) > 1
        # Media changes no deadline of the transport, and leaves nothing to be flushed.
        is_media = first > 127
        if is_shared:
            # A copy: the list changes when a session ends.
            endpoints = (
                sorted(endpoints, key=route.handshake_order)
                if first <= _HANDSHAKE
                else list(endpoints)
            )
        for endpoint in endpoints:
            if not is_media:
                self._touched[endpoint] = None
            try:
                taken = endpoint.receive(datagram, route.path, now)
            except Exception as error:
                self._fail(endpoint, error)
                return
            if taken:
                if is_shared:
                    route.heard(endpoint, now)
                if route.held:
                    self._answer_held(route, now)
                return
        if self.elsewhere is None or not self.elsewhere.take(datagram, local, remote):
            self.stats.refused += 1

    def _receive_stun(self, datagram: bytes, path: Path, now: float) -> None:
        is_request = datagram[:2] == _BINDING_REQUEST
        ufrag = ufrag_of(datagram) if is_request else ""
        endpoint = (
            self._by_ufrag.get(ufrag)
            if is_request
            else self._by_prefix.get(datagram[_PREFIX])
        )
        if endpoint is None:
            if self.elsewhere is None or not self.elsewhere.take_stun(
                datagram, path, ufrag
            ):
                self.stats.unknown_stun += 1
            return
        route = None
        if is_request:
            route = self._routes.get(path.local, {}).get(path.remote)
            if route is not None and not route.may_shake_hands(endpoint, now):
                if ufrag in route.held or len(route.held) < MAX_SHARING:
                    route.held[ufrag] = datagram
                return
        self._touched[endpoint] = None
        try:
            taken = endpoint.receive(datagram, path, now)
        except Exception as error:
            self._fail(endpoint, error)
            return
        # Of responses, the second one to a request is not taken, and nothing unusual.
        if not taken and is_request:
            self.stats.refused += 1
        elif taken and route is not None:
            route.checked(endpoint, now)

    def _answer_held(self, route: Route, now: float) -> None:
        """Hand on the checks that have waited, up to the one whose turn it is then."""
        while route.held and route.is_turn_over:
            datagram = route.held.pop(next(iter(route.held)))
            self._receive_stun(datagram, route.path, now)

    def _fail(self, endpoint: Endpoint, error: Exception) -> None:
        """End a session; nothing that happens meanwhile may reach the others."""
        try:
            endpoint.fail(error)
        except Exception as another:
            self.faults.report(logger, another)

    def touch(self, endpoint: Endpoint) -> None:
        """Let the next ``flush`` include a session."""
        self._touched[endpoint] = None

    def flush(self, now: float) -> None:
        """Flush the touched sessions, and update their timers."""
        self.in_turn = True
        while self._touched:
            endpoint, _ = self._touched.popitem()
            try:
                endpoint.flush(now)
            except Exception as error:
                self._fail(endpoint, error)
            self.arm(endpoint)
        if self.elsewhere is not None:
            self.elsewhere.flush()
        self.in_turn = False

    # Time

    @property
    def deadline(self) -> float:
        """When ``handle_timeout`` is due; infinite when nothing is waited for."""
        return self._timers[0][0] if self._timers else math.inf

    def arm(self, endpoint: Endpoint) -> None:
        """Update the timer of a session whose deadline may have changed.

        When the deadline has moved back, the old timer stays, and looks again when it
        fires: most deadlines move back with every packet.
        """
        deadline = endpoint.deadline
        armed = self._armed.get(endpoint)
        if armed is None:
            return
        if deadline < (armed[-1][0] if armed else math.inf):
            timer: _Timer = [deadline, next(self._numbers), endpoint]
            armed.append(timer)
            timers = self._timers
            heapq.heappush(timers, timer)
            if timers[0] is timer:
                self._on_deadline()

    def handle_timeout(self, now: float) -> None:
        """Wake the sessions that are due."""
        self.in_turn = True
        timers = self._timers
        while timers and timers[0][0] <= now:
            endpoint = heapq.heappop(timers)[2]
            if endpoint is None:
                continue  # detached
            self._armed[endpoint].pop()
            if endpoint.deadline <= now:
                try:
                    endpoint.handle_timeout(now)
                except Exception as error:
                    self._fail(endpoint, error)
                self._touched[endpoint] = None
            else:
                self.arm(endpoint)
        self.flush(now)


def ufrag_of(request: bytes) -> str:
    """The receiver's user name fragment in a STUN request (RFC 8445 section 7.2.2).

    Nothing else is read: the session parses the whole message.

    Returns:
        The part of USERNAME before the colon; empty when there is none.
    """
    position, end = 20, len(request)
    while position + 4 <= end:
        kind = request[position] << 8 | request[position + 1]
        length = request[position + 2] << 8 | request[position + 3]
        if kind == _USERNAME:
            value = request[position + 4 : position + 4 + length]
            return value.partition(b":")[0].decode("ascii", "replace")
        position += 4 + length + (-length & 3)
    return ""
