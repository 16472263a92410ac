"""A lite ICE agent (RFC 8445 section 2.5): it answers checks, and sends none."""

import math
import random

from ...sdp.candidate import Candidate
from ...sdp.transport import IceCredentials
from ..path import Path
from ..stun import StunMessage
from .agent import Agent, AgentOwner
from .consent import CONSENT_LIFETIME
from .role import Role

# Seconds after which a path counts as silent: twice the longest time from one consent
# check to the next (RFC 7675 section 5.1).
_SILENCE = 12.0


class LiteAgent(Agent):
    """Selects the path that the peer nominates; before, the first that it has checked.

    (Some peers send data before they nominate: see ``FullAgent``.)

    It sends no consent checks (RFC 7675 section 1 leaves that to full agents), but
    takes the peer's for consent: nothing is sent when the last authentic one on the
    selected path was 30 s ago. Anything else authentic will do, too, since FFmpeg 8.0
    and libnice (GStreamer) send no checks once they are connected. A check in a lite
    agent's ears proves no more than that: whoever sends it need not get an answer.

    Args:
        is_restart: whether to select only what is nominated: in an ICE restart
            there is another path meanwhile.
    """

    __slots__ = ("_chosen", "_is_path_closed", "_is_restart", "_requested_at")

    def __init__(
        self,
        owner: AgentOwner,
        role: Role,
        rng: random.Random,
        *,
        ufrag_mark: bytes = b"",
        is_restart: bool,
    ) -> None:
        super().__init__(owner, role, rng, ufrag_mark)
        self._is_restart = is_restart
        # Chosen perhaps before the peer's credentials are known, and selected then.
        self._chosen: Path | None = None
        self._requested_at = -math.inf
        self._is_path_closed = False

    @property
    def selected(self) -> Path | None:
        return None if self.remote is None else self._chosen

    @property
    def consent_until(self) -> float:
        return self._requested_at + CONSENT_LIFETIME

    @property
    def rtt(self) -> float | None:
        return None

    @property
    def checks_sent(self) -> int:
        return 0

    def start(self, remote: IceCredentials, now: float) -> None:
        self.remote = remote
        if now >= self.consent_until:
            self._chosen = None
        if self._chosen is not None:
            self._select(self._chosen, now)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Nothing is sent to a candidate before it sends something."""

    def end_of_candidates(self, now: float) -> None:
        """It does not matter: see ``add_remote_candidate``."""

    def receive_response(self, response: StunMessage, path: Path, now: float) -> bool:
        return False

    def handle_timeout(self, now: float) -> None:
        if self.selected is None or now < self.consent_until:
            return
        self._requested_at = max(self._requested_at, self._owner.peer_heard_at)
        self.deadline = self.consent_until
        if now >= self.deadline:
            self.stop()
            self._owner.consent_lost(self, now)

    def check_consent(self, now: float) -> None:
        """A lite agent sends no checks."""

    def path_closed(self, path: Path, now: float) -> None:
        """The next path on which the peer sends a check takes its place."""
        if path == self._chosen:
            self._is_path_closed = True

    def stop(self) -> None:
        super().stop()
        self._chosen = None

    def _role_changed(self, now: float) -> None:
        """A lite agent's role never changes."""

    def _checked(self, request: StunMessage, path: Path, now: float) -> None:
        is_first = self._chosen is None and not self._is_restart
        if path == self._chosen:
            self._keep(now)
        elif request.nominates or is_first or self._is_silent(now):
            self._requested_at = now
            self._chosen = path
            self._is_path_closed = False
            if self.remote is not None:
                self._select(path, now)

    def _is_silent(self, now: float) -> bool:
        """Whether the peer's address seems to have changed without its knowledge."""
        if self._chosen is None:
            return False
        return self._is_path_closed or now - self._requested_at > _SILENCE

    def _select(self, path: Path, now: float) -> None:
        self.deadline = self.consent_until
        self._owner.path_selected(self, path, now)

    def _keep(self, now: float) -> None:
        self._requested_at = now
        if self.remote is not None:
            self.deadline = self.consent_until
