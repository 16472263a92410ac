"""The sessions of one path: whose a datagram may be, and whose turn it is (no I/O)."""

import math
from typing import Protocol

from ..transport.path import Path

# Sessions that may share one path: clients behind one address and port.
MAX_SHARING = 64

# Seconds for which the turn to shake hands on a path is one session's.
HANDSHAKE_TIME = 2.0

# Seconds for which a session that was heard keeps its place among them: as long as
# consent lasts (RFC 7675 section 5.1).
HEARD_LIFETIME = 30.0


class Endpoint(Protocol):
    """One session, as the dispatcher sees it: it takes datagrams, and has a deadline.

    Attributes:
        deadline: when ``handle_timeout`` is due; read after every call.
        awaits_handshake: whether the peer is still to begin or complete its handshake.
    """

    @property
    def deadline(self) -> float: ...

    @property
    def awaits_handshake(self) -> bool: ...

    def shakes_hands_on(self, path: Path) -> bool:
        """Whether this side has begun a DTLS handshake on a path."""

    def receive(self, datagram: bytes, path: Path, now: float) -> bool:
        """Take a datagram.

        Returns:
            Whether it was this session's: authentic, as far as can be told.
        """

    def flush(self, now: float) -> None:
        """Send what has accumulated; called once for all datagrams of one turn."""

    def handle_timeout(self, now: float) -> None:
        """Do what has become due."""

    def path_closed(self, path: Path, now: float) -> None:
        """Take note that the TCP connection of a path has ended."""

    def fail(self, error: Exception) -> None:
        """End the session: one of the methods above has raised an exception."""


class Route:
    """The sessions of one path. The one that was heard or verified last comes first.

    A session keeps its place while it is heard: new ones cannot drive it out.
    """

    __slots__ = (
        "_heard",
        "_refused",
        "_turn_began",
        "endpoints",
        "held",
        "path",
        "turn",
    )

    def __init__(self, path: Path) -> None:
        self.path = path
        self.endpoints: list[Endpoint] = []
        self.turn: Endpoint | None = None
        # The last check of each user name that waits for its turn.
        self.held: dict[str, bytes] = {}
        self._turn_began = 0.0
        # When each was heard, from the moment that there are several.
        self._heard: dict[Endpoint, float] = {}
        # Those for which there was no room.
        self._refused: dict[Endpoint, None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no session has to do with it."""
        return not (self.endpoints or self._refused)

    def add(self, endpoint: Endpoint, now: float) -> None:
        """Add a session, if there is room for it, or move it to the front.

        It does not get before one whose handshake it would take for its own.
        """
        endpoints = self.endpoints
        if endpoint in endpoints:
            endpoints.remove(endpoint)
        elif len(endpoints) == MAX_SHARING:
            oldest = min(endpoints, key=lambda e: self._heard.get(e, -math.inf))
            if now - self._heard.get(oldest, -math.inf) < HEARD_LIFETIME:
                self._refused[endpoint] = None
                return
            self.remove(oldest)
            self._refused[oldest] = None
        self._refused.pop(endpoint, None)
        is_next = self._take_turn(endpoint, now)
        endpoints.insert(0 if is_next else len(endpoints), endpoint)
        if len(endpoints) > 1:
            for other in endpoints:
                self._heard.setdefault(other, now)

    def sessions(self) -> list[Endpoint]:
        """All that have to do with it."""
        return [*self.endpoints, *self._refused]

    def remove(self, endpoint: Endpoint) -> None:
        """Remove a session."""
        self._refused.pop(endpoint, None)
        if endpoint in self.endpoints:
            self.endpoints.remove(endpoint)
            self._heard.pop(endpoint, None)
        if self.turn is endpoint:
            self.turn = None

    @property
    def is_turn_over(self) -> bool:
        """Whether nobody is expected to shake hands."""
        return self.turn is None or not self.turn.awaits_handshake

    def may_shake_hands(self, endpoint: Endpoint, now: float) -> bool:
        """Whether it can be the turn of a session that has not done so.

        DTLS does not say which session a handshake is for (RFC 9146 could). As long as
        the checks of a session are not answered, its client does not begin.
        """
        return (
            not endpoint.awaits_handshake
            or self.turn is endpoint
            or self.is_turn_over
            or now - self._turn_began >= HANDSHAKE_TIME
        )

    def _take_turn(self, endpoint: Endpoint, now: float) -> bool:
        """Give the turn to a session that has shown to be there.

        Returns:
            Whether it may shake hands.
        """
        if not self.may_shake_hands(endpoint, now):
            return False
        if endpoint.awaits_handshake and self.turn is not endpoint:
            self.turn, self._turn_began = endpoint, now
        return True

    def handshake_order(self, endpoint: Endpoint) -> bool:
        """Sorts the sessions for a record of a handshake."""
        return endpoint is not self.turn and not endpoint.shakes_hands_on(self.path)

    def checked(self, endpoint: Endpoint, now: float) -> None:
        """Note that an authentic check of a session has come."""
        if endpoint in self._refused:
            self.add(endpoint, now)
            return
        self._take_turn(endpoint, now)
        if endpoint in self._heard:
            self._heard[endpoint] = now

    def heard(self, endpoint: Endpoint, now: float) -> None:
        """Note that one of several sessions has accepted a datagram."""
        self._heard[endpoint] = now
        if self.endpoints[0] is not endpoint and endpoint in self.endpoints:
            self.endpoints.remove(endpoint)
            self.endpoints.insert(0, endpoint)
