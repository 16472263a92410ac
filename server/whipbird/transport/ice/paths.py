"""The paths on which a peer has shown to be."""

import math
from collections.abc import Callable, Collection, Iterable

from ..path import Path

# Paths remembered for each ICE session.
MAX_VERIFIED_PATHS = 64


class VerifiedPaths:
    """The verified paths of a peer's ICE sessions.

    Args:
        added: is called for a path that no session knows yet.
        removed: is called for a path that no session knows any more.

    Attributes:
        deadline: when ``expire`` is due.
    """

    __slots__ = ("_added", "_removed", "_retired", "_sessions", "deadline")

    def __init__(
        self, added: Callable[[Path], None], removed: Callable[[Path], None]
    ) -> None:
        self._added = added
        self._removed = removed
        # Those of each session; the last verified is the last.
        self._sessions: dict[object, dict[Path, None]] = {}
        # Those of sessions that are over, with the time to forget them.
        self._retired: dict[Path, float] = {}
        self.deadline = math.inf

    def verify(self, session: object, path: Path, keep: Path | None) -> None:
        """Remember a path; of too many, forget the one that was verified first.

        Args:
            keep: the path in use, which stays.
        """
        paths = self._sessions.setdefault(session, {})
        if path in paths:
            # To the end of the order.
            del paths[path]
            paths[path] = None
            return
        is_new = not self._is_known(path)
        paths[path] = None
        if len(paths) > MAX_VERIFIED_PATHS:
            oldest = next(known for known in paths if known != keep)
            del paths[oldest]
            self._tell_removed((oldest,))
        if is_new:
            self._added(path)

    def forget(self, path: Path) -> None:
        """Forget a path in all sessions: its connection has ended."""
        was_known = self._is_known(path)
        for paths in self._sessions.values():
            paths.pop(path, None)
        self._retired.pop(path, None)
        if was_known:
            self._tell_removed((path,))

    def drop(self, session: object) -> None:
        """Forget the paths of a session."""
        self._tell_removed(self._sessions.pop(session, {}))

    def retire(self, session: object, until: float) -> None:
        """Forget the paths of a session at a time: datagrams may be under way."""
        paths = self._sessions.pop(session, {})
        for path in paths:
            self._retired.pop(path, None)
            self._retired[path] = until
        excess = max(0, len(self._retired) - MAX_VERIFIED_PATHS)
        self._end_retired(list(self._retired)[:excess])

    def expire(self, now: float) -> None:
        """Forget what is to be forgotten by now."""
        self._end_retired([p for p, until in self._retired.items() if until <= now])

    def _end_retired(self, paths: Collection[Path]) -> None:
        for path in paths:
            del self._retired[path]
        self.deadline = min(self._retired.values(), default=math.inf)
        self._tell_removed(paths)

    def _tell_removed(self, paths: Iterable[Path]) -> None:
        for path in paths:
            if not self._is_known(path):
                self._removed(path)

    def _is_known(self, path: Path) -> bool:
        return path in self._retired or any(
            path in paths for paths in self._sessions.values()
        )
