"""A full ICE agent (RFC 8445), for one ICE session."""

import math
import random
from collections.abc import Sequence

from ...sdp.candidate import Candidate
from ...sdp.transport import IceCredentials
from ..path import Path
from ..stun import BINDING_SUCCESS, ErrorCode, StunMessage
from .agent import Agent, AgentOwner
from .candidates import LocalCandidate
from .checks import CHECK_INTERVAL, MIN_RTO, Check, Checks
from .consent import CONSENT_LIFETIME, Consent
from .pairing import Pairing
from .pairs import CheckList, Pair, PairState
from .requests import CheckMaker
from .role import Role

# RFC 8863 section 4: seconds to wait for a check of the peer's before failing.
PATIENCE = 39.5

# Seconds that a controlled agent leaves its answer to arrive, before it checks what the
# peer has not checked: the peer cannot answer before. Its own checks are usually here
# by then, and say all there is to know.
ANSWER_TIME = 0.05

# The same in an ICE restart, and then only until the peer's first check, which shows
# that it has the answer. Chromium takes a new pair that is checked before that for one
# of an older session than the current path's, and never uses it.
RESTART_ANSWER_TIME = 2.0


class FullAgent(Agent):
    """Checks pairs and has them checked, and selects one of those that work.

    In the controlling role it nominates the first pair that works. In the controlled
    role it follows the newest nomination; before there is one, it takes the first
    pair that works in both directions, because some peers (libjuice) send data on
    such a pair at once, and nominate when they have checked the others.

    Consent is what RFC 7675 says, with one exception: a peer that sends media, and has
    answered no check since it is connected, consents by whatever authentic comes from
    it. FFmpeg reads no STUN once it sends. What it gets is less than what it sends.

    Args:
        is_restart: whether there is another path meanwhile: only what is nominated is
            selected, and checks of this side wait longer for those of the peer.
    """

    __slots__ = (
        "_answers_checks",
        "_check_at",
        "_checks",
        "_consent",
        "_is_awaiting_peer",
        "_is_restart",
        "_maker",
        "_nominations",
        "_nominee",
        "_pairing",
        "_pairs",
        "_patient_until",
        "_prefix",
        "_remotes_ended",
        "_selected",
    )

    def __init__(
        self,
        owner: AgentOwner,
        role: Role,
        rng: random.Random,
        *,
        transaction_prefix: bytes,
        ufrag_mark: bytes = b"",
        is_restart: bool,
    ) -> None:
        super().__init__(owner, role, rng, ufrag_mark)
        self._prefix = transaction_prefix
        self._is_restart = is_restart
        self._pairing = Pairing()
        self._remotes_ended = False
        self._pairs = CheckList()
        self._checks = Checks(owner.send)
        self._consent = Consent(rng)
        self._selected: Pair | None = None
        # Whether the peer has answered one while it sent media.
        self._answers_checks = False
        # The pair whose checks nominate it, in the controlling role.
        self._nominee: Pair | None = None
        self._nominations = 0
        self._check_at = -math.inf
        # For its first check in this ICE session, with checks of this side's own.
        self._is_awaiting_peer = False
        self._patient_until = math.inf
        # Known when the peer's credentials are.
        self._maker: CheckMaker | None = None

    @property
    def selected(self) -> Path | None:
        return None if self._selected is None else self._selected.path

    @property
    def consent_until(self) -> float:
        return -math.inf if self._selected is None else self._selected.consent_until

    @property
    def rtt(self) -> float | None:
        return None if self._selected is None else self._selected.rtt

    @property
    def checks_sent(self) -> int:
        return self._checks.sent

    def gather(self, candidates: Sequence[LocalCandidate]) -> None:
        super().gather(candidates)
        self._pairing.set_local(candidates)

    def add_local_candidate(self, candidate: LocalCandidate, now: float) -> None:
        super().add_local_candidate(candidate, now)
        self._pairing.add_local(candidate)
        if self._maker is not None and self._selected is None:
            for pair in self._pairing.pairs_from(candidate.base):
                self._add(pair)
            self._check_next(now)
        self._find_deadline(now)

    def start(self, remote: IceCredentials, now: float) -> None:
        self.remote = remote
        self._maker = CheckMaker(
            self._role, self.local, remote, self._prefix, self._rng
        )
        self._patient_until = now + PATIENCE
        if not self._role.controlling:
            self._is_awaiting_peer = self._is_restart
            wait = RESTART_ANSWER_TIME if self._is_restart else ANSWER_TIME
            self._check_at = now + wait
        # The peer's checks that came before: RFC 8445 section 7.3.
        for pair in list(self._pairs):
            self._check(pair, now)
        for pair in self._pairing.all_pairs():
            self._add(pair)
        self._check_next(now)
        self._find_deadline(now)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        address = self._pairing.add_remote(candidate)
        if address is None:
            return
        if self._maker is not None and self._selected is None:
            for pair in self._pairing.pairs_with(address):
                self._add(pair)
            self._check_next(now)
        self._find_deadline(now)

    def end_of_candidates(self, now: float) -> None:
        self._remotes_ended = True
        self._fail_without_pairs(now)
        self._find_deadline(now)

    def receive_response(self, response: StunMessage, path: Path, now: float) -> bool:
        check = self._checks.get(response.transaction_id)
        if check is None or self._maker is None:
            return False
        # Where it comes from is what was checked: RFC 8445 section 7.2.5.2.1. One that
        # anybody may have copied there does not make the check fail.
        if path == check.pair.path and self._maker.is_authentic(response):
            self._checks.end(check)
            self._owner.check_answered(now)
            if response.type == BINDING_SUCCESS:
                self._succeeded(check, now)
            else:
                self._refused(check, response.error_code, now)
            self._find_deadline(now)
        return True

    def handle_timeout(self, now: float) -> None:
        for check in self._checks.handle_timeout(now):
            self._failed(check)
        self._check_next(now)
        if self._consent.is_expired(now) and not self._renew_by_media(now):
            self._lose_consent(now)
        elif self._consent.is_check_due(now):
            self._keep_consent(now)
        self._fail_without_pairs(now)
        self._find_deadline(now)

    def check_consent(self, now: float) -> None:
        if self._selected is not None:
            self._send_consent_check(self._selected, now)
            self._find_deadline(now)

    def path_closed(self, path: Path, now: float) -> None:
        pair = self._pairs.get(path)
        if pair is None:
            return
        self._checks.keep(lambda check: check.pair is not pair)
        if pair is not self._selected:
            self._pairs.remove(pair)
        elif (other := self._pairs.freshest(now, other_than=pair)) is not None:
            self._pairs.remove(pair)
            self._replace_selected(other, now)
        self._find_deadline(now)

    def stop(self) -> None:
        super().stop()
        self._selected = None
        self._consent.stop()
        self._checks.keep(lambda _: False)
        self._pairs = CheckList()

    # Pairs

    def _add(self, pair: Pair) -> None:
        """Add a pair, unless its path has one already."""
        self._pairs.add(pair)
        controlling = self._role.controlling
        dropped = self._pairs.overflow(self._selected, controlling=controlling)
        if dropped is not None:
            self._checks.keep(lambda check: check.pair is not dropped)

    def _checked(self, request: StunMessage, path: Path, now: float) -> None:
        pair = self._pairs.get(path)
        is_new = pair is None
        if pair is None:
            pair = self._pairing.pair_of(path, request.priority or 0)
        is_first = pair.requested_at == -math.inf
        pair.requested_at = now
        if self._is_awaiting_peer:
            self._is_awaiting_peer = False
            self._check_at = now
        if is_new:
            self._add(pair)
        if request.nominates and not self._role.controlling:
            self._nominations += 1
            pair.nomination = self._nominations
        if pair.is_valid(now):
            self._follow_nomination(pair, now)
        elif pair.state is PairState.IN_PROGRESS:
            self._check_again(pair, now, is_first=is_first)
        elif self._maker is not None:
            self._check(pair, now)
        self._find_deadline(now)

    # Checks

    def _check_next(self, now: float) -> None:
        """Start an ordinary check when its time has come (RFC 8445 6.1.4.2)."""
        if self._maker is None or now < self._check_at:
            return
        pair = self._pairs.next_waiting(controlling=self._role.controlling)
        if pair is not None:
            self._check(pair, now)
            self._check_at = now + CHECK_INTERVAL

    def _check(self, pair: Pair, now: float) -> None:
        """Check a pair at once."""
        pair.state = PairState.IN_PROGRESS
        self._start(pair, now)

    def _check_again(self, pair: Pair, now: float, *, is_first: bool) -> None:
        """Check a pair again before there is an answer (RFC 8445 section 7.3.1.4).

        A controlling peer has dropped what came before it knew this side. A controlled
        one is about to answer: see ``receive_request``.

        Args:
            is_first: whether the peer has never sent a check on the pair before.
        """
        check = self._checks.of(pair)
        assert check is not None
        if is_first and not self._role.controlling:
            self._checks.end(check)
            self._start(pair, now)
        else:
            self._checks.hasten(check, now)

    def _start(self, pair: Pair, now: float) -> None:
        """Send a check and retransmit it, at a pace by RFC 8445 section 14.3."""
        number = self._pairs.count(PairState.WAITING, PairState.IN_PROGRESS)
        check = self._make_check(pair)
        self._checks.start(check, max(MIN_RTO, CHECK_INTERVAL * number), now)

    def _make_check(self, pair: Pair) -> Check:
        assert self._maker is not None
        nominates = self._role.controlling and pair is self._nominee
        return self._maker.make(pair, nominates=nominates)

    def _succeeded(self, check: Check, now: float) -> None:
        """RFC 8445 section 7.2.5.3."""
        pair = check.pair
        pair.state = PairState.SUCCEEDED
        pair.answered_at = now
        pair.consent_until = now + CONSENT_LIFETIME
        if not check.is_ambiguous:
            pair.rtt = now - check.sent_at
        self._owner.path_verified(self, pair.path)
        if self._is_stopped:
            return
        if pair is self._selected:
            self._consent.answered()
            if self._owner.media_sender_heard_at > -math.inf:
                self._answers_checks = True
        elif not self._role.controlling:
            self._follow_nomination(pair, now)
        elif self._selected is None:
            self._nominate(pair, now)
        if pair is not self._selected:
            self._consent.doubt(now)

    def _refused(self, check: Check, code: int | None, now: float) -> None:
        """RFC 8445 sections 7.2.5.1 and 7.2.5.2.4, RFC 7675 section 5.2."""
        if code == ErrorCode.ROLE_CONFLICT:
            was_controlling = self._role.controlling
            self._role.refused(controlling=check.controlling)
            if check.pair.state is PairState.IN_PROGRESS:
                self._pairs.wait(check.pair)
            if self._role.controlling is not was_controlling:
                self._role_changed(now)
        elif code == ErrorCode.FORBIDDEN and check.pair is self._selected:
            self._lose_consent(now)
        else:
            self._failed(check)

    def _failed(self, check: Check) -> None:
        if check.pair.state is PairState.IN_PROGRESS:
            check.pair.state = PairState.FAILED

    # Selection

    def _nominate(self, pair: Pair, now: float) -> None:
        """Use a valid pair, and have the peer use it (RFC 8445 section 8.1.1).

        The peer is told first: data may follow at once.
        """
        self._nominee = pair
        self._start(pair, now)
        if pair is not self._selected:
            self._select(pair, now)

    def _follow_nomination(self, pair: Pair, now: float) -> None:
        """Use a valid pair if the peer wants it so (RFC 8445 section 7.3.1.5)."""
        selected = self._selected
        if selected is None:
            was_requested = pair.requested_at > -math.inf
            is_wanted = was_requested and not self._is_restart
            if pair.nomination or is_wanted:
                self._select(pair, now)
        elif pair.nomination > selected.nomination:
            self._select(pair, now)

    def _select(self, pair: Pair, now: float) -> None:
        """Send data on a valid pair, and check others only if they are nominated."""
        self._selected = pair
        self._pairs.conclude(pair.nomination)
        self._checks.keep(
            lambda check: check.pair is pair or check.pair.nomination > pair.nomination
        )
        self._consent.follow(pair)
        self._owner.path_selected(self, pair.path, now)

    def _role_changed(self, now: float) -> None:
        if self._role.controlling:
            pair = self._selected or self._pairs.freshest(now)
            if pair is not None:
                self._nominate(pair, now)

    # Consent

    def _keep_consent(self, now: float) -> None:
        selected = self._selected
        assert selected is not None
        other = self._pairs.freshest(now, other_than=selected)
        if other is not None and self._consent.is_dead_beside(other):
            self._replace_selected(other, now)
        else:
            self._send_consent_check(selected, now)

    def _renew_by_media(self, now: float) -> bool:
        """Take what came last from a peer that answers no checks for its consent.

        Returns:
            Whether there is consent now.
        """
        heard_until = self._owner.media_sender_heard_at + CONSENT_LIFETIME
        if self._answers_checks or now >= heard_until:
            return False
        assert self._selected is not None
        self._selected.consent_until = heard_until
        return True

    def _replace_selected(self, other: Pair, now: float) -> None:
        """Go on with another pair that works."""
        self._nominations += 1
        other.nomination = self._nominations
        if self._role.controlling:
            self._nominate(other, now)
        else:
            self._select(other, now)

    def _send_consent_check(self, pair: Pair, now: float) -> None:
        """Send a check that is not retransmitted.

        It nominates the pair again, so that the peer follows when the address that it
        sees has changed.
        """
        self._checks.start_unrepeated(self._make_check(pair), now)
        self._consent.checked(now)

    def _lose_consent(self, now: float) -> None:
        self.stop()
        self._owner.consent_lost(self, now)

    def _fail_without_pairs(self, now: float) -> None:
        """RFC 8445 section 8.1.2, RFC 8863 section 4."""
        is_over = self._remotes_ended and now >= self._patient_until
        if not is_over or self._selected is not None or self._is_stopped:
            return
        if self._pairs.count(PairState.FAILED) == len(self._pairs):
            self.stop()
            self._owner.agent_failed(self, now)

    def _find_deadline(self, now: float) -> None:
        if self._is_stopped:
            return
        deadline = min(self._checks.deadline, self._consent.deadline)
        controlling = self._role.controlling
        if self._maker is not None and self._pairs.next_waiting(
            controlling=controlling
        ):
            deadline = min(deadline, self._check_at)
        if self._remotes_ended and self._selected is None and self._patient_until > now:
            deadline = min(deadline, self._patient_until)
        self.deadline = deadline
