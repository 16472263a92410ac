"""Pairs and the check list (RFC 8445 section 6.1.2)."""

from whipbird.transport.ice.pairs import (
    FRESHNESS,
    MAX_PAIRS,
    CheckList,
    Pair,
    PairState,
)
from whipbird.transport.path import Path

BASE = ("198.51.100.1", 5000)


def pair(port: int, local: int = 1, remote: int = 1) -> Pair:
    return Pair(Path(BASE, ("192.0.2.1", port)), local, remote)


def test_priority() -> None:
    """RFC 8445 section 6.1.2.3: G is the controlling side's, D the other's."""
    one = pair(1, local=5, remote=3)
    assert one.priority(controlling=True) == 2**32 * 3 + 2 * 5 + 1
    assert one.priority(controlling=False) == 2**32 * 3 + 2 * 5
    other = pair(1, local=3, remote=5)
    # Both sides compute the same.
    assert other.priority(controlling=False) == one.priority(controlling=True)


def test_validity() -> None:
    one = pair(1)
    assert not one.is_valid(0)
    one.state, one.answered_at = PairState.SUCCEEDED, 10
    assert one.is_valid(10 + FRESHNESS - 1)
    assert not one.is_valid(10 + FRESHNESS)


def test_the_waiting_pair_of_the_highest_priority_is_next() -> None:
    pairs = CheckList()
    assert pairs.next_waiting(controlling=True) is None
    for port, priority in ((1, 5), (2, 9), (3, 7)):
        pairs.add(pair(port, priority, priority))
    order = []
    while (found := pairs.next_waiting(controlling=True)) is not None:
        found.state = PairState.IN_PROGRESS
        order.append(found.path.remote[1])
    assert order == [2, 3, 1]


def test_the_order_follows_the_role_and_what_comes_and_goes() -> None:
    """The priority of a pair depends on the role where its candidates differ."""
    pairs = CheckList()
    one, other = pair(1, local=5, remote=3), pair(2, local=3, remote=5)
    pairs.add(other)
    pairs.add(one)
    assert pairs.next_waiting(controlling=True) is one
    assert pairs.next_waiting(controlling=False) is other
    other.state = PairState.IN_PROGRESS
    assert pairs.next_waiting(controlling=False) is one
    pairs.wait(other)
    assert pairs.next_waiting(controlling=False) is other
    pairs.conclude(0)
    assert pairs.next_waiting(controlling=False) is None


def test_a_pair_that_is_dropped_is_not_next() -> None:
    pairs = CheckList()
    best = pair(0, 1000, 1000)
    pairs.add(best)
    for n in range(1, MAX_PAIRS + 1):
        one = pair(n)
        one.requested_at = n
        pairs.add(one)
    assert pairs.overflow(None, controlling=False) is best
    assert pairs.next_waiting(controlling=False) is not best


def test_a_path_has_one_pair() -> None:
    pairs = CheckList()
    first = pair(1, 1, 1)
    pairs.add(first)
    pairs.add(pair(1, 2, 2))
    assert len(pairs) == 1
    assert pairs.get(first.path) is first


def test_the_list_is_bounded() -> None:
    """RFC 8445 section 6.1.2.5: pairs of low priority go. Those on which the peer has
    sent something stay as long as there are others, and the one in use in any case."""
    pairs = CheckList()
    selected = pair(0)
    pairs.add(selected)
    for n in range(1, MAX_PAIRS):
        assert pairs.overflow(selected, controlling=True) is None
        pairs.add(pair(n, n + 10, n + 10))
    pairs.add(pair(1000, 5, 5))
    dropped = pairs.overflow(selected, controlling=True)
    assert dropped is not None
    assert dropped.path.remote[1] == 1000
    for one in pairs:
        one.requested_at = one.path.remote[1]
    newest = pair(1001)
    newest.requested_at = 5000
    pairs.add(newest)
    dropped = pairs.overflow(selected, controlling=True)
    assert dropped is not None
    assert dropped.path.remote[1] == 1
    assert len(pairs) == MAX_PAIRS


def test_concluding() -> None:
    """RFC 8445 section 8.1.2."""
    pairs = CheckList()
    for port, state in enumerate(PairState):
        one = pair(port)
        one.state = state
        pairs.add(one)
    wanted = pair(100)
    wanted.nomination = 3
    pairs.add(wanted)
    pairs.conclude(2)
    assert {one.path.remote[1] for one in pairs} == {2, 100}


def test_the_freshest_pair() -> None:
    pairs = CheckList()
    for port in (1, 2, 3):
        one = pair(port)
        one.state, one.answered_at = PairState.SUCCEEDED, port
        pairs.add(one)
    newest = pairs.freshest(4)
    assert newest is not None
    assert newest.answered_at == 3
    other = pairs.freshest(4, other_than=newest)
    assert other is not None
    assert other.answered_at == 2
    assert pairs.freshest(FRESHNESS + 10) is None
