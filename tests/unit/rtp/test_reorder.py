"""Packets in order."""

import random

from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.reorder import ReorderBuffer


def push(
    buffer: ReorderBuffer[int], *sequences: int, now: float = 0.0
) -> list[list[int]]:
    """Packets that are their own sequence numbers."""
    return [buffer.push(sequence, sequence, now) for sequence in sequences]


def test_in_order_nothing_is_kept() -> None:
    buffer = ReorderBuffer[int]()
    assert push(buffer, *range(7, 20)) == [[n] for n in range(7, 20)]
    assert len(buffer) == 0


def test_overtaken() -> None:
    buffer = ReorderBuffer[int]()
    assert push(buffer, 1, 3, 5, 2, 4, 6) == [[1], [], [], [2, 3], [4, 5], [6]]
    assert len(buffer) == 0


def test_what_comes_twice_or_too_late_is_thrown_away() -> None:
    buffer = ReorderBuffer[int]()
    assert push(buffer, 5, 5, 4, 7, 7) == [[5], [], [], [], []]
    assert len(buffer) == 1
    assert push(buffer, 6, 6) == [[6, 7], []]


def test_no_longer_than_allowed() -> None:
    buffer = ReorderBuffer[int](max_wait=0.5)
    push(buffer, 1, now=1.0)
    assert push(buffer, 3, now=2.0) == [[]]
    assert push(buffer, 4, now=2.4) == [[]]
    assert buffer.release(2.4) == []
    assert buffer.release(2.5) == [3, 4]
    assert push(buffer, 2, 5, now=2.6) == [[], [5]]


def test_each_gap_has_its_time() -> None:
    buffer = ReorderBuffer[int](max_wait=0.5)
    push(buffer, 1)
    push(buffer, 3, now=0.1)
    push(buffer, 6, now=0.3)
    # This one comes later, but the gap before it was known already.
    push(buffer, 5, now=0.5)
    assert buffer.release(0.6) == [3]
    assert buffer.release(0.79) == []
    assert buffer.release(0.81) == [5, 6]


def test_time_passes_with_packets_too() -> None:
    buffer = ReorderBuffer[int](max_wait=0.5)
    push(buffer, 1, 3)
    assert push(buffer, 4, now=0.6) == [[3, 4]]


def test_what_will_not_come_is_not_waited_for() -> None:
    buffer = ReorderBuffer[int]()
    push(buffer, 1, 4, 5, 8)
    assert buffer.release(0.0, awaited=3) == []
    assert buffer.release(0.0, awaited=4) == [4, 5]
    assert buffer.release(0.0, awaited=9) == [8]


def test_span() -> None:
    buffer = ReorderBuffer[int](max_span=10)
    push(buffer, 1, 3, 5)
    assert push(buffer, 11) == [[]]
    assert push(buffer, 12) == [[3]]
    assert push(buffer, 13) == [[]]
    assert push(buffer, 14, 4) == [[5], []]
    assert push(buffer, 10_000) == [[11, 12, 13, 14]]
    assert push(buffer, 9_990, 9_992) == [[], []]
    assert len(buffer) == 2
    assert push(buffer, 9_991) == [[9_991, 9_992]]
    assert buffer.release(1.0) == [10_000]


@given(
    lost=st.sets(st.integers(0, 299), max_size=60),
    seed=st.integers(0, 1000),
    distance=st.integers(0, 60),
    max_span=st.integers(1, 80),
)
def test_always_in_order(
    lost: set[int], seed: int, distance: int, max_span: int
) -> None:
    rng = random.Random(seed)
    buffer = ReorderBuffer[int](max_span=max_span, max_wait=0.3)
    sent = [n for n in range(300) if n not in lost]
    sent += rng.sample(sent, 10)
    sent.sort(key=lambda n: n + rng.random() * distance)
    given_out: list[int] = []
    for place, sequence in enumerate(sent):
        given_out += buffer.push(sequence, sequence, place / 100)
        assert len(buffer) <= max_span
    given_out += buffer.release(1000.0)
    assert len(buffer) == 0
    assert given_out == sorted(set(given_out))
    assert set(given_out) <= set(sent)


@given(seed=st.integers(0, 1000), distance=st.integers(0, 60))
def test_nothing_is_lost_within_the_bounds(seed: int, distance: int) -> None:
    rng = random.Random(seed)
    order = sorted(range(1, 300), key=lambda n: n + rng.random() * distance)
    buffer = ReorderBuffer[int]()
    given_out = [item for items in push(buffer, 0, *order) for item in items]
    assert given_out == list(range(300))
    assert len(buffer) == 0
