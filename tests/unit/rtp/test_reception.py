"""The reception state of one source (RFC 3550)."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import rtp_packet
from whipbird.rtp.reception import (
    MAX_DROPOUT,
    MAX_MISORDER,
    MAX_MISSING,
    MAX_REQUESTED,
    MAX_REQUESTS,
    MAX_RETRANSMISSION_DELAY,
    MIN_NACK_INTERVAL,
    REORDERING_DELAY,
    SENDER_DELAY,
    Reception,
)
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
    assert reception.lost == reception.missing == reception.duplicates == 0
    assert reception.octets == 2 * 65536 * len(rtp_packet().data)
    assert not reception.gave_up


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
    assert reception.lost == reception.missing == 0


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
    assert reception.missing_to_request(REORDERING_DELAY, 0.1) == [2, 3]
    assert receive(reception, 2, now=0.1) == [2]
    assert receive(reception, 3, now=0.1, recovered=True) == [3]
    assert (reception.retransmitted, reception.recovered) == (1, 1)
    # Asked for at 10 ms, come at 100 ms; an average over eight or so.
    assert reception.retransmission_delay == pytest.approx(0.09 / 8 * (1 + 7 / 8))
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
    assert reception.lost == reception.missing == len(lost)
    assert reception.duplicates == 20
    assert reception.awaited == start + min(lost, default=400)
    requested = reception.missing_to_request(1.0 - 0.5, 0.1)
    assert requested == [(start + number) & 0xFFFF for number in sorted(lost)]


class TestRecovered:
    """RFC 4588: retransmissions have a source of their own, and count there."""

    def test_missing(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 4)
        assert receive(reception, 2, 2, recovered=True) == [2, None]
        assert (reception.recovered, reception.packets) == (1, 2)
        assert (reception.lost, reception.missing) == (2, 1)
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

    def test_what_a_packet_would_miss(self) -> None:
        reception = Reception(SSRC, 90000)
        assert reception.gap(5) == 0
        receive(reception, 65530)
        assert [reception.gap(n) for n in (65531, 65532, 4)] == [0, 1, 9]
        assert [reception.gap(n) for n in (65530, 65529, 65530 - 2999)] == [0, 0, 0]
        assert reception.is_late(65529)
        assert not reception.is_late(65531)


class TestRestart:
    """The caller has found that the source has restarted its numbers."""

    @pytest.mark.parametrize("start", [0, 1005, 40000])
    def test_restart(self, start: int) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, *range(1000, 1010), 1012)
        reception.sender_report(1, 2, 0.0)
        reception.restart(start)
        first, second = receive(reception, start, start + 1)
        assert first is not None
        assert first > 1012
        assert (first & 0xFFFF, second) == (start, first + 1)
        assert reception.restarts == 1
        assert (reception.expected, reception.lost) == (13 + 2, 2)
        # What was missing before, and the clock, are those of another numbering.
        assert reception.missing == 0
        assert reception.sender_clock is None

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


class TestRequests:
    """When what is missing is asked for (RFC 4585 section 6.2.1)."""

    def test_overtaken_packets_are_not_asked_for(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 3, now=1.0)
        assert reception.missing_to_request(1.0 + REORDERING_DELAY / 2, 0.1) == []
        receive(reception, 2)
        assert reception.missing_to_request(2.0, 0.1) == []
        assert not reception.gave_up

    @pytest.mark.parametrize(
        ("rtt", "interval"), [(0.1, 0.1 + SENDER_DELAY), (0.001, MIN_NACK_INTERVAL)]
    )
    def test_repeated_after_an_rtt(self, rtt: float, interval: float) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 4, now=1.0)
        first = 1.0 + REORDERING_DELAY + 0.001
        assert reception.missing_to_request(first, rtt) == [2, 3]
        assert reception.missing_to_request(first + interval - 0.001, rtt) == []
        receive(reception, 2)
        assert reception.missing_to_request(first + interval, rtt) == [3]

    def test_given_up_after_some_requests(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 3)
        times = [0.02 + 0.05 * n for n in range(MAX_REQUESTS + 3)]
        requested = [reception.missing_to_request(now, 0.03) for now in times]
        assert requested == [[2]] * MAX_REQUESTS + [[]] * 3
        assert reception.gave_up
        assert reception.missing == 0
        assert reception.awaited == 4
        assert receive(reception, 2) == [None]

    def test_given_up_after_some_time(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 3)
        times = [0.02, 0.52, 0.97, MAX_RETRANSMISSION_DELAY]
        requested = [reception.missing_to_request(now, 0.45) for now in times]
        assert requested == [[2], [2], [], []]
        assert reception.gave_up
        assert reception.missing == 0

    def test_soon_given_up_without_nack(self) -> None:
        reception = Reception(SSRC, 90000, max_requests=0)
        receive(reception, 1, 3)
        assert reception.missing_to_request(REORDERING_DELAY / 2, 0.1) == []
        assert not reception.gave_up
        assert reception.missing_to_request(REORDERING_DELAY, 0.1) == []
        assert reception.gave_up

    def test_too_many(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, MAX_MISSING + 2)
        assert reception.missing == MAX_MISSING
        assert not reception.gave_up
        receive(reception, MAX_MISSING + 4)
        assert reception.missing == 0
        assert reception.gave_up
        reception.gave_up = False
        receive(reception, MAX_MISSING + 6)
        assert reception.missing == 1
        assert not reception.gave_up

    def test_no_more_than_fit_into_a_packet(self) -> None:
        reception = Reception(SSRC, 90000)
        receive(reception, 1, 602)
        requests = [reception.missing_to_request(0.1, 0.1) for _ in range(4)]
        assert [len(request) for request in requests] == [MAX_REQUESTED] * 2 + [88, 0]
        assert [number for request in requests for number in request] == list(
            range(2, 602)
        )

    @given(st.lists(st.integers(1, 5000), max_size=60))
    def test_bounded(self, steps: list[int]) -> None:
        reception = Reception(SSRC, 90000)
        sequence = 0
        for step in steps:
            sequence += step
            receive(reception, sequence)
            assert reception.missing <= MAX_MISSING
            assert reception.missing <= reception.lost


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
        for number in reception.missing_to_request(tick, 0.04):
            if rng.random() >= loss:
                heapq.heappush(path, (tick + 0.04, number, True))
    assert given_out == list(range(65000, 68000))
    assert not reception.gave_up
    assert len(buffer) == 0
    assert reception.packets + reception.recovered == reception.expected == 3000
    if is_rtx:
        assert reception.lost == pytest.approx(3000 * loss, rel=0.2)
    else:
        assert reception.lost == 0
