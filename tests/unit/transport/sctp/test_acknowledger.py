"""What was received: RFC 9260 sections 3.3.4 and 6.2."""

import math
import random
from struct import unpack_from

import pytest

from whipbird.transport.sctp.acknowledger import (
    MAX_GAP,
    MAX_SACK_BLOCKS,
    SACK_DELAY,
    Acknowledger,
)


def _acknowledger(first: int = 1) -> Acknowledger:
    acknowledger = Acknowledger(1000)
    acknowledger.start(first)
    return acknowledger


def _read(sack: bytes) -> tuple[int, list[tuple[int, int]], list[int]]:
    """The cumulative TSN, the gap blocks and the duplicates of a SACK."""
    cumulative, _, gaps, duplicates = unpack_from("!LLHH", sack, 4)
    blocks = [unpack_from("!HH", sack, 16 + 4 * n) for n in range(gaps)]
    start = 16 + 4 * gaps
    tsns = [unpack_from("!L", sack, start + 4 * n)[0] for n in range(duplicates)]
    assert len(sack) == start + 4 * duplicates
    return cumulative, [(first, last) for first, last in blocks], tsns


def test_numbers_wrap_around() -> None:
    """RFC 9260 section 1.6."""
    acknowledger = _acknowledger(0xFFFFFFFE)
    base = acknowledger.cumulative
    for ahead in (2, 4, 3):
        assert acknowledger.add(base + ahead)
    assert _read(acknowledger.write(5)) == (0xFFFFFFFD, [(2, 4)], [])
    assert acknowledger.add(base + 1)
    assert _read(acknowledger.write(5)) == (1, [], [])
    assert not acknowledger.add(base + 3)
    assert _read(acknowledger.write(5)) == (1, [], [0])


@pytest.mark.parametrize("seed", range(50))
def test_any_order_is_noted_right(seed: int) -> None:
    source = random.Random(seed)
    acknowledger = _acknowledger(source.getrandbits(32))
    base = acknowledger.cumulative
    received: set[int] = set()
    for _ in range(400):
        if source.random() < 0.02:
            cumulative = acknowledger.cumulative + source.randrange(1, 12)
            acknowledger.skip_to(cumulative)
            received |= set(range(base + 1, cumulative + 1))
        tsn = acknowledger.cumulative + source.randrange(-3, 40)
        is_new = tsn > base and tsn not in received
        assert acknowledger.add(tsn) is is_new
        received.add(tsn)
        expected = base
        while expected + 1 in received:
            expected += 1
        assert acknowledger.cumulative == expected
        beyond = sorted(n - expected for n in received if n > expected)
        assert acknowledger.misordered == len(beyond)
        _, blocks, _ = _read(acknowledger.write(0))
        flat = [n for first, last in blocks for n in range(first, last + 1)]
        assert flat == beyond


def test_a_report_is_bounded() -> None:
    acknowledger = _acknowledger()
    base = acknowledger.cumulative
    for n in range(2, 2000, 2):
        acknowledger.add(base + n)
        acknowledger.add(base + n)
    sack = acknowledger.write(0)
    _, blocks, duplicates = _read(sack)
    assert len(blocks) == len(duplicates) == MAX_SACK_BLOCKS
    assert blocks[0] == (2, 2)
    assert len(sack) < 1100


def test_a_run_that_is_too_long_to_be_told_is_cut() -> None:
    acknowledger = _acknowledger()
    acknowledger._runs = [
        [acknowledger.cumulative + 2, acknowledger.cumulative + 70000]
    ]
    assert _read(acknowledger.write(0))[1] == [(2, MAX_GAP)]


def test_when_it_is_due() -> None:
    acknowledger = _acknowledger()
    assert acknowledger.deadline == math.inf
    acknowledger.needed = True
    acknowledger.packet_received(5.0)
    assert not acknowledger.is_due
    assert acknowledger.deadline == 5.0 + SACK_DELAY
    acknowledger.packet_received(5.01)
    assert acknowledger.is_due
    assert acknowledger.deadline == 5.0 + SACK_DELAY
    acknowledger.write(7)
    acknowledger.sent(7)
    assert acknowledger.announced == 7
    assert not acknowledger.needed
    assert not acknowledger.is_due
    assert acknowledger.deadline == math.inf
