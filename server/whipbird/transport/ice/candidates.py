"""Local ICE candidates (RFC 8445 section 5.1)."""

from dataclasses import dataclass
from zlib import crc32

from ...sdp.candidate import Candidate
from ..path import Address

# The highest local preference there is (RFC 8445 section 5.1.2.1).
MAX_LOCAL_PREFERENCE = 65535

# RFC 8445 section 5.1.2.2.
_HOST_PREFERENCE = 126
_PEER_REFLEXIVE_PREFERENCE = 110

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


def peer_reflexive_priority(priority: int) -> int:
    """The priority of a candidate if it were peer-reflexive (RFC 8445 section 7.1.1).

    Args:
        priority: the candidate's own.
    """
    return _PEER_REFLEXIVE_PREFERENCE << 24 | priority & 0xFFFFFF


def _priority(type_preference: int, local_preference: int) -> int:
    """RFC 8445 section 5.1.2.1."""
    return type_preference << 24 | local_preference << 8 | 256 - _COMPONENT
