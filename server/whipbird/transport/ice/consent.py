"""Consent to send on the selected pair (RFC 7675)."""

import math
import random

from .pairs import Pair

# RFC 7675 section 5.1: seconds from one consent check to the next, before they are
# made irregular, and seconds without an answer after which consent has expired.
CONSENT_INTERVAL = 5.0
CONSENT_LIFETIME = 30.0
_JITTER = (0.8, 1.2)

# When another path has come up, the selected one is checked in quicker succession,
# and is taken for dead after so many checks in vain.
PROBE_INTERVAL = 1.0
MAX_UNANSWERED = 3


class Consent:
    """When the selected pair is to be checked, and whether it still works.

    Attributes:
        deadline: when a check is due, or consent expires.
    """

    __slots__ = (
        "_check_at",
        "_is_probing",
        "_pair",
        "_rng",
        "_unanswered",
        "_unanswered_since",
    )

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pair: Pair | None = None
        self._check_at = math.inf
        self._unanswered = 0
        self._unanswered_since = math.inf
        self._is_probing = False

    @property
    def deadline(self) -> float:
        pair = self._pair
        return math.inf if pair is None else min(self._check_at, pair.consent_until)

    def follow(self, pair: Pair) -> None:
        """Watch a pair, which was answered, instead of the one before."""
        self._pair = pair
        self.answered()

    def stop(self) -> None:
        """Watch none."""
        self._pair = None

    def answered(self) -> None:
        """The peer has answered a check of the pair."""
        assert self._pair is not None
        self._unanswered = 0
        self._unanswered_since = math.inf
        self._is_probing = False
        self._check_at = self._pair.answered_at + self._interval()

    def checked(self, now: float) -> None:
        """A check was sent on the pair."""
        self._unanswered += 1
        self._unanswered_since = min(self._unanswered_since, now)
        wait = PROBE_INTERVAL if self._is_probing else self._interval()
        self._check_at = now + wait

    def doubt(self, now: float) -> None:
        """Another path works: find out soon whether the pair still does.

        The peer's address may have changed without its knowledge (a NAT has rebound
        it), so that it nominates nothing.
        """
        pair = self._pair
        if pair is None or self._is_probing:
            return
        if max(pair.requested_at, pair.answered_at) < now - PROBE_INTERVAL:
            self._is_probing = True
            self._unanswered = 0
            self._unanswered_since = math.inf
            self._check_at = now

    def is_expired(self, now: float) -> bool:
        """Whether nothing may be sent on the pair any more."""
        return self._pair is not None and now >= self._pair.consent_until

    def is_check_due(self, now: float) -> bool:
        """Whether to send a check on the pair."""
        return self._pair is not None and now >= self._check_at

    def is_dead_beside(self, other: Pair) -> bool:
        """Whether the pair is silent while another was answered meanwhile."""
        pair = self._pair
        return (
            pair is not None
            and self._unanswered >= MAX_UNANSWERED
            and pair.requested_at < self._unanswered_since <= other.answered_at
        )

    def _interval(self) -> float:
        return CONSENT_INTERVAL * self._rng.uniform(*_JITTER)
