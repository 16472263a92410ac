"""Who gets another session, and whose sessions make room for it."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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


class OtherSessions(Protocol):
    """The sessions of the other workers of this server."""

    def held(self, network: str) -> tuple[int, int]:
        """How many sessions a network has there, and how many are not connected."""

    def total(self) -> int:
        """How many there are."""

    def tell(
        self, network: str, held: int, connecting: int, total: int, *, at_once: bool
    ) -> None:
        """Tell them how many there are here now: of one network, and in all.

        Args:
            at_once: not a moment later, with all that changes until then.
        """


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

    With other workers, theirs count, too. Two that admit a session in the same moment
    may pass a limit by that much. They are told of each change at once where this
    worker alone has about half as many as a limit permits; else a moment later, when it
    cannot matter yet. Room is made here only.

    Attributes:
        others: the sessions of other workers; None if there are none.
        limits: the limits; they may be changed.
        refused: how often each limit was reached: sessions that were not opened, and
            those that made room for another.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSALS, 0))
        self.limits = limits
        self.others: OtherSessions | None = None
        self._clients: defaultdict[str, dict[Session, None]] = defaultdict(dict)
        # For the others: those that are not connected.
        self._connecting: defaultdict[str, set[Session]] = defaultdict(set)
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
        count, connecting, total = len(held), 0, self._count
        if self.others is not None:
            elsewhere, connecting = self.others.held(network)
            count += elsewhere
            total += self.others.total()
        if limits.of_client is not None and count - replaces >= limits.of_client:
            self.refused["client_sessions"] += 1
            raise Full(limits.of_client, is_of_client=True)
        if limits.connecting is not None:
            connecting += sum(map(_is_connecting, held)) - replaces
            if connecting >= limits.connecting:
                self.refused["client_connecting"] += 1
                raise Full(limits.connecting, is_of_client=True)
        if limits.total is None or total - replaces < limits.total:
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
        self.changed(session)

    def remove(self, session: Session) -> None:
        """Count it no longer."""
        network = network_of(session.client)
        held = self._clients[network]
        if session in held:
            del held[session]
            self._count -= 1
        if not held:
            del self._clients[network]
        self.changed(session)

    def changed(self, session: Session) -> None:
        """Tell other workers that a session has come, is connected, or has gone."""
        if self.others is not None:
            network = network_of(session.client)
            connecting = self._connecting[network]
            (connecting.add if _is_connecting(session) else connecting.discard)(session)
            held = len(self._clients.get(network, ()))
            self.others.tell(
                network,
                held,
                len(connecting),
                self._count,
                at_once=self._is_near_limit(held, len(connecting)),
            )
            if not connecting:
                del self._connecting[network]

    def _is_near_limit(self, held: int, connecting: int) -> bool:
        """Whether there are about half as many here as may be, or were just before.

        Args:
            held, connecting: of one network.
        """
        limits = self.limits
        return any(
            limit is not None and 2 * (count + 1) >= limit
            for count, limit in (
                (self._count, limits.total),
                (held, limits.of_client),
                (connecting, limits.connecting),
            )
        )

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
