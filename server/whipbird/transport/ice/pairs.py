"""Candidate pairs and the check list (RFC 8445 section 6.1.2)."""

import math
from bisect import insort
from collections.abc import Iterator
from enum import Enum, auto

from ..path import Path

# RFC 8445 section 6.1.2.5 wants a limit, and suggests this one.
MAX_PAIRS = 100


# Seconds from an answer until a pair is checked again before it is selected: consent
# (RFC 7675) must not expire before it can be renewed.
FRESHNESS = 15.0


class PairState(Enum):
    """The states of a pair (RFC 8445 section 6.1.2.6).

    There is no Frozen: with one component of one data stream there is nothing that
    another check list could tell, and the order is that of the priorities.
    """

    WAITING = auto()
    IN_PROGRESS = auto()
    SUCCEEDED = auto()
    FAILED = auto()


class Pair:
    """A way from a local base to a remote candidate.

    Attributes:
        path: the two addresses.
        local_priority, remote_priority: of the two candidates.
        priorities: the pair's (RFC 8445 section 6.1.2.3), by whether this side is
            controlling.
        state: how far its check has come.
        nomination: the number of the peer's request that has nominated it, counted
            over all pairs: the highest is the newest. 0 when none has.
        requested_at: when the peer has last sent a check on it; minus infinity when
            it has not.
        answered_at: when the peer has last answered a check on it; the same.
        consent_until: when the consent that the answer gives expires (RFC 7675).
        rtt: seconds that the newest answered check took; None when unknown.
    """

    __slots__ = (
        "answered_at",
        "consent_until",
        "local_priority",
        "nomination",
        "path",
        "priorities",
        "remote_priority",
        "requested_at",
        "rtt",
        "state",
    )

    def __init__(self, path: Path, local_priority: int, remote_priority: int) -> None:
        self.path = path
        self.local_priority = local_priority
        self.remote_priority = remote_priority
        larger = 2 * max(local_priority, remote_priority)
        both = (min(local_priority, remote_priority) << 32) + larger
        self.priorities = (
            both + (remote_priority > local_priority),
            both + (local_priority > remote_priority),
        )
        self.state = PairState.WAITING
        self.nomination = 0
        self.requested_at = self.answered_at = -math.inf
        self.consent_until = -math.inf
        self.rtt: float | None = None

    def priority(self, *, controlling: bool) -> int:
        """The priority, in a role."""
        return self.priorities[controlling]

    def is_valid(self, now: float) -> bool:
        """Whether the peer has answered on it, and lately."""
        return self.state is PairState.SUCCEEDED and now - self.answered_at < FRESHNESS


class CheckList:
    """The pairs of one ICE session, of a bounded number."""

    __slots__ = ("_is_order_controlling", "_order", "_pairs")

    def __init__(self) -> None:
        self._pairs: dict[Path, Pair] = {}
        # Those that may be waiting, in the order of their priorities in one role: going
        # through all of them for each check would cost more than the check.
        self._order: list[Pair] = []
        self._is_order_controlling = False

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs.values())

    def get(self, path: Path) -> Pair | None:
        """The pair of a path."""
        return self._pairs.get(path)

    def add(self, pair: Pair) -> None:
        """Add a pair, unless its path has one already."""
        if self._pairs.setdefault(pair.path, pair) is pair:
            insort(self._order, pair, key=self._priority)
            if len(self._order) > 2 * len(self._pairs):
                # Those that were taken out, and are not looked at: others come first.
                self._sort(self._is_order_controlling)

    def wait(self, pair: Pair) -> None:
        """Let a pair be checked again."""
        pair.state = PairState.WAITING
        self._sort(self._is_order_controlling)

    def _priority(self, pair: Pair) -> int:
        return pair.priorities[self._is_order_controlling]

    def _sort(self, controlling: bool) -> None:
        self._is_order_controlling = controlling
        waiting = (p for p in self._pairs.values() if p.state is PairState.WAITING)
        self._order = sorted(waiting, key=self._priority)

    def remove(self, pair: Pair) -> None:
        """Take out a pair."""
        self._pairs.pop(pair.path, None)

    def overflow(self, keep: Pair | None, *, controlling: bool) -> Pair | None:
        """Take out a pair when there are too many.

        Those on which the peer has sent nothing go first, by their priority; then
        the one on which it has been silent for longest.

        Args:
            keep: a pair that stays.

        Returns:
            The pair that is taken out, or None when there is room.
        """
        if len(self._pairs) <= MAX_PAIRS:
            return None
        worst = min(
            (pair for pair in self._pairs.values() if pair is not keep),
            key=lambda p: (
                max(p.requested_at, p.answered_at),
                p.priorities[controlling],
            ),
        )
        del self._pairs[worst.path]
        return worst

    def next_waiting(self, *, controlling: bool) -> Pair | None:
        """The waiting pair of the highest priority."""
        if controlling is not self._is_order_controlling:
            self._sort(controlling)
        order = self._order
        while order:
            pair = order[-1]
            if pair.state is PairState.WAITING and self._pairs.get(pair.path) is pair:
                return pair
            order.pop()
        return None

    def count(self, *states: PairState) -> int:
        """How many pairs are in one of these states."""
        return sum(pair.state in states for pair in self._pairs.values())

    def freshest(self, now: float, *, other_than: Pair | None = None) -> Pair | None:
        """The valid pair that was answered last, but for one."""
        return max(
            (p for p in self if p is not other_than and p.is_valid(now)),
            key=lambda p: p.answered_at,
            default=None,
        )

    def conclude(self, nomination: int) -> None:
        """Forget pairs that are not valid and not nominated (RFC 8445 section 8.1.2).

        Args:
            nomination: the newest that is fulfilled; pairs with newer ones stay.
        """
        self._pairs = {
            path: pair
            for path, pair in self._pairs.items()
            if pair.state is PairState.SUCCEEDED or pair.nomination > nomination
        }
