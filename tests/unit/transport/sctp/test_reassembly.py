"""Fragments become messages: RFC 9260 sections 6.5 to 6.9, RFC 3758 section 3.6."""

import random

import pytest

from whipbird.transport.sctp.chunks import FIRST_FRAGMENT, LAST_FRAGMENT, UNORDERED
from whipbird.transport.sctp.reassembly import FRAGMENT_COST, Fragment, Reassembly

FIRST, LAST, WHOLE = FIRST_FRAGMENT, LAST_FRAGMENT, FIRST_FRAGMENT | LAST_FRAGMENT


def _fragment(tsn: int, flags: int, sequence: int = 0, data: bytes = b"") -> Fragment:
    return Fragment(tsn, flags, 7, sequence, 53, data or b"%d," % tsn)


def _add(
    reassembly: Reassembly, *fragments: Fragment, cumulative: int = 0
) -> list[bytes]:
    return [
        message.data
        for fragment in fragments
        for message in reassembly.add(fragment, cumulative)
    ]


def _skip(reassembly: Reassembly, cumulative: int, sequence: int) -> list[bytes]:
    return [m.data for m in reassembly.skip(cumulative, [(7, sequence)])]


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("kind", [0, UNORDERED])
def test_fragments_in_any_order(seed: int, kind: int) -> None:
    source = random.Random(seed)
    fragments: list[Fragment] = []
    expected: list[bytes] = []
    tsn = 1000
    for sequence in range(65530, 65530 + 12):
        count = source.choice([1, 1, 2, 5])
        expected.append(b"")
        for n in range(count):
            flags = kind | (FIRST if n == 0 else 0) | (LAST if n == count - 1 else 0)
            data = source.randbytes(source.randrange(1, 20))
            fragments.append(_fragment(tsn, flags, sequence & 0xFFFF, data))
            expected[-1] += data
            tsn += 1
    reassembly = Reassembly()
    reassembly.stream(7).sequence = 65530
    source.shuffle(fragments)
    kept = 0
    received: list[bytes] = []
    for fragment in fragments:
        received += _add(reassembly, fragment)
        kept = max(kept, reassembly.cost)
    assert (sorted(received) if kind else received) == (
        sorted(expected) if kind else expected
    )
    assert kept > FRAGMENT_COST
    assert reassembly.cost == reassembly.fragments == 0


def test_skipped_messages_release_those_behind() -> None:
    reassembly = Reassembly()
    assert not _add(
        reassembly,
        _fragment(11, FIRST, 1),  # 1 is never complete
        _fragment(13, WHOLE, 2),
        _fragment(14, WHOLE, 4),
        _fragment(15, WHOLE, 5),
    )
    assert _skip(reassembly, 12, 1) == [b"13,"]
    assert reassembly.streams[7].sequence == 3
    assert _skip(reassembly, 13, 3) == [b"14,", b"15,"]
    assert _skip(reassembly, 13, 1) == []  # told again
    assert reassembly.streams[7].sequence == 6
    assert reassembly.cost == 0


def test_complete_messages_before_a_skipped_one_are_delivered() -> None:
    reassembly = Reassembly()
    _add(reassembly, _fragment(12, WHOLE, 1), _fragment(14, FIRST, 3))
    assert _skip(reassembly, 15, 3) == [b"12,"]
    assert reassembly.cost == 0


def test_what_comes_of_a_skipped_message_is_dropped() -> None:
    reassembly = Reassembly()
    _skip(reassembly, 10, 3)
    assert _add(reassembly, _fragment(11, 0, 3), _fragment(12, LAST, 3)) == []
    assert reassembly.cost == 0
    assert _add(reassembly, _fragment(13, WHOLE, 2)) == [b"13,"]  # does no harm
    assert _add(reassembly, _fragment(14, WHOLE, 4)) == [b"14,"]


def test_unordered_fragments_of_a_skipped_message_are_dropped() -> None:
    """Also those beyond the new cumulative TSN, in whichever order they come."""
    reassembly = Reassembly()
    _add(
        reassembly,
        _fragment(8, UNORDERED | FIRST),
        _fragment(9, UNORDERED),
        _fragment(11, UNORDERED),
        _fragment(14, UNORDERED),
        _fragment(16, UNORDERED | FIRST),
    )
    assert reassembly.skip(10, []) == []
    assert set(reassembly.streams[7].unordered) == {14, 16}
    assert _add(reassembly, _fragment(12, UNORDERED), cumulative=12) == []
    assert _add(reassembly, _fragment(13, UNORDERED), cumulative=14) == []
    assert set(reassembly.streams[7].unordered) == {16}
    assert _add(reassembly, _fragment(15, UNORDERED | LAST), cumulative=16) == []
    assert _add(reassembly, _fragment(17, UNORDERED | LAST), cumulative=17) == [
        b"16,17,"
    ]
    assert reassembly.cost == 0


def test_an_unordered_message_complete_so_far_is_kept() -> None:
    """RFC 3758 section 3.6: no TSN of it is missing up to the new cumulative one."""
    reassembly = Reassembly()
    _add(
        reassembly,
        _fragment(7, UNORDERED | FIRST),
        _fragment(9, UNORDERED | FIRST),
        _fragment(10, UNORDERED),
    )
    reassembly.skip(10, [])
    assert set(reassembly.streams[7].unordered) == {9, 10}
    assert _add(reassembly, _fragment(11, UNORDERED | LAST), cumulative=11) == [
        b"9,10,11,"
    ]


def test_a_reset_stream_begins_anew() -> None:
    reassembly = Reassembly()
    _add(reassembly, _fragment(10, WHOLE, 0), _fragment(12, WHOLE, 2))
    _add(reassembly, _fragment(13, UNORDERED | FIRST))
    reassembly.hold(_fragment(14, WHOLE, 0))
    reassembly.reset(7)
    reassembly.reset(8)
    assert reassembly.fragments == 1
    assert [m.data for m in reassembly.release(14)] == [b"14,"]
    assert reassembly.cost == 0


def test_numbers_that_go_far_ahead_take_no_time() -> None:
    """A FORWARD TSN of a peer that means no good: 32767 numbers in each stream."""
    reassembly = Reassembly()
    for _ in range(1000):
        reassembly.skip(10, [(stream, 32767) for stream in range(290)])
    assert len(reassembly.streams) == 290
