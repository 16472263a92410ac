"""Which candidates make pairs (RFC 8445 section 6.1.2.2)."""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ...sdp.candidate import Candidate
from ..path import Address, Path, TcpAddress
from .candidates import LocalCandidate
from .pairs import Pair

# No peer needs more addresses; each makes pairs with every base of this side.
MAX_REMOTE_CANDIDATES = 64

# How IPv6 addresses of link-local scope begin: RFC 4291 section 2.5.6.
_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")


class Pairing:
    """The bases of this side, and the candidates that the peer has signalled."""

    __slots__ = ("_bases", "_remotes")

    def __init__(self) -> None:
        # Each with the priority of its best candidate: of pairs that differ in the
        # candidate of one base only, one is enough (RFC 8445 section 6.1.2.4).
        self._bases: dict[Address, int] = {}
        self._remotes: dict[Address, int] = {}

    def set_local(self, candidates: Sequence[LocalCandidate]) -> None:
        """Set the candidates of this side."""
        self._bases.clear()
        for local in candidates:
            self.add_local(local)

    def add_local(self, local: LocalCandidate) -> None:
        """Add a candidate of this side."""
        priority = max(self._bases.get(local.base, 0), local.candidate.priority)
        self._bases[local.base] = priority

    def add_remote(self, candidate: Candidate) -> Address | None:
        """Add a candidate of the peer's, whose address is an IP address.

        Returns:
            Its address; None when it is known, or one too many.
        """
        address = (_canonical(candidate.address), candidate.port)
        if address in self._remotes or len(self._remotes) >= MAX_REMOTE_CANDIDATES:
            return None
        self._remotes[address] = candidate.priority
        return address

    def all_pairs(self) -> Iterator[Pair]:
        """Make the pairs of all candidates."""
        for address in self._remotes:
            yield from self.pairs_with(address)

    def pairs_with(self, remote: Address) -> Iterator[Pair]:
        """Make the pairs of one signalled candidate with the bases of its kind."""
        scope, priority = _scope(remote), self._remotes[remote]
        for base, local_priority in self._bases.items():
            if _scope(base) == scope:
                yield Pair(Path(base, remote), local_priority, priority)

    def pairs_from(self, base: Address) -> Iterator[Pair]:
        """Make the pairs of one base with the signalled candidates of its kind."""
        scope, priority = _scope(base), self._bases[base]
        for remote, remote_priority in self._remotes.items():
            if _scope(remote) == scope:
                yield Pair(Path(base, remote), priority, remote_priority)

    def pair_of(self, path: Path, priority: int) -> Pair:
        """Make the pair of a path on which the peer has sent a check.

        Args:
            priority: of the remote candidate if it is peer-reflexive (RFC 8445
                section 7.3.1.3).
        """
        local_priority = self._bases.get(path.local, 0)
        return Pair(path, local_priority, self._remotes.get(path.remote, priority))


@lru_cache(maxsize=1024)
def _canonical(host: str) -> str:
    """An IP address as sockets write it: IPv6 has several forms of one."""
    return str(ipaddress.ip_address(host))


def _scope(address: Address) -> tuple[bool, bool, bool]:
    """What the addresses of a pair have in common: protocol, version, IPv6 link scope.

    The bases of TCP are passive and make no pairs (RFC 6544 section 6.2): the usable
    candidates of a peer are all of UDP.
    """
    host = address[0]
    return isinstance(address, TcpAddress), ":" in host, host.startswith(_LINK_LOCAL)
