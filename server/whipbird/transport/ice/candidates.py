"""Local ICE candidates (RFC 8445 section 5.1)."""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from ...sdp.candidate import Candidate
from ..path import Address, RelayAddress, TcpAddress

# The highest local preference there is (RFC 8445 section 5.1.2.1).
MAX_LOCAL_PREFERENCE = 65535

# RFC 8445 section 5.1.2.2.
_HOST_PREFERENCE = 126
_PEER_REFLEXIVE_PREFERENCE = 110
_RELAY_PREFERENCE = 0

# RFC 6544 section 4.2 has TCP candidates after those of UDP, the server-reflexive ones
# (100) too, and peer-reflexive ones after those of the host.
_TCP_HOST_PREFERENCE = 90
_TCP_PEER_REFLEXIVE_PREFERENCE = 80

# RFC 6544 section 4.2: the upper 3 bits of the local preference of a passive candidate;
# the lower 13 tell the candidates apart.
_PASSIVE = 4
_OTHER_BITS = 13

# Candidates that are made once for all sessions: more than a server has addresses.
_KEPT = 256

# All is multiplexed on the first component (RFC 8834 section 4.4).
_COMPONENT = 1


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """A candidate of this side.

    Attributes:
        candidate: the candidate as SDP has it.
        base: the address of the socket that checks are sent from. Behind a 1:1 NAT it
            is not the candidate's address, and several candidates may share it.
    """

    candidate: Candidate
    base: Address


@lru_cache(maxsize=_KEPT)
def host_candidate(
    address: str, port: int, base: Address, preference: int
) -> LocalCandidate:
    """Make a host candidate (RFC 8445 section 5.1.1.1).

    Its foundation is that of its address (section 5.1.1.3), which is the base's but
    for a 1:1 NAT: a peer that freezes pairs of one foundation must not put off the
    address outside of the NAT until the one inside has failed.

    Args:
        address: the IP address for the peer.
        port: the port for the peer.
        base: the address of the socket.
        preference: the local preference, at most ``MAX_LOCAL_PREFERENCE``; each
            candidate of a peer has another.
    """
    candidate = Candidate(
        foundation=str(crc32(f"host udp {address}".encode())),
        component=_COMPONENT,
        transport="udp",
        priority=_priority(_HOST_PREFERENCE, preference),
        address=address,
        port=port,
        type="host",
    )
    return LocalCandidate(candidate, base)


@lru_cache(maxsize=_KEPT)
def passive_candidate(
    address: str, port: int, base: TcpAddress, rank: int
) -> LocalCandidate:
    """Make a TCP candidate to which the peer connects (RFC 6544 section 4.1).

    Args:
        address: the IP address for the peer.
        port: the port for the peer.
        base: the address that is listened on.
        rank: its place among the TCP candidates; 0 is the most preferred.
    """
    other = max((1 << _OTHER_BITS) - 1 - rank, 0)
    candidate = Candidate(
        foundation=str(crc32(f"host tcp {address}".encode())),
        component=_COMPONENT,
        transport="tcp",
        priority=_priority(_TCP_HOST_PREFERENCE, _PASSIVE << _OTHER_BITS | other),
        address=address,
        port=port,
        type="host",
        tcp_type="passive",
    )
    return LocalCandidate(candidate, base)


def relay_candidate(relayed: RelayAddress, preference: int) -> LocalCandidate:
    """Make a candidate of an address that a TURN server relays (RFC 8445 5.1.1.2).

    Args:
        preference: the local preference, at most ``MAX_LOCAL_PREFERENCE``.
    """
    candidate = Candidate(
        foundation=str(crc32(f"relay udp {relayed.host}".encode())),
        component=_COMPONENT,
        transport="udp",
        priority=_priority(_RELAY_PREFERENCE, preference),
        address=relayed.host,
        port=relayed.port,
        type="relay",
    )
    return LocalCandidate(candidate, relayed)


def peer_reflexive_priority(priority: int, *, is_tcp: bool) -> int:
    """The priority of a candidate if it were peer-reflexive (RFC 8445 section 7.1.1).

    Args:
        priority: the candidate's own.
    """
    preference = (
        _TCP_PEER_REFLEXIVE_PREFERENCE if is_tcp else _PEER_REFLEXIVE_PREFERENCE
    )
    return preference << 24 | priority & 0xFFFFFF


def _priority(type_preference: int, local_preference: int) -> int:
    """RFC 8445 section 5.1.2.1."""
    return type_preference << 24 | local_preference << 8 | 256 - _COMPONENT
