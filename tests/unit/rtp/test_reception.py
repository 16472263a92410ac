"""The reception state of one source (RFC 3550)."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import rtp_packet
from whipbird.rtp.missing import MAX_MISSING
from whipbird.rtp.reception import MAX_DROPOUT, MAX_MISORDER, Reception
from whipbird.rtp.reorder import ReorderBuffer

SSRC = 0x11223344


def receive(
    reception: Reception, *sequences: int, now: float = 0.0, recovered: bool = False
) -> list[int | None]:
    return [
        reception.received(rtp_packet(sequence), now, recovered)
        for sequence in sequences
    ]


def test_in_order_over_wraps() -> None:
    reception = Reception(SSRC, 90000)
    extended = receive(reception, *range(65530, 65530 + 2 * 65536))
    assert extended == list(range(65530, 65530 + 2 * 65536))
    assert reception.packets == reception.expected == 2 * 65536
    assert reception.lost == len(reception.missing) == reception.duplicates == 0
    assert reception.octets == 2 * 65536 * len(rtp_packet().data)
    assert reception.missing.given_up == 0


def test_sequence_numbers_from_0() -> None:
    reception = Reception(SSRC, 90000)
    assert reception.expected == reception.lost == 0
    assert receive(reception, 0, 1) == [0, 1]
    assert reception.expected == 2


def test_reordered_over_a_wrap() -> None:
    reception = Reception(SSRC, 90000)
    assert receive(reception, 65534, 1, 0, 65535, 2) == [
        65534,
        65537,
        65536,
        65535,
        65538,
    ]
    assert reception.lost == len(reception.missing) == 0


def test_duplicates_and_packets_of_before_are_refused() -> None:
    reception = Reception(SSRC, 90000)
    assert receive(reception, 100, 100, 99, 103, 103, 100, 101, 101) == [
        *(100, None, None),
        *(103, None, None),
        *(101, None),
    ]
    assert reception.duplicates == 5
    assert reception.packets == 3
    assert reception.lost == 1


def test_packets_that_are_sent_again_as_they_were() -> None:
    reception = Reception(SSRC, 90000)
    receive(reception, 1, 4)
    receive(reception, 2)
    # It was overtaken: nobody had asked for it yet.
    assert reception.retransmitted == 0
    reception = Reception(SSRC, 90000)
    receive(reception, 1, 4)
    assert reception.missing.to_request(0.01, 0.1) == [2, 3]
    assert receive(reception, 2, now=0.1) == [2]
    assert receive(reception, 3, now=0.1, recovered=True) == [3]
    assert (reception.retransmitted, reception.recovered) == (1, 1)
    assert (reception.packets, reception.lost) == (3, 1)


@given(
    start=st.integers(0, 0xFFFF),
    lost=st.sets(st.integers(1, 398), max_size=100),
    seed=st.integers(0, 1000),
    distance=st.integers(0, 30),
)
def test_whatever_happens_on_the_way(
    start: int, lost: set[int], seed: int, distance: int
) -> None:
    """Lost, overtaken and doubled packets, against what was sent."""
    rng = random.Random(seed)
    sent = [n for n in range(1, 400) if n not in lost]
    sent += rng.sample(sent, 20)
    sent.sort(key=lambda n: n + rng.random() * distance)
    reception = Reception(SSRC, 90000)
    receive(reception, start)
    seen = {0}
    for number in sent:
        (extended,) = receive(reception, start + number)
        assert extended == (None if number in seen else start + number)
        seen.add(number)
    assert reception.packets == 400 - len(lost)
    assert reception.lost == len(reception.missing) == len(lost)
    assert reception.duplicates == 20
    assert reception.awaited == start + min(lost, default=400)
    # As many may be requested as have come.
    reception.missing.budget.received = reception.packets
    requested = reception.missing.to_request(0.5, 0.1)
    assert requested == [(start + number) & 0xFFFF for number in sorted(lost)]


class TestRecovered:
    """RFC 4588: retransmissions have a source of their own, and count there."""

    def test_missing(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 4)
        assert receive(reception, 2, 2, recovered=True) == [2, None]
        assert (reception.recovered, reception.packets) == (1, 2)
        assert (reception.lost, len(reception.missing)) == (2, 1)
        assert reception.duplicates == 1

    def test_ahead_of_what_it_repairs(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1)
        assert receive(reception, 2, 4, recovered=True) == [2, 4]
        assert receive(reception, 3, 5) == [3, 5]
        assert (reception.recovered, reception.packets) == (2, 3)
        assert reception.expected == 5


class TestRange:
    """RFC 3550 appendix A.1: what is far off is not counted as received."""

    @pytest.mark.parametrize("far", [MAX_DROPOUT, 20000, 0x10000 - MAX_MISORDER - 2])
    def test_far(self, far: int) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, *range(1000, 1010))
        assert receive(reception, 1009 + far, 1010 + far) == [None, None]
        assert (reception.expected, reception.duplicates) == (10, 2)
        assert receive(reception, 1010) == [1010]

    def test_a_leap(self) -> None:
        """More packets cannot have been sent in that time."""
        reception = Reception(SSRC, 90000)
        receive(reception, *range(1000, 1010))
        assert receive(reception, *range(2000, 2010)) == [None] * 10
        assert not reception.missing
        assert receive(reception, 1010) == [1010]
        # After a second they can.
        assert receive(reception, 2000, now=1.0) == [2000]
        assert len(reception.missing) == 989

    def test_which_are_late(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 65530)
        assert reception.is_late(65529)
        assert not reception.is_late(65531)


class TestRestart:
    """The caller has found that the source has restarted its numbers."""

    @pytest.mark.parametrize("start", [0, 1005, 40000])
    def test_restart(self, start: int) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, *range(1000, 1010), 1012)
        reception.sender_report(3_900_000_000 << 32, 0, 0.0)
        assert reception.clock.is_trusted
        reception.restart(start)
        first, second = receive(reception, start, start + 1)
        assert first is not None
        assert first > 1012
        assert (first & 0xFFFF, second) == (start, first + 1)
        assert reception.restarts == 1
        assert (reception.expected, reception.lost) == (13 + 2, 2)
        # What was missing before, and the clock, are those of another numbering.
        assert not reception.missing
        assert not reception.clock.is_trusted

    def test_again_and_again(self) -> None:
        reception = Reception(SSRC, 90000)
        extended: list[int] = []
        for start in (10, 40000, 10, 60000, 20000):
            if extended:
                reception.restart(start)
            extended += [
                number
                for number in receive(reception, *range(start, start + 5))
                if number is not None
            ]
        assert extended == sorted(set(extended))
        assert len(extended) == 5 * 5
        assert reception.restarts == 4


@given(st.lists(st.integers(1, 5000), max_size=60))
def test_what_is_missing_is_bounded(steps: list[int]) -> None:
    reception = Reception(SSRC, 90000)
    sequence = 0
    for step in steps:
        sequence += step
        receive(reception, sequence)
        assert len(reception.missing) <= MAX_MISSING
        assert len(reception.missing) <= reception.lost


@pytest.mark.parametrize("is_rtx", [True, False], ids=["RTX", "same source"])
@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
def test_a_lossy_path_is_repaired(loss: float, is_rtx: bool) -> None:
    """A sender that answers requests, 40 ms away: everything comes out, in order.

    Packets are reordered by up to 5 ms; retransmissions may be lost too.
    """
    rng = random.Random(5)
    reception = Reception(SSRC, 90000)
    buffer = ReorderBuffer[int]()
    # Packets in flight: arrival time, packet, and whether it is a retransmission.
    path = [
        (n / 500 + 0.02 + 0.005 * rng.random(), 65000 + n, False)
        for n in range(3000)
        if n in (0, 2999) or rng.random() >= loss
    ]
    heapq.heapify(path)
    given_out: list[int] = []
    tick = 0.0
    while path or reception.missing:
        tick += 0.02
        while path and path[0][0] < tick:
            now, sequence, is_repair = heapq.heappop(path)
            extended = reception.received(
                rtp_packet(sequence), now, recovered=is_rtx and is_repair
            )
            if extended is not None:
                given_out += buffer.push(extended, extended, now)
        received = reception.packets + reception.recovered
        reception.missing.budget.received = received
        for number in reception.missing.to_request(tick, 0.04):
            if rng.random() >= loss:
                heapq.heappush(path, (tick + 0.04, number, True))
    assert given_out == list(range(65000, 68000))
    assert reception.missing.given_up == 0
    assert len(buffer) == 0
    assert reception.packets + reception.recovered == reception.expected == 3000
    if is_rtx:
        assert reception.lost == pytest.approx(3000 * loss, rel=0.2)
    else:
        assert reception.lost == 0
