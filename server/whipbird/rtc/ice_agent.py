"""An ICE agent (RFC 8445): aioice's, without its waits, for one ICE session."""

import asyncio
import base64
import random
import secrets
from typing import Protocol

from aioice import Candidate, Connection
from aioice.ice import ICE_COMPLETED, ICE_FAILED, CandidatePair, StunProtocol
from aioice.stun import Class, Message

from .ice_socket import IceSocket

# RFC 8445 section 14.2: Ta, the pace of checks, in seconds.
CHECK_INTERVAL = 0.02

# RFC 7675 section 5.1: seconds from one consent check to the next, before they are
# made irregular, and seconds without an answer after which consent has expired.
CONSENT_INTERVAL = 5.0
CONSENT_LIFETIME = 30.0

# The error code of a STUN response that revokes consent (RFC 7675 section 5.2).
FORBIDDEN = 403

# No peer needs more addresses; each makes check pairs with every local candidate.
MAX_REMOTE_CANDIDATES = 64

# RFC 8839 section 5.4 wants at least 4 and 22 characters: these become 8 and 24.
UFRAG_OCTETS = 6
PWD_OCTETS = 18


def _random_ice_chars(octets: int) -> str:
    """Random octets in base64, whose alphabet is the one of ICE."""
    return base64.b64encode(secrets.token_bytes(octets)).decode()


class AgentOwner(Protocol):
    """What is told of an agent's progress, within the callback of the socket."""

    def address_verified(self, address: tuple[str, int]) -> None:
        """Who sends from this address has shown to know the ICE password."""

    def pair_nominated(self, agent: "IceAgent", pair: CandidatePair) -> None:
        """Data is to be sent on this pair."""

    def consent_expired(self, agent: "IceAgent") -> None:
        """The peer does not answer any more: nothing may be sent to it."""


class IceAgent(Connection):
    """aioice's agent for one component and one ICE session, on sockets it is given.

    Overridden are the paced checks (the connection is reported when it is made, not
    at the next tick), consent (a timer, not a task; the times of RFC 7675), and all
    that has to do with sockets, which outlive it.

    Args:
        owner: what is told of its progress.
        controlling: its role.

    Attributes:
        verified_addresses: who has shown by a check to know the ICE password.
        settled: set when it has a connection, or never will.
        consent_until: when the peer's consent expires, by the clock of the event loop.
    """

    def __init__(self, owner: AgentOwner, *, controlling: bool) -> None:
        super().__init__(
            ice_controlling=controlling,
            local_username=_random_ice_chars(UFRAG_OCTETS),
            local_password=_random_ice_chars(PWD_OCTETS),
        )
        self._owner = owner
        self.verified_addresses: set[tuple[str, int]] = set()
        self.settled = asyncio.Event()
        self._pace_now = asyncio.Event()
        self.consent_until = 0.0
        self._consent_timer: asyncio.TimerHandle | None = None
        self._consent_check: ConsentCheck | None = None

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The nominated pair, or None before there is one."""
        return self._nominated.get(1)

    @property
    def sockets(self) -> list[StunProtocol]:
        """The sockets of its candidates."""
        return self._protocols

    def use(self, sockets: list[IceSocket]) -> None:
        """Take the sockets whose addresses are its candidates, all at once."""
        self._protocols.extend(sockets)
        self._local_candidates.extend(s.local_candidate for s in sockets)
        self._local_candidates_start = self._local_candidates_end = True

    def add_remote(self, candidate: Candidate) -> None:
        """Add a remote candidate whose address is an IP address, up to a number."""
        full = len(self._remote_candidates) >= MAX_REMOTE_CANDIDATES
        if not self._closing and not full:
            self._add_remote_candidate(candidate, candidate.host)

    def stop(self) -> list[asyncio.Task[None]]:
        """Check no more, and answer no more checks.

        Returns:
            Tasks that are about to end.
        """
        self._closing = True
        if self._consent_timer is not None:
            self._consent_timer.cancel()
        self._end_consent_check()
        if not self._check_list_done:
            self._check_list_state.put_nowait(ICE_FAILED)
            self._check_list_done = True
        tasks = [pair.task for pair in self._check_list if pair.task is not None]
        for task in tasks:
            task.cancel()
        self.settled.set()
        return tasks

    # Overrides of aioice

    def request_received(
        self, message: Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        super().request_received(message, addr, protocol)
        is_early = self._early_checks and self._early_checks[-1][0] is message
        if is_early and self._has_room_for(addr):
            # It has been answered: DTLS may come before `connect` looks at it.
            self._verified(addr)

    def check_incoming(
        self, message: Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        if self._has_room_for(addr):
            self._verified(addr)
            super().check_incoming(message, addr, protocol)

    def check_complete(self, pair: CandidatePair) -> None:
        if pair.state == CandidatePair.State.SUCCEEDED:
            self._verified(pair.remote_addr)
        before = self.selected_pair
        super().check_complete(pair)
        if pair.nominated and pair.state == CandidatePair.State.SUCCEEDED:
            self.consent_until = asyncio.get_running_loop().time() + CONSENT_LIFETIME
            if before is None:
                self._check_consent_later()
            if pair is not before:
                self.settled.set()
                self._owner.pair_nominated(self, pair)

    def _has_room_for(self, address: tuple[str, int]) -> bool:
        """Whether an address that comes by itself is not one too many."""
        known = address in self.verified_addresses
        return known or len(self.verified_addresses) < MAX_REMOTE_CANDIDATES

    def _verified(self, address: tuple[str, int]) -> None:
        if address not in self.verified_addresses:
            self.verified_addresses.add(address)
            self._owner.address_verified(address)

    def _pair_remote_candidate(self, remote_candidate: Candidate) -> None:
        super()._pair_remote_candidate(remote_candidate)
        self._pace_now.set()

    async def connect(self) -> None:
        if self.remote_username is None or self.remote_password is None:
            raise ConnectionError("Remote username or password is missing")

        for remote_candidate in self._remote_candidates:
            self._pair_remote_candidate(remote_candidate)
        self.sort_check_list()
        self._unfreeze_initial()
        for early_check in self._early_checks:
            self.check_incoming(*early_check)
        self._early_checks.clear()
        self._early_checks_done = True

        pacing = asyncio.create_task(self._pace_checks())
        try:
            result = await self._check_list_state.get()
        finally:
            pacing.cancel()
        for pair in self._check_list:
            if pair.task:
                pair.task.cancel()
        if result != ICE_COMPLETED:
            raise ConnectionError("ICE negotiation failed")

    async def _pace_checks(self) -> None:
        """Start a waiting check every Ta, and sleep while there is none."""
        waiting = (CandidatePair.State.WAITING, CandidatePair.State.FROZEN)
        while not self._check_list_done:
            if not any(pair.state in waiting for pair in self._check_list):
                self._pace_now.clear()
                await self._pace_now.wait()
            self._check_periodic()
            await asyncio.sleep(CHECK_INTERVAL)

    # Consent (RFC 7675)

    def consent_given(self) -> None:
        """The peer has answered a consent check."""
        self.consent_until = asyncio.get_running_loop().time() + CONSENT_LIFETIME

    def consent_revoked(self) -> None:
        """The peer wants nothing any more (RFC 7675 section 5.2)."""
        if self._consent_timer is not None:
            self._consent_timer.cancel()
        self._end_consent_check()
        self._owner.consent_expired(self)

    def _check_consent_later(self) -> None:
        loop = asyncio.get_running_loop()
        irregular = CONSENT_INTERVAL * random.uniform(0.8, 1.2)
        at = min(loop.time() + irregular, self.consent_until)
        self._consent_timer = loop.call_at(at, self._check_consent)

    def _check_consent(self) -> None:
        self._end_consent_check()
        if asyncio.get_running_loop().time() >= self.consent_until:
            self._owner.consent_expired(self)
            return
        self._consent_check = ConsentCheck(self)
        self._check_consent_later()

    def _end_consent_check(self) -> None:
        if self._consent_check is not None:
            self._consent_check.end()
            self._consent_check = None


class ConsentCheck:
    """A consent check: sent once, and answered before the next, or not at all.

    aioice's own transactions give up after half a second, which is less than some
    paths take.
    """

    def __init__(self, agent: IceAgent) -> None:
        pair = agent.selected_pair
        assert pair is not None
        assert agent.remote_password is not None
        self._agent = agent
        self._pair = pair
        self._key = agent.remote_password.encode()
        request = agent.build_request(pair, nominate=False)
        request.add_message_integrity(self._key)
        self._id = request.transaction_id
        pair.protocol.transactions[self._id] = self  # type: ignore[assignment]
        pair.protocol.send_stun(request, pair.remote_addr)

    def response_received(self, message: Message, addr: tuple[str, int]) -> None:
        """Take what comes back, as an aioice transaction does."""
        if addr != self._pair.remote_addr or not message.check_message_integrity(
            self._key
        ):
            return
        if message.message_class == Class.RESPONSE:
            self._agent.consent_given()
        elif message.error_code == FORBIDDEN:
            self._agent.consent_revoked()

    def end(self) -> None:
        """Wait for the answer no more."""
        self._pair.protocol.transactions.pop(self._id, None)
