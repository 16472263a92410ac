"""When a stream is pulled from its origin, and when that is tried again (no I/O).

A stream is pulled while it has viewers here and no publisher of this node's own. The
session at the origin is kept for some seconds after the last viewer. When it cannot be
opened, or ends, it is tried again after a pause that grows, and differs from node to
node: an origin that starts again is not asked by all of them at once.
"""

import enum
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

# Seconds for which a stream without viewers is still pulled.
LINGER = 5.0
# Seconds of the first pause, and of the longest one: after what may pass by itself, and
# after what somebody has to change. Each is half as long again as the one before while
# nobody publishes, else twice as long.
FIRST_PAUSE = 0.5
LONGEST_WAIT, LONGEST_PAUSE = 10.0, 30.0
# What an origin may ask for in Retry-After, in seconds.
LONGEST_ASKED = 120.0
# The pause, in seconds, after the origin's publisher has left.
REOPENING = 0.25
# Seconds after which a session counts as a success: the next pause is the first again.
STABLE = 10.0


class PullState(enum.StrEnum):
    """The state of a pull, as viewers and operators see it.

    It stays that of the last failure while the origin is tried again.
    """

    CONNECTING = "connecting"
    WAITING = "waiting"
    LIVE = "live"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    LOOP = "loop"
    OFF = "off"


# Those that follow when a session was not opened, or has ended.
FAILURES = (
    PullState.WAITING,
    PullState.REFUSED,
    PullState.UNREACHABLE,
    PullState.LOOP,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a session at the origin was not opened, or has ended.

    Attributes:
        state: the state that follows.
        detail: for the log and for operators.
        status: the status of the origin's response; None without one.
        retry_after: seconds after which the origin wants to be asked again.
        is_over: whether it is only that the origin's publisher has left.
    """

    state: PullState
    detail: str
    status: int | None = None
    retry_after: float | None = None
    is_over: bool = False


class PullSink(Protocol):
    """What a pull calls."""

    def open_session(self) -> None:
        """Open a session at the origin."""

    def close_session(self) -> None:
        """End it, or stop to open it; ``ended`` is not called then."""

    def state_changed(self) -> None:
        """Tell of the new state."""


class Pull:
    """The pull of one stream.

    Args:
        sink: opens and closes the session.
        random: returns numbers from 0 to 1.

    Attributes:
        state: the state.
        failure: the last one; None once the stream is live.
        is_open: whether there is a session at the origin, or one is being opened.
        attempts: how often it was tried since the last success.
    """

    def __init__(
        self, sink: PullSink, random: Callable[[], float] = random.random
    ) -> None:
        self.state = PullState.CONNECTING
        self.failure: Failure | None = None
        self.is_open = False
        self.attempts = 0
        self._sink = sink
        self._random = random
        self._viewers = 0
        self._is_published_here = False
        self._linger_until = -math.inf
        self._retry_at = -math.inf
        # Of the open session: when it was connected.
        self._connected_at: float | None = None

    def viewers_changed(self, count: int, now: float) -> None:
        """Note how many viewers there are; those that connect count too."""
        if self._viewers and not count:
            self._linger_until = now + LINGER
        self._viewers = count
        self._update(now)

    def published_here(self, is_published: bool, now: float) -> None:
        """Note whether the stream has a publisher of this node's own."""
        self._is_published_here = is_published
        if is_published:
            self.failure = None
            self._set(PullState.OFF)
        elif self.state is PullState.OFF:
            self._set(PullState.CONNECTING)
        self._update(now)

    # What happens to the session

    def connected(self, now: float) -> None:
        """Note that the session is connected."""
        self._connected_at = now

    def nothing_came(self) -> None:
        """Note that the session is connected, and that nothing comes."""
        self._set(PullState.WAITING, None)

    def media_began(self) -> None:
        """Note that the stream comes."""
        self._set(PullState.LIVE, None)

    def ended(self, failure: Failure, now: float) -> None:
        """Note that the session was not opened, or has ended."""
        self.is_open = False
        since, self._connected_at = self._connected_at, None
        if since is not None and now - since >= STABLE:
            self.attempts = 0
        self._retry_at = now + self._pause(failure)
        self.attempts += not failure.is_over
        self._set(failure.state, failure)
        self._update(now)

    # Time

    @property
    def deadline(self) -> float:
        """When to call ``handle_timeout``; infinity for never."""
        if self.is_open:
            return math.inf if self._viewers else self._linger_until
        if self._viewers and self._is_published_here:
            return math.inf
        return self._retry_at

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self._update(now)

    def is_over(self, now: float) -> bool:
        """Whether it can be forgotten: not before its pause is over."""
        return not (self.is_open or self._viewers or now < self._retry_at)

    def _is_wanted(self, now: float) -> bool:
        if self._is_published_here:
            return False
        return self._viewers > 0 or (self.is_open and now < self._linger_until)

    def _update(self, now: float) -> None:
        is_wanted = self._is_wanted(now)
        if self.is_open and not is_wanted:
            self.is_open = False
            self._connected_at = None
            self._sink.close_session()
            if self.state is not PullState.OFF:
                self._set(PullState.CONNECTING)
        elif is_wanted and not self.is_open and now >= self._retry_at:
            self.is_open = True
            self._sink.open_session()

    def _pause(self, failure: Failure) -> float:
        """Seconds until it is tried again."""
        if failure.is_over:
            return REOPENING * self._random()
        lasts = failure.state in (PullState.REFUSED, PullState.LOOP)
        longest = LONGEST_PAUSE if lasts else LONGEST_WAIT
        growth = 1.5 if failure.state is PullState.WAITING else 2.0
        # No more than is needed to reach the longest one.
        pause = min(longest, FIRST_PAUSE * growth ** min(self.attempts, 16))
        asked = min(failure.retry_after or 0.0, LONGEST_ASKED)
        chance = self._random()
        return max(pause * (0.75 + 0.5 * chance), asked * (1.0 + 0.25 * chance))

    def _set(self, state: PullState, *failure: Failure | None) -> None:
        """Change the state and, if one is given, the failure."""
        before = (self.state, self.failure)
        self.state = state
        if failure:
            (self.failure,) = failure
        if (self.state, self.failure) != before:
            self._sink.state_changed()
