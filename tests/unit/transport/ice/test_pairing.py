"""Which candidates make pairs (RFC 8445 section 6.1.2)."""

from tests.unit.transport.ice.link import remote_candidate
from whipbird.transport.ice import MAX_REMOTE_CANDIDATES, host_candidate
from whipbird.transport.ice.pairing import Pairing
from whipbird.transport.path import Path

BASE = ("10.0.0.1", 8080)
BASE_IPV6 = ("2001:db8::1", 8080)


def pairing() -> Pairing:
    made = Pairing()
    made.set_local(
        [
            host_candidate("10.0.0.1", 8080, BASE, 3),
            # Two candidates of one base.
            host_candidate("203.0.113.1", 80, BASE, 5),
            host_candidate("2001:db8::1", 8080, BASE_IPV6, 4),
        ]
    )
    return made


def test_a_base_makes_one_pair_with_its_best_priority() -> None:
    """RFC 8445 section 6.1.2.4."""
    made = pairing()
    address = made.add_remote(remote_candidate("192.0.2.1", 9, 77))
    assert address == ("192.0.2.1", 9)
    [pair] = made.pairs_with(address)
    assert pair.path == Path(BASE, address)
    best = host_candidate("203.0.113.1", 80, BASE, 5).candidate.priority
    assert (pair.local_priority, pair.remote_priority) == (best, 77)


def test_a_candidate_is_taken_once_however_it_is_written() -> None:
    made = pairing()
    address = made.add_remote(remote_candidate("2001:DB8:0::2", 9))
    assert address == ("2001:db8::2", 9)
    assert made.add_remote(remote_candidate("2001:db8::2", 9)) is None
    assert [pair.path for pair in made.all_pairs()] == [Path(BASE_IPV6, address)]


def test_candidates_are_bounded() -> None:
    made = pairing()
    for n in range(2 * MAX_REMOTE_CANDIDATES):
        made.add_remote(remote_candidate("192.0.2.1", n + 1))
    assert len(list(made.all_pairs())) == MAX_REMOTE_CANDIDATES


def test_the_pair_of_a_peer_reflexive_candidate() -> None:
    """RFC 8445 section 7.3.1.3: its priority is what the check says; a signalled
    candidate has its own."""
    made = pairing()
    address = made.add_remote(remote_candidate("192.0.2.1", 9, 77))
    assert address is not None
    assert made.pair_of(Path(BASE, address), 5).remote_priority == 77
    unknown = made.pair_of(Path(("10.0.0.9", 1), ("192.0.2.2", 1)), 5)
    assert (unknown.local_priority, unknown.remote_priority) == (0, 5)
