"""Counts all sessions of a server: those that are open, and those that have ended."""

from collections import Counter
from collections.abc import Collection, Mapping

from .session import Session
from .setup import SetupTimes
from .stats import SessionCounts, SessionKind, SessionsStats


class Tally:
    """Counts sessions; what has ended stays counted, so that no count ever falls.

    Attributes:
        setup: the setup times of all sessions.
        counts: what went through the sessions whose peers are closed.
    """

    def __init__(self) -> None:
        self.setup = SetupTimes()
        self.counts = SessionCounts()
        self._opened: Counter[SessionKind] = Counter()
        self._ended: Counter[tuple[SessionKind, str]] = Counter()

    def opened(self, session: Session) -> None:
        """Count a new session."""
        self._opened[session.kind] += 1

    def ended(self, session: Session) -> None:
        """Count the end of a session; something may still come from its peer."""
        self._ended[session.kind, str(session.reason)] += 1

    def gone(self, session: Session) -> None:
        """Add what went through a session whose peer is closed."""
        self.counts += session.counts

    def stats(
        self,
        sessions: Collection[Session],
        ending: Collection[Session],
        refused: Mapping[str, int],
    ) -> SessionsStats:
        """A snapshot.

        Args:
            sessions: the open sessions.
            ending: those that have ended, and whose peers are not closed yet.
            refused: see ``SessionsStats``.
        """
        counts = (session.counts for session in (*sessions, *ending))
        return SessionsStats(
            open=Counter((session.kind, str(session.state)) for session in sessions),
            opened=Counter(self._opened),
            ended=Counter(self._ended),
            refused=dict(refused),
            setup=self.setup.stats,
            counts=sum(counts, self.counts),
        )
