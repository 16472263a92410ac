"""All ICE sessions of one peer: the current one, and the one that is to replace it."""

import math
import random
from collections.abc import Sequence

from ...sdp.candidate import Candidate
from ...sdp.transport import IceCredentials
from ..path import Path
from ..stun import (
    BINDING_INDICATION,
    BINDING_REQUEST,
    StunError,
    StunMessage,
    parse,
)
from .agent import Agent
from .candidates import LocalCandidate
from .consent import CONSENT_LIFETIME
from .full_agent import FullAgent
from .lite_agent import LiteAgent
from .paths import VerifiedPaths
from .role import Role
from .sinks import IceSinks

# Seconds that an ICE restart may take once nothing can be sent on the old path.
RESTART_TIMEOUT = 15.0

_SYSTEM_RANDOM = random.SystemRandom()


class IceTransport:
    """The way of datagrams to a peer, over all ICE sessions.

    An ICE restart (RFC 8445 section 9) makes a new agent beside the current one, whose
    path carries the data until the new agent has one.

    Args:
        sinks: what is called.
        controlling: whether this side nominates; a conflict with the peer may turn it.
        lite: whether this side only answers checks.
        transaction_prefix: what the ids of this side's transactions begin with, so that
            responses can be told apart on a port that many peers share; at most 4
            octets, for the rest must not be guessed (RFC 8489 section 5).
        ufrag_mark: what its ufrags begin with, before base64; at most 3 octets.
        rng: for credentials, transaction ids and tie-breakers.

    Attributes:
        lite: as given.
        deadline: when ``handle_timeout`` is due; infinite when nothing is waited for.
        selected: the path in use; None before there is one, and without consent.
        malformed: datagrams that were no well-formed STUN.
        requests_received: authentic checks of the peer's.
        responses_received: answers to checks of this side.
        heard_at: when the last authentic check or answer came; minus infinity before.
    """

    __slots__ = (
        "_closed",
        "_current",
        "_has_failed",
        "_has_lost_consent",
        "_next",
        "_old_checks_sent",
        "_paths",
        "_prefix",
        "_restart_until",
        "_rng",
        "_role",
        "_sinks",
        "_ufrag_mark",
        "deadline",
        "heard_at",
        "lite",
        "malformed",
        "requests_received",
        "responses_received",
        "selected",
    )

    def __init__(
        self,
        sinks: IceSinks,
        *,
        controlling: bool,
        lite: bool = False,
        transaction_prefix: bytes = b"",
        ufrag_mark: bytes = b"",
        rng: random.Random = _SYSTEM_RANDOM,
    ) -> None:
        self._sinks = sinks
        self.lite = lite
        self._rng = rng
        self._prefix = transaction_prefix
        self._ufrag_mark = ufrag_mark
        self._role = Role(controlling=controlling, lite=lite, rng=rng)
        self._paths = VerifiedPaths(sinks.path_verified, sinks.path_forgotten)
        self._current = self._make_agent(is_restart=False)
        self._next: Agent | None = None
        self._restart_until = math.inf
        self._has_lost_consent = False
        self._has_failed = False
        self._closed = False
        self._old_checks_sent = 0
        self.deadline = math.inf
        self.selected: Path | None = None
        self.malformed = 0
        self.requests_received = 0
        self.responses_received = 0
        self.heard_at = -math.inf

    @property
    def local(self) -> IceCredentials:
        """This side's credentials in the newest ICE session."""
        return self._newest.local

    @property
    def local_candidates(self) -> tuple[LocalCandidate, ...]:
        """This side's candidates in the newest ICE session."""
        return self._newest.candidates

    @property
    def remote(self) -> IceCredentials | None:
        """The peer's credentials in the newest ICE session, once they are known."""
        return self._newest.remote

    @property
    def controlling(self) -> bool:
        """Whether this side nominates."""
        return self._role.controlling

    @controlling.setter
    def controlling(self, value: bool) -> None:
        self._role.controlling = value

    @property
    def rtt(self) -> float | None:
        """Seconds that the newest check of the selected path took, where known."""
        return self._current.rtt

    @property
    def consent_until(self) -> float:
        """When the consent to send on the selected path expires, as things stand."""
        return self._current.consent_until

    @property
    def checks_sent(self) -> int:
        """How many requests were sent, retransmissions too."""
        sent = self._old_checks_sent + self._current.checks_sent
        return sent if self._next is None else sent + self._next.checks_sent

    # Connecting

    def gather(self, candidates: Sequence[LocalCandidate]) -> None:
        """Set the candidates of the first ICE session, before anything else."""
        self._current.gather(candidates)
        self._tell_ufrags()

    def start(
        self, remote: IceCredentials, now: float, *, remote_lite: bool = False
    ) -> None:
        """Begin the first ICE session, now that the peer's credentials are known.

        Args:
            remote_lite: whether the peer only answers checks: a full agent controls
                a lite one (RFC 8445 section 6.1.1).
        """
        if self._closed:
            return
        if remote_lite and not self.lite:
            self._role.controlling = True
        self._current.start(remote, now)
        self._find_deadline()

    def add_local_candidate(self, candidate: LocalCandidate, now: float) -> None:
        """Add a candidate of this side's to the newest ICE session.

        The peer need not be told of it: the checks from it do.
        """
        if self._closed:
            return
        self._newest.add_local_candidate(candidate, now)
        self._find_deadline()

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Take a usable candidate of the peer's, in the newest ICE session.

        Those that are known, and those beyond a number, are ignored.
        """
        if self._closed:
            return
        self._newest.add_remote_candidate(candidate, now)
        self._find_deadline()

    def end_of_candidates(self, now: float) -> None:
        """Know that the peer has told all its candidates (RFC 8838 section 13).

        Without it a connect goes on until it succeeds or the transport is closed.
        """
        if self._closed:
            return
        self._newest.end_of_candidates(now)
        self._find_deadline()

    # Datagrams and time

    def receive(self, data: bytes, path: Path, now: float) -> bool:
        """Take a STUN datagram.

        Returns:
            False when it is malformed or not authentic, or belongs to somebody else: a
            request to another ufrag, or a response to no check of this peer. It may
            still be another peer's whose datagrams come on the same path.
        """
        if self._closed:
            return False
        try:
            message = parse(data)
        except StunError:
            self.malformed += 1
            return False
        if message.type == BINDING_INDICATION:
            # It keeps a NAT's binding alive, and says nothing (RFC 8445 section 11).
            return True
        if message.type == BINDING_REQUEST:
            is_ours = self._receive_request(message, path, now)
        else:
            is_ours = self._receive_response(message, path, now)
        self._find_deadline()
        return is_ours

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        if self._closed:
            return
        for agent in (self._current, self._next):
            if agent is not None and now >= agent.deadline:
                agent.handle_timeout(now)
        if now >= self._restart_until:
            self.abandon_restart(now)
        if now >= self._paths.deadline:
            self._paths.expire(now)
        self._find_deadline()

    def path_closed(self, path: Path, now: float) -> None:
        """Take note that the TCP connection of a path has ended.

        If it was the selected one, another that works is selected. If there is none,
        consent decides: the peer may connect again.
        """
        if self._closed:
            return
        for agent in (self._current, self._next):
            if agent is not None:
                agent.path_closed(path, now)
        self._paths.forget(path)
        self._find_deadline()

    def check_consent(self, now: float) -> None:
        """Send one check on the selected path at once."""
        self._current.check_consent(now)
        self._find_deadline()

    def close(self) -> None:
        """Send nothing any more, and take nothing."""
        self._closed = True
        self.selected = None
        self._current.stop()
        if self._next is not None:
            self._next.stop()
            self._next = None
        self.deadline = math.inf

    # ICE restart

    def restart(self, candidates: Sequence[LocalCandidate], now: float) -> None:
        """Make a new ICE session beside the current one; it replaces an unfinished one.

        Args:
            candidates: this side's for the new session.

        Raises:
            ConnectionError: when the transport is closed.
        """
        if self._closed:
            raise ConnectionError("ICE is closed")
        unfinished = self._next
        self._next = self._make_agent(is_restart=True)
        self._next.gather(candidates)
        if unfinished is not None:
            self._drop(unfinished)
            self._sinks.restart_ended(False)
        if self._has_lost_consent:
            self._restart_until = now + RESTART_TIMEOUT
        self._tell_ufrags()
        self._find_deadline()

    def accept_restart(self, remote: IceCredentials, now: float) -> None:
        """Begin the new ICE session, now that the peer's credentials are known.

        Raises:
            ConnectionError: when there is none, or no longer.
        """
        if self._next is None:
            raise ConnectionError("No ICE restart has begun")
        self._next.start(remote, now)
        self._find_deadline()

    def abandon_restart(self, now: float) -> None:
        """Drop the new ICE session, if there is one, and keep the old."""
        agent, self._next = self._next, None
        self._restart_until = math.inf
        if agent is None:
            return
        self._drop(agent)
        self._tell_ufrags()
        self._sinks.restart_ended(False)
        if self._closed:
            return
        if self._has_lost_consent:
            self._sinks.consent_expired()
        elif self._has_failed:
            self._sinks.ice_failed()
        self._find_deadline()

    # AgentOwner

    @property
    def media_sender_heard_at(self) -> float:
        return self._sinks.media_sender_heard_at

    @property
    def peer_heard_at(self) -> float:
        return self._sinks.peer_heard_at

    def send(self, data: bytes, path: Path) -> None:
        if not self._closed:
            self._sinks.send_datagram(data, path)

    def path_verified(self, agent: Agent, path: Path) -> None:
        self._paths.verify(agent, path, agent.selected)

    def check_answered(self, now: float) -> None:
        self.responses_received += 1
        self.heard_at = now

    def path_selected(self, agent: Agent, path: Path, now: float) -> None:
        if agent is self._current:
            self.selected = path
            self._sinks.path_selected(path)
            return
        old, self._current, self._next = self._current, agent, None
        self.selected = path
        self._retire(old, now)
        self._sinks.path_selected(path)
        if not self._closed:
            self._sinks.restart_ended(True)

    def consent_lost(self, agent: Agent, now: float) -> None:
        self._has_lost_consent = True
        self.selected = self._current.selected
        if self._next is None:
            self._sinks.consent_expired()
        else:
            # The end of this peer too, unless the restart succeeds soon.
            self._restart_until = now + RESTART_TIMEOUT

    def agent_failed(self, agent: Agent, now: float) -> None:
        if agent is self._next:
            self.abandon_restart(now)
            return
        self._has_failed = True
        if self._next is None:
            self._sinks.ice_failed()

    # Private

    @property
    def _newest(self) -> Agent:
        return self._next or self._current

    def _make_agent(self, *, is_restart: bool) -> Agent:
        if self.lite:
            return LiteAgent(
                self,
                self._role,
                self._rng,
                ufrag_mark=self._ufrag_mark,
                is_restart=is_restart,
            )
        return FullAgent(
            self,
            self._role,
            self._rng,
            transaction_prefix=self._prefix,
            ufrag_mark=self._ufrag_mark,
            is_restart=is_restart,
        )

    def _receive_request(self, request: StunMessage, path: Path, now: float) -> bool:
        username = request.username
        if username is None:
            return False
        ufrag = username.partition(b":")[0]
        for agent in (self._current, self._next):
            if agent is not None and agent.ufrag == ufrag:
                is_authentic = agent.receive_request(request, path, now)
                if is_authentic:
                    self.requests_received += 1
                    self.heard_at = now
                return is_authentic
        return False

    def _receive_response(self, response: StunMessage, path: Path, now: float) -> bool:
        for agent in (self._current, self._next):
            if agent is not None and agent.receive_response(response, path, now):
                return True
        return False

    def _drop(self, agent: Agent) -> None:
        agent.stop()
        self._old_checks_sent += agent.checks_sent
        self._paths.drop(agent)

    def _retire(self, agent: Agent, now: float) -> None:
        """Stop the old agent; what is still on its way on its paths is welcome."""
        agent.stop()
        self._old_checks_sent += agent.checks_sent
        self._paths.retire(agent, now + CONSENT_LIFETIME)
        self._restart_until = math.inf
        self._has_lost_consent = self._has_failed = False
        self._tell_ufrags()

    def _tell_ufrags(self) -> None:
        agents = (self._current, self._next)
        self._sinks.ufrags_changed(tuple(a.local.ufrag for a in agents if a))

    def _find_deadline(self) -> None:
        if self._closed:
            return
        deadline = min(
            self._current.deadline, self._paths.deadline, self._restart_until
        )
        if self._next is not None:
            deadline = min(deadline, self._next.deadline)
        self.deadline = deadline
        self.selected = self._current.selected
