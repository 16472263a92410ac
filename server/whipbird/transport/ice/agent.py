"""What full and lite ICE agents have in common: they answer checks (RFC 8445 7.3)."""

import base64
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from ...sdp.candidate import Candidate
from ...sdp.transport import IceCredentials
from ..path import Path
from ..stun import ErrorCode, StunMessage, error_response, success_response
from .candidates import LocalCandidate
from .role import Role

# RFC 8839 section 5.4 wants at least 4 and 22 characters: these become 8 and 24.
_UFRAG_OCTETS = 6
_PWD_OCTETS = 18


class AgentOwner(Protocol):
    """What an agent calls."""

    @property
    def media_sender_heard_at(self) -> float:
        """See ``IceSinks``."""

    @property
    def peer_heard_at(self) -> float:
        """See ``IceSinks``."""

    def send(self, data: bytes, path: Path) -> None:
        """Send a STUN message."""

    def path_verified(self, agent: "Agent", path: Path) -> None:
        """The peer is at the other end of the path. Called for each sign of it."""

    def check_answered(self, now: float) -> None:
        """The peer has answered a check of this side."""

    def path_selected(self, agent: "Agent", path: Path, now: float) -> None:
        """Data is to be sent on this path."""

    def consent_lost(self, agent: "Agent", now: float) -> None:
        """Nothing may be sent on the selected path any more."""

    def agent_failed(self, agent: "Agent", now: float) -> None:
        """No pair works, and none will."""


class Agent(ABC):
    """One ICE session of a peer (RFC 8445 section 4).

    Args:
        owner: what is called.
        role: shared by the sessions of the peer.
        rng: for credentials and transaction ids.
        ufrag_mark: what the ufrag begins with, before base64; at most 3 octets.

    Attributes:
        local: this side's credentials.
        ufrag: as STUN has it, this side's ufrag.
        candidates: this side's candidates.
        remote: the peer's credentials; None until they are known.
        deadline: when ``handle_timeout`` is due.
    """

    __slots__ = (
        "_is_stopped",
        "_key",
        "_owner",
        "_rng",
        "_role",
        "candidates",
        "deadline",
        "local",
        "remote",
        "ufrag",
    )

    def __init__(
        self, owner: AgentOwner, role: Role, rng: random.Random, ufrag_mark: bytes
    ) -> None:
        self._owner = owner
        self._role = role
        self._rng = rng
        self.local = _make_credentials(rng, ufrag_mark)
        self.ufrag = self.local.ufrag.encode()
        self.candidates: tuple[LocalCandidate, ...] = ()
        self.remote: IceCredentials | None = None
        self.deadline = math.inf
        self._key = self.local.pwd.encode()
        self._is_stopped = False

    def gather(self, candidates: Sequence[LocalCandidate]) -> None:
        """Set this side's candidates."""
        self.candidates = tuple(candidates)

    def add_local_candidate(self, candidate: LocalCandidate, now: float) -> None:
        """Add a candidate of this side's, which the peer is not told of."""
        self.candidates = (*self.candidates, candidate)

    @property
    @abstractmethod
    def selected(self) -> Path | None:
        """Where data is sent; None before that is known, and without consent."""

    @property
    @abstractmethod
    def consent_until(self) -> float:
        """When the consent to send on the selected path expires."""

    @property
    @abstractmethod
    def rtt(self) -> float | None:
        """Seconds that the newest check of the selected path took, where known."""

    @property
    @abstractmethod
    def checks_sent(self) -> int:
        """How many requests were sent, retransmissions too."""

    @abstractmethod
    def start(self, remote: IceCredentials, now: float) -> None:
        """Begin, now that the peer's credentials are known."""

    @abstractmethod
    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Take a candidate of the peer's."""

    @abstractmethod
    def end_of_candidates(self, now: float) -> None:
        """The peer has no more candidates than those it has told."""

    @abstractmethod
    def receive_response(self, response: StunMessage, path: Path, now: float) -> bool:
        """Take a success or error response.

        Returns:
            Whether it answers a check of this agent.
        """

    @abstractmethod
    def handle_timeout(self, now: float) -> None:
        """Do what is due."""

    @abstractmethod
    def check_consent(self, now: float) -> None:
        """Check the selected path at once."""

    @abstractmethod
    def path_closed(self, path: Path, now: float) -> None:
        """Take note that nothing can be sent on a path any more."""

    def stop(self) -> None:
        """Send nothing any more, and have no path."""
        self._is_stopped = True
        self.deadline = math.inf

    def receive_request(self, request: StunMessage, path: Path, now: float) -> bool:
        """Answer a check with this agent's ufrag.

        A check of this side on the same path leaves before the answer does: the peer
        may send data as soon as it has that, and this side can answer the data only
        when its own check was answered.

        Returns:
            Whether the request was authentic.
        """
        if self._is_stopped:
            return False
        if not request.is_authentic(self._key):
            self._refuse_unauthentic(request, path)
            return False
        if not self._is_of_peer(request):
            # A browser that restarts ICE pairs its new candidates with our old ones,
            # and would keep such a pair. This answer makes it let go of it.
            self._refuse(request, path, ErrorCode.BAD_REQUEST)
            return False
        if request.unknown:
            self._refuse(request, path, ErrorCode.UNKNOWN_ATTRIBUTE)
            return True
        self._owner.path_verified(self, path)
        if self._is_stopped:
            return True
        was_controlling = self._role.controlling
        if not self._role.accepts(request):
            self._refuse(request, path, ErrorCode.ROLE_CONFLICT)
            return True
        if self._role.controlling is not was_controlling:
            self._role_changed(now)
        self._checked(request, path, now)
        response = success_response(request.transaction_id, path.remote, self._key)
        self._owner.send(response, path)
        return True

    @abstractmethod
    def _checked(self, request: StunMessage, path: Path, now: float) -> None:
        """Take note of an authentic check of the peer's, which will be answered."""

    @abstractmethod
    def _role_changed(self, now: float) -> None:
        """Take note of another role."""

    def _is_of_peer(self, request: StunMessage) -> bool:
        """Whether a check is of the peer's ICE session that this agent is for.

        Its USERNAME ends with the peer's ufrag (RFC 8445 section 7.2.2). While the
        peer's credentials are not known, any will do.
        """
        if self.remote is None:
            return True
        ufrag = (request.username or b"").partition(b":")[2]
        return ufrag == self.remote.ufrag.encode()

    def _refuse(self, request: StunMessage, path: Path, code: ErrorCode) -> None:
        response = error_response(
            request.transaction_id, code, self._key, request.unknown
        )
        self._owner.send(response, path)

    def _refuse_unauthentic(self, request: StunMessage, path: Path) -> None:
        """RFC 8489 section 9.1.3: without MESSAGE-INTEGRITY."""
        code = ErrorCode.UNAUTHENTICATED
        if not request.has_integrity:
            code = ErrorCode.BAD_REQUEST
        self._owner.send(error_response(request.transaction_id, code, None), path)


def _make_credentials(rng: random.Random, mark: bytes) -> IceCredentials:
    """Random octets in base64, whose alphabet is the one of ICE."""
    ufrag = mark + rng.randbytes(_UFRAG_OCTETS - len(mark))
    pwd = rng.randbytes(_PWD_OCTETS)
    return IceCredentials(
        base64.b64encode(ufrag).decode(), base64.b64encode(pwd).decode()
    )
