"""Local candidates (RFC 8445 section 5.1)."""

from whipbird.sdp.candidate import Candidate
from whipbird.transport.ice import (
    MAX_LOCAL_PREFERENCE,
    host_candidate,
    relay_candidate,
)
from whipbird.transport.ice.candidates import peer_reflexive_priority
from whipbird.transport.path import Path, RelayAddress

BASE = ("10.0.0.1", 8080)


def test_a_host_candidate() -> None:
    local = host_candidate("10.0.0.1", 8080, BASE, MAX_LOCAL_PREFERENCE)
    candidate = local.candidate
    assert local.base == BASE
    assert (candidate.address, candidate.port) == BASE
    assert (candidate.component, candidate.transport, candidate.type) == (
        1,
        "udp",
        "host",
    )
    # RFC 8445 section 5.1.2.1: 2^24 * 126 + 2^8 * 65535 + 256 - 1.
    assert candidate.priority == 2130706431
    assert candidate.is_usable


def test_it_can_be_written() -> None:
    """RFC 8839 section 5.1: its foundation is of 1 to 32 ICE characters."""
    candidate = host_candidate("2001:db8::1", 8080, BASE, 5).candidate
    assert Candidate.parse(str(candidate)) == candidate


def test_priorities_follow_the_preference() -> None:
    priorities = [
        host_candidate("10.0.0.1", 1, BASE, MAX_LOCAL_PREFERENCE - n).candidate.priority
        for n in range(3)
    ]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 3


def test_foundations() -> None:
    """RFC 8445 section 5.1.1.3: the same for the same address, whatever the port."""
    one = host_candidate("10.0.0.1", 1, BASE, 1).candidate
    same = host_candidate("10.0.0.1", 2, BASE, 2).candidate
    # Outside of a 1:1 NAT: a peer must not freeze it because of the other.
    other = host_candidate("203.0.113.1", 1, BASE, 3).candidate
    assert one.foundation == same.foundation != other.foundation


def test_the_priority_in_checks() -> None:
    """RFC 8445 section 7.1.1: as if peer-reflexive, of the same local preference."""
    priority = host_candidate("10.0.0.1", 1, BASE, 77).candidate.priority
    peer_reflexive = peer_reflexive_priority(priority, is_tcp=False)
    assert peer_reflexive == 110 << 24 | 77 << 8 | 255


def test_a_relayed_candidate() -> None:
    """RFC 8445 section 5.1.2.2: after all others; RFC 8839 section 5.1: it has a
    related address."""
    relayed = RelayAddress("198.51.100.9", 50000)
    local = relay_candidate(relayed, MAX_LOCAL_PREFERENCE)
    candidate = local.candidate
    assert local.base == relayed
    assert candidate.priority == 65535 << 8 | 255
    assert str(candidate).endswith(
        " 198.51.100.9 50000 typ relay raddr 0.0.0.0 rport 9"
    )
    assert Candidate.parse(str(candidate)) == candidate
    # A socket of this machine with the same numbers is another base.
    assert relayed not in {Path(BASE, ("198.51.100.9", 50000)).remote}
