"""The fate of what was sent: RFC 9260 sections 6.3 and 7, RFC 3758 section 3.5."""

import math
from struct import unpack_from

import pytest

from whipbird.transport.sctp import ChannelOptions, DataChannel
from whipbird.transport.sctp.chunks import USER_DATA_SIZE, unwrap
from whipbird.transport.sctp.congestion import (
    INITIAL_WINDOW,
    MAX_BACKOFF,
    MAX_BURST,
    RTO_MAX,
    CongestionWindow,
    RoundTrip,
    back_off,
)
from whipbird.transport.sctp.outbound import (
    ABANDONED,
    ACKNOWLEDGED,
    IN_FLIGHT,
    LOST,
    OutboundChunk,
)
from whipbird.transport.sctp.recovery import Recovery
from whipbird.transport.sctp.sender import MESSAGE_COST, Sender


class Half:
    """The sending half of an association."""

    def __init__(self, **options: object) -> None:
        self.recovery = Recovery(1)
        self.recovery.start(1, 1 << 20)
        self.sender = Sender(self.recovery)
        self.channel = DataChannel(ChannelOptions(**options), 7)  # type: ignore[arg-type]
        self.now = 0.0

    def push(self, *sizes: int) -> None:
        for size in sizes:
            self.sender.push(self.channel, 53, bytes(size))

    def collect(self) -> list[int]:
        """The TSNs that are sent now, from 1 on."""
        return [chunk.tsn & 0xFFFF for chunk in self.sender.collect(self.now)]

    def gaps(self, cumulative: int, *gaps: tuple[int, int]) -> None:
        self.recovery.receive_gaps(cumulative, 1 << 20, gaps, self.now)

    def states(self) -> list[int]:
        return [chunk.state for chunk in self.recovery.board.sent]

    def forward(self) -> tuple[int, dict[int, int]]:
        """The cumulative TSN and the streams of the FORWARD TSN."""
        chunk = self.recovery.write_forward_tsn(self.now)
        (cumulative,) = unpack_from("!L", chunk, 4)
        pairs = [unpack_from("!HH", chunk, n) for n in range(8, len(chunk), 4)]
        return cumulative, dict(pairs)


def test_numbers_are_unwrapped() -> None:
    base = (1 << 32) + 5
    for ahead in (-(1 << 31), -6, -1, 0, 1, 1 << 30, (1 << 31) - 1):
        assert unwrap((base + ahead) & 0xFFFFFFFF, base) == base + ahead


def test_the_window_limits_what_is_sent() -> None:
    """RFC 9260 section 6.1, rules A and B."""
    half = Half()
    half.push(50 * USER_DATA_SIZE)
    assert half.collect() == list(range(1, 11))
    assert half.collect() == []
    half.recovery.receive_sack(4, 1 << 20, 0.0)
    assert half.recovery.congestion.size == INITIAL_WINDOW + 4 * USER_DATA_SIZE
    assert half.collect() == list(range(11, 19))
    half.recovery.receive_sack(18, 3 * USER_DATA_SIZE, 0.0)
    assert half.collect() == [19, 20, 21]


def test_a_burst_is_limited() -> None:
    """RFC 9260 section 6.1, rule D."""
    half = Half()
    half.recovery.congestion.size = 1 << 20
    half.push(100 * USER_DATA_SIZE)
    assert len(half.collect()) == MAX_BURST // USER_DATA_SIZE


def test_slow_start_and_congestion_avoidance() -> None:
    """RFC 9260 sections 7.2.1 and 7.2.2."""
    window = CongestionWindow(1 << 20)
    window.open(1 << 20)
    assert window.size == INITIAL_WINDOW + MAX_BURST
    window.reduce()
    size = (INITIAL_WINDOW + MAX_BURST) // 2
    assert window.size == size
    window.open(USER_DATA_SIZE)  # up to the threshold, and with it
    size += USER_DATA_SIZE
    assert window.size == size
    window.open(size - 1)
    assert window.size == size
    window.open(1)
    assert window.size == size + USER_DATA_SIZE
    window.collapse()
    assert window.size == USER_DATA_SIZE
    for _ in range(20):
        window.reduce()
    assert window.size == 4 * USER_DATA_SIZE


def test_the_timeout_follows_the_round_trip() -> None:
    """RFC 9260 section 6.3.1, with room for a delayed acknowledgement."""
    round_trip = RoundTrip()
    assert round_trip.timeout == 0.5
    round_trip.seed(0.02)
    assert round_trip.timeout == pytest.approx(0.24)
    round_trip.measure(0.1, 0.0)
    assert round_trip.timeout == pytest.approx(0.32)
    round_trip.seed(0.9)  # has one of its own
    assert round_trip.timeout == pytest.approx(0.32)
    round_trip.measure(0.5, 1.0)
    # RTTVAR = 3/4 * 0.05 + 1/4 * 0.4, SRTT = 7/8 * 0.1 + 1/8 * 0.5
    assert round_trip.timeout == pytest.approx(0.15 + 4 * 0.1375)
    for _ in range(50):
        round_trip.measure(1000.0, 2.0)
    assert round_trip.timeout == RTO_MAX


def test_each_round_trip_is_measured_once() -> None:
    """RFC 9260 section 6.3.1, C4: else a burst would count for many."""
    half = Half()
    half.push(*[10] * 8)
    half.collect()
    half.recovery.receive_sack(1, 1 << 20, 0.1)
    timeout = half.recovery.round_trip.timeout
    half.recovery.receive_sack(2, 1 << 20, 0.19)
    assert half.recovery.round_trip.timeout == timeout
    half.recovery.receive_sack(3, 1 << 20, 0.2)
    assert half.recovery.round_trip.timeout > timeout


def test_timeouts_double_within_bounds() -> None:
    assert [back_off(0.5, n) for n in range(5)] == [0.5, 1.0, 2.0, MAX_BACKOFF, 3.0]
    assert back_off(10.0, 5) == 10.0
    assert back_off(0.5, 100_000) == MAX_BACKOFF


def test_retransmissions_are_not_measured() -> None:
    """RFC 9260 section 6.3.1, C5 (Karn's algorithm)."""
    half = Half()
    half.push(10)
    half.collect()
    half.now = half.recovery.deadline
    half.recovery.handle_timeout(half.now)
    half.collect()
    half.recovery.receive_sack(1, 1 << 20, half.now + 5)
    assert half.recovery.round_trip.timeout == 0.5
    half.push(10)
    half.collect()
    half.recovery.receive_sack(2, 1 << 20, half.now + 0.03)
    assert half.recovery.round_trip.timeout == pytest.approx(0.25)


def test_three_reports_of_a_gap_retransmit_at_once() -> None:
    """RFC 9260 section 7.2.4."""
    half = Half()
    half.push(*[USER_DATA_SIZE] * 10)
    half.collect()
    half.gaps(0, (2, 2))
    half.gaps(0, (2, 2))  # nothing new: no report
    half.gaps(0, (2, 3))
    assert half.collect() == []
    half.gaps(0, (2, 4))
    assert half.states()[:4] == [LOST, ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED]
    assert half.recovery.congestion.size == INITIAL_WINDOW // 2
    assert half.collect() == [1]  # though the window is full
    assert half.recovery.retransmitted == 1
    for last in range(5, 11):
        half.gaps(0, (2, last))
    assert half.states()[0] == IN_FLIGHT  # those were sent before it
    half.recovery.receive_sack(10, 1 << 20, 0.0)
    assert half.recovery.board.is_idle
    assert half.recovery.deadline == math.inf
    assert half.recovery.board.flight == half.recovery.board.stored == 0


def test_a_lost_retransmission_is_found_without_a_timeout() -> None:
    """By chunks that were sent after it and have arrived."""
    half = Half()
    half.push(*[100] * 4)
    half.collect()
    for last in (2, 3, 4):
        half.gaps(0, (2, last))
    assert half.collect() == [1]
    half.push(*[100] * 3)
    assert half.collect() == [5, 6, 7]
    size = half.recovery.congestion.size
    for last in (5, 6, 7):
        half.gaps(0, (2, last))
    assert half.collect() == [1]
    assert half.recovery.congestion.size == size  # once for each recovery


def test_recovery_ends_with_what_was_outstanding() -> None:
    """RFC 9260 section 7.2.4, step 5."""
    half = Half()
    half.push(*[100] * 10)
    half.collect()
    for last in (2, 3, 4):
        half.gaps(0, (2, last))
    half.collect()
    half.recovery.receive_sack(9, 1 << 20, 0.0)
    assert half.recovery._recovery_exit is not None
    half.recovery.receive_sack(10, 1 << 20, 0.0)
    assert half.recovery._recovery_exit is None


def test_a_timeout_retransmits_all_from_the_first() -> None:
    """RFC 9260 sections 6.3.3 and 7.2.3."""
    half = Half()
    half.push(*[USER_DATA_SIZE] * 10)
    half.collect()
    half.gaps(0, (3, 3))
    half.now = half.recovery.deadline
    half.recovery.handle_timeout(half.now - 0.01)  # early
    assert half.recovery.board.flight == 9 * USER_DATA_SIZE
    half.recovery.handle_timeout(half.now)
    assert half.recovery.congestion.size == USER_DATA_SIZE
    assert half.recovery.board.flight == 0
    assert half.collect() == [1]
    assert half.recovery.deadline - half.now == pytest.approx(1.0)  # it backs off
    half.recovery.receive_sack(1, 1 << 20, half.now)
    assert half.collect() == [2, 4]
    half.gaps(4)
    assert half.collect() == [5, 6, 7, 8]
    half.recovery.receive_sack(10, 1 << 20, half.now)  # those were not lost at all
    assert half.recovery.board.is_idle
    assert half.collect() == []


def test_the_timer_follows_a_timeout_that_has_become_shorter() -> None:
    half = Half()
    half.push(10, 10, 10)
    half.collect()
    assert half.recovery.deadline == 0.5
    half.recovery.receive_sack(1, 1 << 20, 0.01)
    assert half.recovery.deadline == pytest.approx(0.01 + 0.23)


def test_a_steady_clock_is_all_that_counts() -> None:
    """Before, times of day were compared: a step of the clock cost a minute."""
    for start in (0.0, 1e9, -50.0):
        half = Half()
        half.now = start
        half.push(10)
        half.collect()
        half.recovery.receive_sack(1, 1 << 20, start + 0.1)
        assert half.recovery.round_trip.timeout == pytest.approx(0.32)


def test_what_the_peer_drops_again_is_retransmitted() -> None:
    """RFC 9260 section 6.2.1, iv: only the cumulative TSN is a promise."""
    half = Half()
    half.push(*[100] * 4)
    half.collect()
    half.gaps(0, (2, 3))
    half.gaps(1)
    assert half.states() == [LOST, ACKNOWLEDGED, IN_FLIGHT]
    assert half.collect() == [2]
    half = Half()
    half.push(*[100] * 4)
    half.collect()
    half.gaps(0, (2, 2))
    half.recovery.receive_sack(1, 1 << 20, 0.0)
    assert half.states() == [LOST, IN_FLIGHT, IN_FLIGHT]
    assert half.collect() == [2]


def test_old_acknowledgements_say_nothing() -> None:
    half = Half()
    half.push(*[100] * 4)
    half.collect()
    half.recovery.receive_sack(3, 500, 0.0)
    half.recovery.receive_sack(2, 7, 0.0)
    half.gaps(1, (2, 2))
    assert half.recovery.peer_window == 500
    assert half.states() == [IN_FLIGHT]


def test_what_is_held_is_counted() -> None:
    half = Half()
    half.push(100, 100, 2000)
    assert half.sender.held == 2200 + 3 * MESSAGE_COST
    half.collect()
    assert half.sender.held == 2200 + 4 * MESSAGE_COST  # the large one is two chunks
    half.recovery.receive_sack(2, 1 << 20, 0.0)
    assert half.sender.held == 2000 + 2 * MESSAGE_COST
    half.recovery.receive_sack(4, 1 << 20, 0.0)
    assert half.sender.held == 0
    assert half.sender.take_left() == {half.channel: -2200}


# Partial reliability


def test_a_chunk_is_retransmitted_so_often_and_no_more() -> None:
    """RFC 3758 section 3.5 and RFC 7496 section 3.1."""
    half = Half(max_retransmits=2)
    half.push(10)
    times = 0
    while half.collect() == [1]:
        times += 1
        half.now = half.recovery.deadline
        half.recovery.handle_timeout(half.now)
    assert times == 3
    assert half.recovery.board.forward_is_due
    assert half.forward() == (1, {7: 0})
    assert not half.recovery.board.forward_is_due
    assert not half.recovery.board.is_idle
    half.now = half.recovery.deadline
    half.recovery.handle_timeout(half.now)  # the FORWARD TSN was lost
    assert half.recovery.board.forward_is_due
    half.recovery.receive_sack(1, 1 << 20, half.now)
    assert half.recovery.board.is_idle
    assert not half.recovery.board.forward_is_due
    assert half.recovery.deadline == math.inf


def test_all_chunks_of_a_message_are_abandoned() -> None:
    """RFC 3758 section 3.5, A3."""
    half = Half(max_retransmits=0)
    half.push(3 * USER_DATA_SIZE, 10, 10, 10)
    half.collect()
    for last in (4, 5, 6):
        half.gaps(1, (3, last - 1))
    assert half.forward() == (3, {7: 0})
    assert half.states() == [ACKNOWLEDGED] * 3
    assert half.recovery.board.flight == 0
    half.gaps(1, (3, 5))
    assert half.states() == [ACKNOWLEDGED] * 3  # though they follow no gap
    half.recovery.receive_sack(6, 1 << 20, 0.0)
    assert half.recovery.board.is_idle


def test_a_message_whose_lifetime_ends_is_abandoned_when_lost() -> None:
    half = Half(max_packet_life_time=400, ordered=False)
    half.push(10, 10)
    half.collect()
    half.now = half.recovery.deadline
    assert half.now > 0.4
    half.recovery.handle_timeout(half.now)
    assert half.collect() == []
    assert half.forward() == (2, {})  # unordered messages have no numbers


def test_the_lifetime_begins_with_the_flush() -> None:
    half = Half(max_packet_life_time=400)
    half.push(10)
    half.now = 1e6
    assert half.collect() == [1]


def test_a_message_partly_sent_takes_one_more_number() -> None:
    """So that the peer learns that its last fragment will not come."""
    half = Half(max_packet_life_time=100)
    half.push(20 * USER_DATA_SIZE, 10)
    assert half.collect() == list(range(1, 11))
    half.now = 0.2
    assert half.collect() == []
    assert half.sender.is_idle
    assert half.recovery.board.next_tsn & 0xFFFF == 12
    assert half.forward() == (11, {7: 0})
    assert half.sender.take_left() == {half.channel: -20 * USER_DATA_SIZE - 10}
    half.recovery.receive_sack(11, 1 << 20, half.now)
    half.push(10)
    assert half.collect() == [12]


def test_a_report_of_skipped_streams_fits_a_packet() -> None:
    """RFC 3758 section 3.5, C4: else the point goes back."""
    recovery = Recovery(1)
    recovery.start(1, 1 << 20)
    sender = Sender(recovery)
    for stream in range(500):
        channel = DataChannel(ChannelOptions(max_retransmits=0), stream)
        sender.push(channel, 53, b"x")
    while sender.collect(0.0):
        pass
    recovery.handle_timeout(1.0)
    chunk = recovery.write_forward_tsn(1.0)
    assert len(chunk) == 8 + 4 * 291
    assert unpack_from("!L", chunk, 4) == (291,)
    recovery.receive_sack(291, 1 << 20, 1.0)
    assert recovery.board.forward_is_due
    assert unpack_from("!L", recovery.write_forward_tsn(1.0), 4) == (500,)


def test_a_reset_stream_is_not_skipped_in() -> None:
    """RFC 3758 and RFC 6525: an old number means nothing in the new stream."""
    half = Half(max_retransmits=0)
    half.push(10)
    half.collect()
    half.recovery.handle_timeout(1.0)
    half.sender.reset_streams({8})
    assert half.forward() == (1, {7: 0})
    half.sender.reset_streams({7})
    assert half.forward() == (1, {})


def test_abandoned_chunks_in_between_wait_for_those_before() -> None:
    """RFC 3758 section 3.5, C2: only a run at the front is skipped."""
    half = Half()
    half.push(10)
    other = DataChannel(ChannelOptions(max_retransmits=0), 9)
    half.sender.push(other, 53, b"x")
    half.collect()
    half.now = half.recovery.deadline
    half.recovery.handle_timeout(half.now)
    assert half.states() == [LOST, ABANDONED]
    assert not half.recovery.board.forward_is_due
    assert half.collect() == [1]
    half.recovery.receive_sack(1, 1 << 20, half.now)
    assert half.recovery.board.forward_is_due
    assert half.forward() == (2, {9: 0})


def test_abandoning_what_is_partly_acknowledged_keeps_the_account() -> None:
    half = Half(max_retransmits=0)
    half.push(3 * USER_DATA_SIZE)
    half.collect()
    half.recovery.receive_sack(1, 1 << 20, 0.0)
    half.recovery.handle_timeout(1.0)
    assert half.recovery.board.flight == half.recovery.board.stored == 0
    chunks: list[OutboundChunk] = list(half.recovery.board.skipped)
    assert len(chunks) == 2
