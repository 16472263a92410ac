"""The requests that check pairs (RFC 8445 section 7.2.2)."""

import random

from ...sdp.transport import IceCredentials
from ..stun import TRANSACTION_ID_SIZE, StunMessage, binding_request
from .candidates import peer_reflexive_priority
from .checks import Check
from .pairs import Pair
from .role import Role


class CheckMaker:
    """Makes the checks of one ICE session, and knows authentic answers to them.

    Args:
        local, remote: the credentials of both sides.
        prefix: what transaction ids begin with.
    """

    __slots__ = ("_key", "_prefix", "_rng", "_role", "_username")

    def __init__(
        self,
        role: Role,
        local: IceCredentials,
        remote: IceCredentials,
        prefix: bytes,
        rng: random.Random,
    ) -> None:
        self._role = role
        self._username = f"{remote.ufrag}:{local.ufrag}".encode()
        self._key = remote.pwd.encode()
        self._prefix = prefix
        self._rng = rng

    def make(self, pair: Pair, *, nominates: bool) -> Check:
        """Make a check of a pair, with a transaction id of its own."""
        role, prefix = self._role, self._prefix
        size = TRANSACTION_ID_SIZE - len(prefix)
        transaction_id = prefix + self._rng.getrandbits(8 * size).to_bytes(size, "big")
        request = binding_request(
            transaction_id,
            username=self._username,
            key=self._key,
            priority=peer_reflexive_priority(
                pair.local_priority, is_tcp=pair.path.is_tcp
            ),
            controlling=role.controlling,
            tie_breaker=role.tie_breaker,
            nominates=nominates,
        )
        return Check(pair, transaction_id, request, controlling=role.controlling)

    def is_authentic(self, response: StunMessage) -> bool:
        """Whether a response is signed with the peer's password."""
        return response.is_authentic(self._key)
