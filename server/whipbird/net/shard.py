"""Which worker of this machine has a stream, and what its sessions say of it (no I/O).

The workers of a server share its ports. What comes to any of them names its session in
one of three ways, and the number of the session's worker is a part of each: the id of
the session (HTTP), the ufrag (STUN requests), the transaction id (STUN responses). What
names no session names a stream, which tells its owner.
"""

import base64
import binascii
import enum
import hashlib
from dataclasses import dataclass

# Characters of base64 that have three octets: the first ones of a ufrag, the last ones
# of a session's id.
_GROUP = 4


class Sharing(enum.Enum):
    """Whether a port is shared with other workers."""

    NONE = enum.auto()
    # It must be free, and is shared with those that come.
    FIRST = enum.auto()
    # Others have it already.
    WITH_OTHERS = enum.auto()


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the workers of a server.

    Attributes:
        number: its number, from 0.
        count: how many workers there are.
    """

    number: int
    count: int

    @property
    def mark(self) -> bytes:
        """What its ufrags, before base64, and its transaction ids begin with."""
        return bytes((self.number,))

    def owner_of(self, stream: str) -> int:
        """The number of the worker that has a stream: the same in each of them."""
        digest = hashlib.blake2b(stream.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count

    def owns(self, stream: str) -> bool:
        """Whether this worker has a stream."""
        return self.owner_of(stream) == self.number

    def other_of_ufrag(self, ufrag: str) -> int | None:
        """The number in a ufrag; None if it is this one's, or that of no worker."""
        try:
            octets = base64.b64decode(ufrag[:_GROUP], validate=True)
        except (binascii.Error, ValueError):
            return None
        return self._other(octets[0]) if octets else None

    def other_of_transaction(self, transaction_id: bytes) -> int | None:
        """The number in a transaction id; None as for ``other_of_ufrag``."""
        return self._other(transaction_id[0]) if transaction_id else None

    def mark_id(self, octets: bytes) -> bytes:
        """The octets of a session's id, which is base64url of them, with the number."""
        return octets[:-1] + self.mark

    def worker_of_id(self, session: str) -> int | None:
        """The number in a session's id, this one's too; None if it is of no worker."""
        try:
            octets = base64.urlsafe_b64decode(session[-_GROUP:])
        except (binascii.Error, ValueError):
            return None
        return octets[-1] if octets and octets[-1] < self.count else None

    def _other(self, number: int) -> int | None:
        return number if number < self.count and number != self.number else None
