"""Who gets another session, and whose sessions make room for it."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from ..net.clients import network_of
from .end_reason import EndReason
from .session import Session, SessionState, Unavailable

# What ``Admission`` refuses by: see ``SessionLimits``.
REFUSALS = ("sessions", "client_sessions", "client_connecting", "made_room")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions there may be; None for any number.

    A client is a network (see ``network_of``).

    Attributes:
        total: at a time, of all clients.
        of_client: of one client.
        connecting: of one client, that are not connected.
    """

    total: int | None = None
    of_client: int | None = None
    connecting: int | None = None


class Full(Unavailable):
    """A maximum number of sessions is reached.

    Attributes:
        limit: this maximum.
        is_of_client: whether it is that of one client's sessions.
    """

    def __init__(self, limit: int, *, is_of_client: bool = False) -> None:
        super().__init__(f"there are {limit} sessions already")
        self.limit = limit
        self.is_of_client = is_of_client


class Admission:
    """Admits sessions up to the limits.

    When there are as many as there may be in all, the client that has most sessions
    that are not connected gives up the oldest of these to a client that has fewer. So
    a client cannot keep others out by requests alone.

    A session that has ended counts until its peer is closed.

    Attributes:
        limits: the limits; they may be changed.
        refused: how often each limit was reached: sessions that were not opened, and
            those that made room for another.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSALS, 0))
        self.limits = limits
        self._clients: defaultdict[str, dict[Session, None]] = defaultdict(dict)
        self._count = 0

    def check(self, client: str, *, replaces: bool = False) -> Callable[[], None]:
        """Check whether a client may have another session.

        Args:
            client: its address.
            replaces: whether a session of its own ends for this one.

        Returns:
            What makes room for it; to be called when it is opened.

        Raises:
            Full: when it may not.
        """
        limits, network = self.limits, network_of(client)
        held = self._clients.get(network, {})
        if limits.of_client is not None and len(held) - replaces >= limits.of_client:
            self.refused["client_sessions"] += 1
            raise Full(limits.of_client, is_of_client=True)
        if limits.connecting is not None:
            connecting = sum(map(_is_connecting, held)) - replaces
            if connecting >= limits.connecting:
                self.refused["client_connecting"] += 1
                raise Full(limits.connecting, is_of_client=True)
        if limits.total is None or self._count - replaces < limits.total:
            return _nothing
        loser = self._loser(network)
        if loser is None:
            self.refused["sessions"] += 1
            raise Full(limits.total)
        return lambda: self._make_room(loser)

    def _make_room(self, loser: Session) -> None:
        self.refused["made_room"] += 1
        loser.end_soon(EndReason.MADE_ROOM)

    def add(self, session: Session) -> None:
        """Count a session."""
        self._clients[network_of(session.client)][session] = None
        self._count += 1

    def remove(self, session: Session) -> None:
        """Count it no longer."""
        network = network_of(session.client)
        held = self._clients[network]
        if session in held:
            del held[session]
            self._count -= 1
        if not held:
            del self._clients[network]

    def _loser(self, network: str) -> Session | None:
        """The session that makes room for one of this network."""
        waiting = {
            other: [session for session in held if _is_connecting(session)]
            for other, held in self._clients.items()
        }
        mine = len(waiting.get(network, ()))
        most = max(waiting.values(), key=len, default=[])
        return most[0] if len(most) > mine + 1 else None


def _is_connecting(session: Session) -> bool:
    return session.state in (SessionState.NEW, SessionState.CONNECTING)


def _nothing() -> None:
    return None
