"""Transport-wide feedback, read by a decoder that shares nothing with the writer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rtp.feedback_decoder import Message, decode
from whipbird.rtp.transport_feedback import (
    MAX_ARRIVALS,
    MAX_GAP,
    MAX_LATE,
    TransportFeedback,
)

TICK = 1 / 4000  # seconds


def receive(feedback: TransportFeedback, *arrivals: tuple[int, int]) -> None:
    """Let packets come: sequence numbers, and times in ticks."""
    for sequence, ticks in arrivals:
        feedback.received(sequence & 0xFFFF, (ticks + 0.5) * TICK)


def write(feedback: TransportFeedback) -> list[Message]:
    messages = []
    while (data := feedback.write(1, 2)) is not None:
        assert len(data) <= 1200
        messages.append(decode(data))
    return messages


class TestOctets:
    """Messages made by hand."""

    def test_vector_of_one_bit_symbols(self) -> None:
        feedback = TransportFeedback()
        receive(feedback, (1, 772), (2, 774), (4, 778))
        data = feedback.write(0x01020304, 0x05060708)
        assert data is not None
        assert data.hex(" ", 4) == (
            "afcd0006 01020304 05060708 "  # padding; 7 words
            "00010004 00000300 "  # from 1, 4 packets; 3 times 64 ms, message 0
            "b4000402 04000003"  # 10 1101 0…; deltas of 4, 2 and 4; 3 of padding
        )
        assert feedback.write(1, 2) is None

    def test_run(self) -> None:
        feedback = TransportFeedback()
        receive(feedback, *((n, 256 + n) for n in range(20)))
        data = feedback.write(1, 2)
        assert data is not None
        assert data.hex(" ", 4) == (
            "afcd000a 00000001 00000002 00000014 00000100 "
            "20140001 01010101 01010101 01010101 01010101 01010002"
        )

    def test_vector_of_two_bit_symbols(self) -> None:
        feedback = TransportFeedback()
        receive(feedback, (10, 0), (11, 300), (13, 299))
        data = feedback.write(1, 2)
        assert data is not None
        assert data.hex(" ", 4) == (
            "afcd0006 00000001 00000002 000a0004 00000000 "
            "d8800001 2cffff01"  # 11 01 10 00 10 …; 0, 300 and -1; 1 of padding
        )

    def test_run_of_lost_packets(self) -> None:
        feedback = TransportFeedback()
        receive(feedback, (1, 0))
        write(feedback)
        receive(feedback, (223, 1))
        data = feedback.write(1, 2)
        assert data is not None
        # The draft's example of a run in section 3.1.3: 221 packets not received.
        assert data[12:24].hex(" ", 4) == "000200de 00000001 00dd2001"


def test_nothing() -> None:
    assert TransportFeedback().write(1, 2) is None


def test_ssrcs_and_message_count() -> None:
    feedback = TransportFeedback()
    counts = []
    for n in range(258):
        receive(feedback, (n, n))
        data = feedback.write(0xFFFFFFFE, 0x12345678)
        assert data is not None
        message = decode(data)
        assert (message.sender_ssrc, message.media_ssrc) == (0xFFFFFFFE, 0x12345678)
        counts.append(message.count)
    assert counts == [n & 0xFF for n in range(258)]


def test_what_is_lost_between_messages_is_reported() -> None:
    feedback = TransportFeedback()
    receive(feedback, (5, 0), (6, 1))
    assert [m.statuses for m in write(feedback)] == [[0, 1]]
    receive(feedback, (9, 2))
    (message,) = write(feedback)
    assert message.base == 7
    assert message.statuses == [None, None, 2]


def test_a_gap_behind_the_first_is_in_the_same_message() -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 0))
    write(feedback)
    receive(feedback, (2, 1), (4, 2))
    (message,) = write(feedback)
    assert (message.base, message.statuses) == (2, [1, None, 2])


class TestLossLimit:
    """Nothing is said of packets that are lost beyond a limit."""

    def test_messages_end_before_lost_packets(self) -> None:
        feedback = TransportFeedback()
        feedback.loss_limit = 0.0
        receive(feedback, (5, 0), (6, 1), (8, 2), (9, 3), (12, 4))
        messages = write(feedback)
        assert [m.base for m in messages] == [5, 8, 12]
        assert [m.statuses for m in messages] == [[0, 1], [2, 3], [4]]

    def test_between_calls(self) -> None:
        feedback = TransportFeedback()
        feedback.loss_limit = 0.0
        receive(feedback, (5, 0))
        write(feedback)
        receive(feedback, (9, 2))
        (message,) = write(feedback)
        assert (message.base, message.statuses) == (9, [2])

    def test_reordered_packets_are_reported(self) -> None:
        feedback = TransportFeedback()
        feedback.loss_limit = 0.0
        receive(feedback, (5, 0), (8, 1))
        write(feedback)
        receive(feedback, (6, 2), (9, 3))
        arrivals = {n: at for m in write(feedback) for n, at in m.arrivals.items()}
        assert arrivals == {6: 2, 9: 3}
        receive(feedback, (6, 4))
        assert write(feedback) == []

    def test_all_are_reported_again(self) -> None:
        feedback = TransportFeedback()
        feedback.loss_limit = 0.0
        receive(feedback, (5, 0), (7, 1))
        write(feedback)
        feedback.loss_limit = 1.0
        receive(feedback, (9, 2), (11, 3))
        (message,) = write(feedback)
        assert (message.base, message.statuses) == (8, [None, 2, None, 3])

    @pytest.mark.parametrize(
        ("loss", "reported"), [(0.02, 0.02), (0.05, 0.045), (0.2, 0.05), (0.5, 0.05)]
    )
    def test_a_share_is_reported(self, loss: float, reported: float) -> None:
        chance = random.Random(1)
        feedback = TransportFeedback()
        feedback.loss_limit = 0.05
        statuses: list[int | None] = []
        came = 0
        for start in range(0, 20_000, 20):
            arrivals = [(n, n) for n in range(start, start + 20)]
            arrivals = [a for a in arrivals if chance.random() >= loss]
            came += len(arrivals)
            receive(feedback, *arrivals)
            for message in write(feedback):
                statuses += message.statuses
        told = [status for status in statuses if status is not None]
        assert len(told) == came
        share = (len(statuses) - len(told)) / len(told)
        assert share == pytest.approx(reported, rel=0.25)


@pytest.mark.parametrize(("gap", "count"), [(100, 300), (8000, 30), (2, 3000)])
def test_many_gaps_take_several_messages(gap: int, count: int) -> None:
    feedback = TransportFeedback()
    order = [gap * n for n in range(count)]
    receive(feedback, *((n, place) for place, n in enumerate(order)))
    messages = write(feedback)
    assert len(messages) > 1
    told = [
        (number & 0xFFFF, ticks)
        for m in messages
        for number, ticks in m.arrivals.items()
    ]
    assert told == [(n & 0xFFFF, place) for place, n in enumerate(order)]
    assert all(len(message.statuses) <= 0xFFFF for message in messages)


def test_sequence_numbers_wrap() -> None:
    feedback = TransportFeedback()
    for start in range(65500, 65600, 10):
        receive(feedback, *((n, n) for n in range(start, start + 10)))
        (message,) = write(feedback)
        assert message.base == start & 0xFFFF
        assert message.statuses == list(range(start, start + 10))


def test_reference_time_wraps() -> None:
    """24 bits of 64 ms are 12 days."""
    feedback = TransportFeedback()
    receive(feedback, (1, (1 << 32) + 700))
    assert [m.statuses for m in write(feedback)] == [[700]]


def test_overtaken_in_one_message() -> None:
    feedback = TransportFeedback()
    receive(feedback, (3, 1000), (1, 1001), (2, 1002), (65535, 1003))
    (message,) = write(feedback)
    assert message.base == 65535
    assert message.statuses == [1003, None, 1001, 1002, 1000]


def test_overtaken_by_a_message() -> None:
    """A packet received after it was reported lost is reported, and only it."""
    feedback = TransportFeedback()
    receive(feedback, (1, 0), (5, 1), (7, 2))
    write(feedback)
    receive(feedback, (2, 3), (3, 4), (6, 5), (8, 6))
    messages = write(feedback)
    assert [(m.base, m.statuses) for m in messages] == [
        (2, [3, 4]),
        (6, [5]),
        (8, [6]),
    ]
    receive(feedback, (2, 7), (4, 8), (5, 9))
    assert [(m.base, m.statuses) for m in write(feedback)] == [(4, [8])]
    receive(feedback, (9, 10))
    assert [m.base for m in write(feedback)] == [9]


def test_late_and_next_are_one_run() -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 0), (4, 1))
    write(feedback)
    receive(feedback, (3, 2), (2, 3), (6, 4))
    messages = write(feedback)
    assert [(m.base, m.statuses) for m in messages] == [(2, [3, 2]), (5, [None, 4])]


def test_duplicates_are_reported_once() -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 0), (1, 5), (2, 6), (1, 7))
    assert [m.statuses for m in write(feedback)] == [[0, 6]]
    receive(feedback, (2, 8), (1, 9))
    assert write(feedback) == []


def test_too_late() -> None:
    feedback = TransportFeedback()
    receive(feedback, (0, 0), (2 * MAX_LATE, 1))
    write(feedback)
    receive(feedback, (2 * MAX_LATE - MAX_LATE + 1, 2))
    assert [m.base for m in write(feedback)] == [MAX_LATE + 1]


@pytest.mark.parametrize("delta", [0x7FFF, 0x8000, 1_000_000])
def test_large_deltas(delta: int) -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 256), (2, 256 + delta), (3, 257 + delta))
    messages = write(feedback)
    assert len(messages) == (1 if delta == 0x7FFF else 2)
    arrivals = {k: v for m in messages for k, v in m.arrivals.items()}
    assert arrivals == {1: 256, 2: 256 + delta, 3: 257 + delta}


@pytest.mark.parametrize("delta", [0x8000, 0x8001])
def test_large_negative_deltas(delta: int) -> None:
    feedback = TransportFeedback()
    receive(feedback, (2, 256 + delta), (1, 256))
    receive(feedback, (4, 257 + delta), (3, 256))
    messages = write(feedback)
    assert len(messages) == (3 if delta == 0x8000 else 4)
    arrivals = {k: v for m in messages for k, v in m.arrivals.items()}
    assert arrivals == {1: 256, 2: 256 + delta, 3: 256, 4: 257 + delta}


def test_lost_packets_before_a_split_are_reported() -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 0), (4, 1_000_000))
    messages = write(feedback)
    assert [(m.base, m.statuses) for m in messages] == [
        (1, [0]),
        (2, [None, None, 1_000_000]),
    ]


def test_a_long_outage_is_reported() -> None:
    feedback = TransportFeedback()
    receive(feedback, (1, 0))
    write(feedback)
    receive(feedback, (2 + MAX_GAP, 1))
    (message,) = write(feedback)
    assert message.base == 2
    assert message.statuses == [None] * MAX_GAP + [1]


@pytest.mark.parametrize("start", [3 + MAX_GAP, 40000, -MAX_LATE])
def test_another_beginning(start: int) -> None:
    """After a gap that is too large, forward or back, the numbers begin anew."""
    feedback = TransportFeedback()
    receive(feedback, (0, 0), (1, 0), (2, 0))
    write(feedback)
    receive(feedback, (start + 1, 1), (start + 2, 2))
    (message,) = write(feedback)
    assert message.base == (start + 1) & 0xFFFF
    assert message.statuses == [1, 2]


def test_bounded() -> None:
    feedback = TransportFeedback()
    receive(feedback, *((n, n) for n in range(3 * MAX_ARRIVALS)))
    arrivals = {k: v for m in write(feedback) for k, v in m.arrivals.items()}
    assert arrivals == {n: n for n in range(2 * MAX_ARRIVALS, 3 * MAX_ARRIVALS)}


def test_late_after_many_were_lost() -> None:
    feedback = TransportFeedback()
    for n in range(0, 4 * MAX_LATE, 2):
        receive(feedback, (n, n))
        write(feedback)
    newest = 4 * MAX_LATE - 2
    receive(feedback, (newest - 501, newest + 1))
    assert [m.base for m in write(feedback)] == [newest - 501]


def test_memory_of_lost_packets_is_bounded() -> None:
    feedback = TransportFeedback()
    for n in range(0, 100_000, 50):
        receive(feedback, (n, n))
        write(feedback)
        assert len(feedback._missing) <= MAX_LATE


@given(
    start=st.integers(0, 0xFFFF),
    lost=st.floats(0, 0.9),
    distance=st.integers(0, 40),
    spread=st.sampled_from([1, 50, 400, 20_000]),
    batch=st.integers(1, 400),
    seed=st.integers(0, 10_000),
)
def test_whatever_happens_on_the_way(
    start: int, lost: float, distance: int, spread: int, batch: int, seed: int
) -> None:
    """Each packet that came is reported once, when it came; the others as lost."""
    rng = random.Random(seed)
    order = sorted(range(600), key=lambda n: n + rng.random() * distance)
    came = [n for n in order if rng.random() >= lost]
    feedback = TransportFeedback()
    sent_at, told, told_lost = {}, {}, set()
    ticks = rng.randrange(1 << 24)
    for place in range(0, len(came), batch):
        for number in came[place : place + batch]:
            ticks += rng.randrange(spread)
            sent_at[(start + number) & 0xFFFF] = ticks
            receive(feedback, (start + number, ticks))
        for message in write(feedback):
            for sequence, arrival in message.arrivals.items():
                assert sequence not in told
                told[sequence] = arrival
            for offset, status in enumerate(message.statuses):
                if status is None:
                    told_lost.add((message.base + offset) & 0xFFFF)
    # The very first ones cannot be told from older ones.
    first = {(start + n) & 0xFFFF for n in came if n < min(came[:batch])}
    assert told.keys() == sent_at.keys() - first
    assert all(told[sequence] == sent_at[sequence] % (1 << 32) for sequence in told)
    if came:
        newest = max(came)
        never = {
            (start + n) & 0xFFFF
            for n in range(min(came[:batch]), newest)
            if n not in set(came)
        }
        assert never <= told_lost
        assert told_lost - never <= told.keys()


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 0xFFFF), st.floats(0, 1e6)), max_size=40),
        max_size=6,
    )
)
def test_any_arrivals(batches: list[list[tuple[int, float]]]) -> None:
    """Any numbers at any times make messages that can be read, and end."""
    feedback = TransportFeedback()
    for batch in batches:
        for sequence, now in batch:
            feedback.received(sequence, now)
        messages = write(feedback)
        assert len(messages) <= len(batch)
        reported = {number for message in messages for number in message.arrivals}
        assert reported <= {sequence for sequence, _ in batch}
