"""One source after another, as one stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import write_rtp
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rewriter import Rewriter


def source(sequence: int, timestamp: int, *, marker: bool = False) -> RtpPacket:
    packet = RtpPacket.parse(
        write_rtp(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 7, b"data", marker=marker)
    )
    assert packet is not None
    return packet


def rewriter(sequence: int = 100, timestamp: int = 1000) -> Rewriter:
    return Rewriter(99, sequence=sequence, timestamp=timestamp)


def written(to: Rewriter, packet: RtpPacket, now: float) -> RtpPacket:
    parsed = RtpPacket.parse(to.write(packet, 0x80, packet.payload, now))
    assert parsed is not None
    return parsed


def test_what_changes_and_what_does_not() -> None:
    to = rewriter()
    first = source(5000, 777, marker=True)
    to.switch(first, 120, 90000, 0.0)
    packet = written(to, first, 0.0)
    assert (packet.sequence, packet.timestamp) == (100, 1000)
    assert (packet.ssrc, packet.payload_type, packet.marker) == (99, 120, True)
    assert packet.payload == b"data"
    assert (to.packets, to.octets) == (1, 4)


def test_gaps_stay_gaps() -> None:
    to = rewriter()
    packets = [source(n, 3000 * n) for n in (65534, 65535, 65538)]
    to.switch(packets[0], 120, 90000, 0.0)
    found = [written(to, packet, 0.0) for packet in packets]
    assert [p.sequence for p in found] == [100, 101, 104]
    assert [p.timestamp - 1000 for p in found] == [0, 3000, 12000]


def test_another_source_goes_on_where_the_first_one_ended() -> None:
    to = rewriter()
    to.switch(source(1, 50), 120, 90000, 10.0)
    written(to, source(1, 50), 10.0)
    written(to, source(2, 3050), 10.1)
    to.switch(source(900, 123456), 120, 90000, 10.3)
    packet = written(to, source(900, 123456), 10.3)
    assert packet.sequence == 102
    assert packet.timestamp == 1000 + 3000 + 18000
    assert to.timestamp_of(123456 + 90) == packet.timestamp + 90


def test_another_source_at_once_is_another_frame() -> None:
    to = rewriter()
    to.switch(source(1, 50), 120, 90000, 10.0)
    written(to, source(1, 50), 10.0)
    to.switch(source(1, 50), 120, 90000, 10.0)
    assert written(to, source(1, 50), 10.0).timestamp == 1001


def test_the_number_in_the_source() -> None:
    to = rewriter(65535)
    to.switch(source(10, 0), 120, 90000, 0.0)
    for sequence in (10, 11, 15):
        written(to, source(sequence, 0), 0.0)
    assert [to.original(n) for n in (65535, 0, 1, 4)] == [10, 11, 12, 15]
    assert to.original(65534) is None
    assert to.original(5) is None
    to.switch(source(700, 0), 120, 90000, 1.0)
    written(to, source(700, 0), 1.0)
    assert (to.original(4), to.original(5)) == (None, 700)


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
                to.switch(packet, 120, 90000, now)
            found.append(written(to, packet, now))
            assert to.original(found[-1].sequence) == packet.sequence
            now += 1 / 30
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(found))
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(found)]
    assert steps == pytest.approx([3000] * len(steps), abs=1)
