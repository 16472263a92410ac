"""One source: its numbers and its clock, which may jump, made continuous."""

from itertools import pairwise

import pytest

from tests.rtp_packets import rtp_packet
from tests.unit.media.watching import KEY, VP8
from whipbird.media.source import MAX_RUN, RUN_TIME, Source
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.reception import MAX_MISORDER
from whipbird.rtp.source_clock import share_offset
from whipbird.sdp.codecs import Codec

OPUS = Codec(111, "opus/48000/2")
FRAME = 1 / 30


class Line:
    """A sender of frames of one packet each, and what comes out of its source.

    Attributes:
        payloads: numbers, so that each packet can be told.
    """

    def __init__(self, codec: Codec = VP8) -> None:
        self.codec = codec
        self.out: list[RtpPacket] = []
        self.now = 100.0
        self.source = Source(1, codec, self, self.now)
        self.sequence = 1000
        self.timestamp = 90_000
        self.sent = 0

    def take(self, source: Source, packet: RtpPacket) -> None:
        self.out.append(packet)

    def send_feedback_soon(self) -> None:
        pass

    def packet(self) -> RtpPacket:
        payload = KEY if self.sent % 30 == 0 else b"\x10\x11"
        return rtp_packet(
            self.sequence & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            1,
            payload + self.sent.to_bytes(4),
        )

    def send(self, count: int = 1, *, frame: float = FRAME) -> None:
        for _ in range(count):
            self.source.receive(self.packet(), self.codec, self.now)
            self.sent += 1
            self.sequence += 1
            self.timestamp += round(frame * self.codec.clock_rate)
            self.now += frame

    def check(self, *, lost: int = 0) -> None:
        """All packets have come out, and nobody can see a jump."""
        numbers = [int.from_bytes(packet.payload[-4:]) for packet in self.out]
        assert len(numbers) == self.sent - lost
        assert numbers == sorted(numbers)
        for before, after in pairwise(self.out):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            step = (after.timestamp - before.timestamp) & 0xFFFFFFFF
            assert 0 < step < 10 * self.codec.clock_rate


@pytest.mark.parametrize("codec", [VP8, OPUS])
@pytest.mark.parametrize(
    "jump", [-40, -900, -MAX_MISORDER + 1, -MAX_MISORDER, -20_000, 700, 2999, 20_000]
)
def test_numbers_that_jump_while_the_clock_goes_on(codec: Codec, jump: int) -> None:
    line = Line(codec)
    line.send(1000)
    line.sequence += jump
    line.send(300)
    line.check()
    assert line.source.restarts == 1


@pytest.mark.parametrize("ticks", [90_000 * 3, 2**31 + 5, 2**32 - 90_000 * 60, 2**30])
def test_a_clock_that_jumps(ticks: int) -> None:
    line = Line()
    line.send(90)
    reception = line.source.reception
    reception.sender_report(3_900_000_000 << 32, line.timestamp, line.now)
    share_offset([reception.clock])
    assert reception.anchor is not None
    line.timestamp += ticks
    line.send(90)
    line.check()
    steps = {
        (after.timestamp - before.timestamp) & 0xFFFFFFFF
        for before, after in pairwise(line.out)
    }
    assert max(steps) <= 3001
    assert line.source.restarts == 0
    # The clock of before says nothing of the one now.
    assert reception.anchor is None
    # A report on the new one is trusted.
    timestamp = line.timestamp & 0xFFFFFFFF
    reception.sender_report(3_900_000_003 << 32, timestamp, line.now)
    share_offset([reception.clock])
    assert reception.anchor is not None


def test_both_begin_anew() -> None:
    """An encoder that reconnects, and begins with the very same numbers."""
    line = Line()
    line.send(100)
    line.sequence, line.timestamp = 1000, 90_000
    line.now += 2.0
    line.send(100)
    line.check()
    assert line.source.restarts == 1


def test_both_leap() -> None:
    line = Line()
    line.send(100)
    line.sequence, line.timestamp = 7, 2**32 - 3000
    line.send(100)
    line.check()


@pytest.mark.parametrize("pause", [0.5, 3.0, 60.0])
@pytest.mark.parametrize("counts", [True, False])
def test_a_pause_is_no_jump(pause: float, counts: bool) -> None:
    """A camera that stalls, whose clock goes on meanwhile or does not."""
    line = Line()
    line.send(60)
    line.now += pause
    if counts:
        line.timestamp += round(pause * 90_000)
    line.send(60)
    assert [p.timestamp for p in line.out[-60:]] == [
        (line.timestamp - 3000 * n) & 0xFFFFFFFF for n in range(60, 0, -1)
    ]
    assert line.source.timestamp_shift == 0


def test_numbers_and_clock_may_wrap() -> None:
    line = Line()
    line.sequence, line.timestamp = 65_500, 2**32 - 30_000
    line.send(100)
    line.check()
    assert (line.source.restarts, line.source.timestamp_shift) == (0, 0)


def test_pictures_in_decoding_order() -> None:
    """B-frames: timestamps go back and forth by some frames."""
    line = Line()
    start = line.timestamp
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7, 20, 16, 12, 10]
    for number in order:
        line.timestamp = start + 3000 * number
        line.send(1)
    assert [(p.timestamp - start) // 3000 for p in line.out] == order


@pytest.mark.parametrize("count", [1, 3, 40])
def test_duplicates_are_dropped(count: int) -> None:
    """Of a network, or of a sender that retransmits more than was lost."""
    line = Line()
    line.send(50)
    first = len(line.out)
    for number in range(first - count, first):
        again = rtp_packet(1000 + number, 90_000 + 3000 * number, 1, b"\x10\x11again")
        line.source.receive(again, VP8, line.now)
    line.send(50)
    line.check()
    assert line.source.restarts == 0
    assert line.source.reception.duplicates == count


def test_duplicates_in_a_pause_are_no_restart() -> None:
    """Retransmissions of both requests for a packet, and nothing else for a while."""
    line = Line()
    line.send(50)
    duplicates = []
    for _ in range(3):
        duplicates.append(line.packet())
        line.send(1)
    out = len(line.out)
    for packet in duplicates:
        line.now += 0.5
        line.source.receive(packet, VP8, line.now)
    line.send(5)
    assert line.source.restarts == 0
    assert len(line.out) == out + 5


def test_packets_that_come_too_late_are_dropped() -> None:
    line = Line()
    line.send(50)
    late = []
    for _ in range(5):
        late.append(line.packet())
        line.sequence += 1
        line.timestamp += 3000
        line.now += FRAME
    for _ in range(60):
        line.send(1)
        line.source.reception.missing.to_request(line.now, 0.1)
        line.source.release(line.now)
    assert not line.source.reception.missing
    out = len(line.out)
    for packet in late:
        line.source.receive(packet, VP8, line.now)
    assert len(line.out) == out
    line.send(5)
    assert len(line.out) == out + 5
    assert line.source.restarts == 0


def test_one_that_is_far_off_is_dropped() -> None:
    line = Line()
    line.send(10)
    line.source.receive(rtp_packet(40_000, 1, 1, b"\x10\x11far"), VP8, line.now)
    line.send(10)
    line.check()


def test_what_waits_for_a_decision_is_bounded() -> None:
    line = Line()
    line.send(MAX_MISORDER)
    # The same numbers and timestamps again, in no time at all.
    line.sequence, line.timestamp = 1000, 90_000
    for _ in range(2 * MAX_RUN):
        now = line.now
        line.send(1)
        line.now = now
        assert len(line.source._run) <= MAX_RUN
    assert line.source.restarts > 0


def test_after_some_time_nothing_is_a_duplicate() -> None:
    line = Line()
    line.send(100)
    line.sequence, line.timestamp = 1000, 90_000
    before = len(line.out)
    while line.now < 100.0 + 100 * FRAME + RUN_TIME / 2:
        line.send(1)
    assert len(line.out) == before
    line.send(30)
    line.check()


def test_parameter_sets_before_the_very_first_packet() -> None:
    """Those of the SDP are put before it: it has a number, and they follow no gap."""
    sets = "sprop-parameter-sets=Z0IAH4yN,aM48gA=="
    codec = Codec(96, "H264/90000", f"packetization-mode=1;{sets}")
    line = Line(codec)
    idr = b"\x65\x88\x84\x00"
    for number in range(3):
        packet = rtp_packet(1000 + number, 90_000 + 3000 * number, 1, idr)
        line.source.receive(packet, codec, line.now)
    assert [p.payload[0] & 0x1F for p in line.out] == [7, 8, 5] * 3
    assert [p.sequence for p in line.out] == list(range(1000, 1009))
