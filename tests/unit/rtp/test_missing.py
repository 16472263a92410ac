"""When missing packets are requested, and given up (RFC 4585 section 6.2.1)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.missing import (
    BACKOFF,
    MAX_FOUND_PER_SECOND,
    MAX_MISSING,
    MAX_PAUSE,
    MAX_REORDERING_DELAY,
    MAX_REQUESTED,
    MAX_UNANSWERED,
    MIN_PAUSE,
    NO_REQUESTS,
    PICTURES,
    REORDERING_MEMORY,
    REORDERING_TIME,
    SENDER_DELAY,
    SOUND,
    SOUND_PERHAPS,
    STEADY_REQUESTS,
    MissingPackets,
    RequestPolicy,
)
from whipbird.rtp.request_budget import MAX_REQUESTED_PER_SECOND, SPARE_REQUESTS

NEVER = float("inf")


def missing(
    *sequences: int, now: float = 0.0, policy: RequestPolicy = PICTURES
) -> MissingPackets:
    """Packets that are found missing, one after another."""
    made = MissingPackets(policy)
    for sequence in sequences:
        made.add(sequence, sequence + 1, now)
    return made


def request_times(packets: MissingPackets, rtt: float) -> list[float]:
    """When a packet is requested that never comes, until it is given up."""
    times = []
    while packets.next_due < NEVER:
        now = packets.next_due
        if packets.to_request(now, rtt):
            times.append(now)
    return times


class TestFirstRequest:
    """A gap is requested at once, unless the path is known to reorder packets."""

    def test_at_once(self) -> None:
        packets = missing(2, 3, now=1.0)
        assert packets.next_due == 1.0
        assert packets.to_request(1.0, 0.1) == [2, 3]

    def test_sequence_numbers_wrap(self) -> None:
        packets = missing(65535, 65536)
        assert packets.to_request(0.0, 0.1) == [65535, 0]

    def test_as_late_as_reordered_packets_were(self) -> None:
        packets = missing(2)
        assert packets.arrived(2, 0.004, 0.1, is_repair=False) is False
        packets.add(5, 6, 1.0)
        assert packets.to_request(1.005, 0.1) == []
        assert packets.next_due == pytest.approx(1.006)
        # The latest one counts.
        packets.arrived(5, 1.002, 0.1, is_repair=False)
        packets.add(7, 8, 2.0)
        assert packets.next_due == pytest.approx(2.006)

    def test_reordering_is_forgotten(self) -> None:
        packets = missing(2)
        packets.arrived(2, 0.004, 0.1, is_repair=False)
        packets.add(5, 6, 0.004 + REORDERING_MEMORY)
        assert packets.next_due == 0.004 + REORDERING_MEMORY

    def test_the_wait_is_bounded(self) -> None:
        packets = missing(2)
        packets.arrived(2, 0.9, 0.1, is_repair=False)
        packets.add(5, 6, 1.0)
        assert packets.next_due == 1.0 + MAX_REORDERING_DELAY

    def test_what_comes_before_an_answer_can_was_reordered(self) -> None:
        packets = missing(2)
        packets.to_request(0.0, 0.1)
        assert packets.arrived(2, 0.02, 0.1, is_repair=False) is True
        assert packets.response_time is None
        packets.add(5, 6, 1.0)
        assert packets.next_due == pytest.approx(1.03)


class TestRepeatedRequests:
    def test_each_round_trip_and_then_more_slowly(self) -> None:
        times = request_times(missing(2), 0.02)
        pauses = [b - a for a, b in itertools.pairwise(times)]
        steady = 0.02 + SENDER_DELAY
        slower = [steady * BACKOFF**n for n in range(1, len(pauses))]
        expected = [steady] * STEADY_REQUESTS + slower
        assert pauses[:-1] == pytest.approx(expected[: len(pauses) - 1])
        # Most of a second, in which the path may be interrupted.
        assert times[-1] > 0.5
        assert times[-1] < PICTURES.max_delay

    def test_until_it_is_too_late(self) -> None:
        packets = missing(2)
        assert request_times(packets, 0.3)[-1] < PICTURES.max_delay
        assert packets.given_up == 1
        assert packets.arrived(2, 1.1, 0.3, is_repair=True) is None

    def test_no_more_than_so_many(self) -> None:
        assert len(request_times(missing(2), 0.0)) <= PICTURES.max_requests

    def test_late_rounds_do_no_harm(self) -> None:
        packets = missing(2, 3)
        packets.to_request(0.4, 0.02)
        assert packets.to_request(0.41, 0.02) == []
        assert packets.to_request(0.5, 0.02) == [2, 3]
        assert packets.to_request(5.0, 0.02) == []
        assert packets.given_up == 2

    def test_a_stream_that_has_restarted(self) -> None:
        packets = missing(2, 3)
        packets.clear()
        assert (len(packets), packets.next_due, packets.given_up) == (0, NEVER, 0)


class TestResponseTime:
    """Karn's algorithm; the shortest time counts."""

    def test_of_one_request(self) -> None:
        packets = missing(2, 3, 4)
        packets.to_request(0.0, 0.05)
        assert packets.arrived(2, 0.07, 0.05, is_repair=True) is True
        assert packets.arrived(3, 0.05, 0.05, is_repair=False) is True
        assert packets.response_time == 0.05
        # Which of two requests is answered is not known.
        packets.to_request(0.1, 0.05)
        assert packets.arrived(4, 0.101, 0.05, is_repair=True) is True
        assert packets.response_time == 0.05

    def test_not_of_what_nobody_has_requested(self) -> None:
        packets = missing(2)
        assert packets.arrived(2, 0.5, 0.05, is_repair=True) is True
        assert packets.response_time is None


class TestSound:
    """Sound is not held back for longer than players can wait."""

    def test_soon_given_up(self) -> None:
        packets = missing(2, policy=SOUND)
        assert 2 < len(request_times(packets, 0.005)) <= SOUND.max_requests
        assert packets.given_up == 1

    def test_not_requested_over_a_long_path(self) -> None:
        packets = missing(2, policy=SOUND)
        assert packets.to_request(0.0, SOUND.max_delay) == []
        assert packets.given_up == 1

    def test_who_does_not_answer_is_left_alone(self) -> None:
        packets = MissingPackets(SOUND_PERHAPS)
        requested = []
        for n in range(10 * 60 * 50):
            now = n / 50
            if n % 5 == 0:
                packets.add(n, n + 1, now)
            requested += [now for _ in packets.to_request(now, 0.005)]
        first = [now for now in requested if now < MIN_PAUSE]
        assert len(first) <= (MAX_UNANSWERED + 1) * SOUND.max_requests
        # Then less and less often.
        attempts = len([now for now in requested if now > 5 * 60])
        assert attempts <= (5 * 60 / MAX_PAUSE + 1) * 2 * SOUND.max_requests
        assert len(requested) < 200

    def test_who_answers_is_requested_on(self) -> None:
        packets = MissingPackets(SOUND_PERHAPS)
        for n in range(1000):
            now = n / 10
            packets.add(n, n + 1, now)
            assert packets.to_request(now, 0.005) == [n]
            if n % 4 == 0:
                packets.arrived(n, now + 0.006, 0.005, is_repair=False)
            packets.to_request(now + SOUND.max_delay, 0.005)

    def test_who_answers_again(self) -> None:
        packets = MissingPackets(SOUND_PERHAPS)
        for n in range(MAX_UNANSWERED):
            packets.add(n, n + 1, float(n))
            packets.to_request(float(n), 0.005)
            packets.to_request(n + 0.5, 0.005)
        packets.add(100, 101, 5.0)
        assert packets.next_due == 5.0 + REORDERING_TIME
        assert packets.to_request(packets.next_due, 0.005) == []
        packets.add(101, 102, 6.0)
        assert packets.to_request(6.0, 0.005) == [101]
        packets.arrived(101, 6.01, 0.005, is_repair=False)
        packets.add(102, 103, 6.02)
        assert packets.to_request(6.02, 0.005) == [102]

    def test_who_has_promised_to_answer_is_always_requested(self) -> None:
        packets = MissingPackets(SOUND)
        for n in range(100):
            packets.add(n, n + 1, float(n))
            assert packets.to_request(float(n), 0.005) == [n]
            packets.to_request(n + 0.5, 0.005)


def test_a_sender_that_leaps_all_the_time_is_not_waited_for() -> None:
    """Each leap makes hundreds of packets missing; the next one makes more of them."""
    packets, gap, sequence = MissingPackets(PICTURES), 300, 0
    added = 0
    for number in range(100):
        now = number / 1000
        if packets.add(sequence, sequence + gap, now):
            added += gap
        sequence += gap + 1
        for arrived in range(sequence - gap - 1, sequence):
            packets.arrived(arrived, now, 0.0, is_repair=False)
    assert MAX_FOUND_PER_SECOND - gap <= added <= MAX_FOUND_PER_SECOND
    assert len(packets) == 0
    assert packets.add(sequence, sequence + gap, 1.0)


def test_without_nack_only_reordered_packets_are_waited_for() -> None:
    packets = missing(2, policy=NO_REQUESTS)
    assert packets.to_request(REORDERING_TIME / 2, 0.1) == []
    assert packets.given_up == 0
    assert packets.to_request(REORDERING_TIME, 0.1) == []
    assert packets.given_up == 1


class TestBounds:
    def test_too_many_missing(self) -> None:
        packets = MissingPackets(PICTURES)
        assert packets.add(0, MAX_MISSING, 0.0)
        assert not packets.add(MAX_MISSING + 1, MAX_MISSING + 2, 0.0)
        assert (len(packets), packets.given_up) == (0, MAX_MISSING + 1)
        assert packets.next_due == NEVER

    def test_no_more_than_fit_into_a_packet(self) -> None:
        packets = MissingPackets(PICTURES)
        packets.budget.received = 10_000
        packets.add(0, 600, 0.0)
        requests = [packets.to_request(0.0, 0.1) for _ in range(4)]
        assert [len(r) for r in requests] == [MAX_REQUESTED] * 2 + [88, 0]
        assert [n for r in requests for n in r] == list(range(600))

    def test_no_more_than_have_come_and_a_few(self) -> None:
        packets = MissingPackets(PICTURES)
        packets.budget.received = 100
        packets.add(0, 500, 0.0)
        assert len(packets.to_request(0.0, 0.001)) == 100 + SPARE_REQUESTS
        # What has to wait is requested when more have come.
        packets.budget.received = 110
        assert len(packets.to_request(packets.next_due, 0.001)) <= 10
        # Those of the second before count, too.
        packets.budget.received = 115
        packets.add(1000, 1400, 1.0)
        assert len(packets.to_request(1.0, 0.001)) == 15 + SPARE_REQUESTS
        packets.add(2000, 2500, 3.0)
        assert len(packets.to_request(3.0, 0.001)) == SPARE_REQUESTS

    def test_no_more_than_so_many_a_second(self) -> None:
        packets = MissingPackets(PICTURES)
        packets.budget.received = 10_000
        requested = 0
        for n in range(190):
            now = n / 1000
            packets.add(10 * n, 10 * n + 5, now)
            requested += len(packets.to_request(now, 0.001))
        assert requested == MAX_REQUESTED_PER_SECOND
        # What has to wait is requested in the next second, if it is not too late.
        assert packets.next_due < PICTURES.max_delay
        assert packets.to_request(1.0, 0.001)

    @given(st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 400)), max_size=50))
    def test_a_round_is_due_while_something_is_missing(
        self, gaps: list[tuple[float, int]]
    ) -> None:
        packets = MissingPackets(PICTURES)
        now, sequence = 0.0, 0
        for pause, count in gaps:
            now += pause
            packets.add(sequence, sequence + count, now)
            sequence += count + 1
            packets.to_request(now, 0.01)
            assert len(packets) <= MAX_MISSING
            assert (packets.next_due < NEVER) == bool(packets)
        rounds = 0
        while packets:
            now = max(packets.next_due, now)
            packets.to_request(now, 0.01)
            rounds += 1
            assert rounds < 2000
        assert packets.next_due == NEVER


class TestAhead:
    """Numbers that may not have been used yet are requested once."""

    def test_once(self) -> None:
        packets = MissingPackets(PICTURES)
        assert packets.request_ahead(65534, 2, 0.0, 0.1) == [65535, 0]
        assert packets.request_ahead(65534, 3, 0.0, 0.1) == [1]
        assert packets.request_ahead(65534, 3, 0.0, 0.1) == []
        assert not packets

    def test_again_when_a_later_one_has_come(self) -> None:
        packets = MissingPackets(PICTURES)
        assert packets.request_ahead(10, 1, 0.0, 0.02) == [11]
        packets.add(11, 13, 0.005)
        assert packets.to_request(0.005, 0.02) == [12]
        assert packets.next_due == pytest.approx(0.02 + SENDER_DELAY)
        assert packets.arrived(11, 0.021, 0.02, is_repair=True) is True
        assert packets.response_time == pytest.approx(0.021)

    def test_not_of_who_has_not_promised_to_answer(self) -> None:
        assert MissingPackets(NO_REQUESTS).request_ahead(10, 1, 0.0, 0.1) == []
        assert MissingPackets(SOUND_PERHAPS).request_ahead(10, 1, 0.0, 0.1) == []

    def test_no_more_than_so_many_a_second(self) -> None:
        packets = MissingPackets(PICTURES)
        packets.budget.received = 10_000
        requested = [packets.request_ahead(n, 3, 0.5, 0.1) for n in range(0, 6000, 3)]
        assert sum(map(len, requested)) == MAX_REQUESTED_PER_SECOND
