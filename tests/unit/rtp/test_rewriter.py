"""One source after another, as one stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native import WAYS
from tests.rtp_packets import write_rtp
from whipbird.native import Native
from whipbird.rtp.forward_template import ForwardTemplate
from whipbird.rtp.history import SIZE
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rewriter import Rewriter, Rewriting

TEMPLATE = ForwardTemplate({}, {})


def source(sequence: int, timestamp: int, *, marker: bool = False) -> RtpPacket:
    packet = RtpPacket.parse(
        write_rtp(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 7, b"data", marker=marker)
    )
    assert packet is not None
    return packet


_way: Native | None = None


@pytest.fixture(autouse=True, params=WAYS, scope="module")
def _ways(request: pytest.FixtureRequest) -> None:
    """All tests, with attributes of Python's and with those of compiled memory."""
    global _way
    _way = request.param


def rewriter(sequence: int = 100, timestamp: int = 1000) -> Rewriting:
    if _way is None:
        return Rewriter(99, sequence=sequence, timestamp=timestamp)
    return _way.rewriter(
        99, sequence=sequence, timestamp=timestamp, outlet=_way.outlet()
    )


def switch(
    to: Rewriting, first: RtpPacket, now: float, *, live: RtpPacket | None = None
) -> None:
    newest = live or first
    to.switch(
        first.sequence,
        first.timestamp,
        live=(newest.sequence, newest.timestamp),
        payload_type=120,
        clock_rate=90000,
        now=now,
    )


def all_written(to: Rewriting, packets: list[RtpPacket], now: float) -> list[RtpPacket]:
    slots = [memoryview(bytearray(100)) for _ in packets]
    formed = [
        p._replace(timestamp=to.catch_up_timestamp(p.sequence, p.timestamp))
        for p in (TEMPLATE.apply(packet, now) for packet in packets)
    ]
    found = []
    for slot, length in zip(slots, to.write(formed, slots, now), strict=True):
        parsed = RtpPacket.parse(bytes(slot[:length]))
        assert parsed is not None
        found.append(parsed)
    return found


def written(to: Rewriting, packet: RtpPacket, now: float) -> RtpPacket:
    (found,) = all_written(to, [packet], now)
    return found


def test_what_changes_and_what_does_not() -> None:
    to = rewriter()
    first = source(5000, 777, marker=True)
    switch(to, first, 0.0)
    packet = written(to, first, 0.0)
    assert (packet.sequence, packet.timestamp) == (100, 1000)
    assert (packet.ssrc, packet.payload_type, packet.marker) == (99, 120, True)
    assert packet.payload == b"data"
    assert (to.packets, to.octets) == (1, 4)


def test_gaps_stay_gaps() -> None:
    to = rewriter()
    packets = [source(n, 3000 * n) for n in (65534, 65535, 65538)]
    switch(to, packets[0], 0.0)
    found = [written(to, packet, 0.0) for packet in packets]
    assert [p.sequence for p in found] == [100, 101, 104]
    assert [p.timestamp - 1000 for p in found] == [0, 3000, 12000]


def test_another_source_goes_on_where_the_first_one_ended() -> None:
    to = rewriter()
    switch(to, source(1, 50), 10.0)
    written(to, source(1, 50), 10.0)
    written(to, source(2, 3050), 10.1)
    switch(to, source(900, 123456), 10.3)
    packet = written(to, source(900, 123456), 10.3)
    assert packet.sequence == 102
    assert packet.timestamp == 1000 + 3000 + 18000
    assert to.timestamp_of(123456 + 90) == packet.timestamp + 90


def test_another_source_at_once_is_another_frame() -> None:
    to = rewriter()
    switch(to, source(1, 50), 10.0)
    written(to, source(1, 50), 10.0)
    switch(to, source(1, 50), 10.0)
    assert written(to, source(1, 50), 10.0).timestamp == 1001


def test_the_number_in_the_source() -> None:
    to = rewriter(65535)
    switch(to, source(10, 0), 0.0)
    for sequence in (10, 11, 15):
        written(to, source(sequence, 0), 0.0)
    assert [to.original(n) for n in (65535, 0, 1, 4)] == [10, 11, 12, 15]
    assert to.original(65534) is None
    assert to.original(5) is None
    switch(to, source(700, 0), 1.0)
    written(to, source(700, 0), 1.0)
    assert (to.original(4), to.original(5)) == (None, 700)


def test_several_at_once_are_as_one_after_the_other() -> None:
    packets = [source(n, 3000 * n, marker=n == 7) for n in (5, 6, 7, 9)]
    one, several = rewriter(65534), rewriter(65534)
    for to in (one, several):
        switch(to, packets[0], 0.0)
    expected = [written(one, packet, 0.0).data for packet in packets]
    assert [p.data for p in all_written(several, packets, 0.0)] == expected
    assert several.original(2) == one.original(2) == 9
    assert (several.packets, several.octets) == (one.packets, one.octets) == (4, 16)


def test_a_part_is_left_out() -> None:
    """Numbers go on, and so does time: what was left out took as long."""
    to = rewriter()
    switch(to, source(1, 0), 0.0)
    written(to, source(1, 0), 0.0)
    to.resume(31)
    packet = written(to, source(31, 90000), 1.02)
    assert (packet.sequence, packet.timestamp) == (101, 91000)
    assert to.original(101) == 31
    assert to.original(100) is None


def test_what_is_older_is_caught_up_with() -> None:
    """Two seconds, in a moment; from then on time goes as it does at the source."""
    to = rewriter(timestamp=5000)
    old = [source(n, 0xFFFF0000 + 3000 * n) for n in range(61)]
    switch(to, old[0], 0.0, live=old[-1])
    found = all_written(to, old, 0.0)
    assert [p.sequence for p in found] == list(range(100, 161))
    assert found[0].timestamp == 5000
    steps = [b.timestamp - a.timestamp for a, b in pairwise(found)]
    assert min(steps) >= 90
    assert sum(steps) == 60 * 3000 // 32
    after = source(61, 0xFFFF0000 + 3000 * 61)
    assert written(to, after, 0.0).timestamp == found[-1].timestamp + 3000
    # A retransmission has the original timestamp.
    again = to.timestamp_of(to.catch_up_timestamp(old[7].sequence, old[7].timestamp))
    assert again == found[7].timestamp


def test_what_was_caught_up_with_is_forgotten() -> None:
    """Timestamps wrap after some hours; what is new then is not old."""
    to = rewriter()
    switch(to, source(0, 1000), 0.0)
    for start in range(SIZE + 1):
        written(to, source(start, 1000 + start), 0.0)
    later = (1000 - 32) & 0xFFFFFFFF
    assert to.catch_up_timestamp(SIZE + 1, later) == later


@given(
    parts=st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(1, 20)
        ),
        min_size=1,
        max_size=8,
    ),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
)
def test_whatever_comes_the_stream_goes_on(
    parts: list[tuple[int, int, int]], sequence: int, timestamp: int
) -> None:
    to = rewriter(sequence, timestamp)
    found: list[RtpPacket] = []
    now = 0.0
    for start, begin, count in parts:
        for n in range(count):
            packet = source(start + n, begin + 3000 * n)
            if n == 0:
                switch(to, packet, now)
            found.append(written(to, packet, now))
            assert to.original(found[-1].sequence) == packet.sequence
            now += 1 / 30
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(found))
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(found)]
    assert steps == pytest.approx([3000] * len(steps), abs=1)
