"""When packets are due, whatever the timestamps of their file are like."""

from fractions import Fraction

import av
import pytest

from whipbird.client.pipelines import AnyPacket
from whipbird.client.timeline import MAX_JUMP, Timeline

PERIOD = Fraction(1, 25)
# The time base of the file.
TICK = Fraction(1, 100)


def packet(
    pts: int | None, dts: int | None = None, duration: int | None = None
) -> AnyPacket:
    made: AnyPacket = av.Packet(b"x")
    made.time_base = TICK
    made.pts, made.dts = pts, dts
    if duration is not None:
        made.duration = duration
    return made


def placed(timeline: Timeline, *stamps: int | None) -> list[Fraction]:
    return [timeline.place(packet(stamp), PERIOD) for stamp in stamps]


@pytest.mark.parametrize("start", [None, Fraction(5)])
def test_it_begins_with_0(start: Fraction | None) -> None:
    timeline = Timeline()
    timeline.begin(start)
    assert placed(timeline, 500, 504, 508) == [0, PERIOD, 2 * PERIOD]
    assert timeline.end == 3 * PERIOD


def test_the_first_packet_need_not_be_the_first_in_time() -> None:
    """Sound may begin before the picture that stands before it in the file."""
    timeline = Timeline()
    timeline.begin(Fraction(5))
    assert placed(timeline, 520, 500) == [Fraction(1, 5), 0]


def test_without_timestamps_they_follow_each_other() -> None:
    timeline = Timeline()
    timeline.begin(None)
    assert placed(timeline, None, None, None) == [0, PERIOD, 2 * PERIOD]
    assert timeline.place(packet(None, duration=50), PERIOD) == 3 * PERIOD
    assert timeline.place(packet(None), PERIOD) == 3 * PERIOD + Fraction(1, 2)


def test_where_only_the_time_of_decoding_is_known() -> None:
    timeline = Timeline()
    timeline.begin(None)
    times = [timeline.place(packet(None, dts), PERIOD) for dts in (700, 710, 720)]
    assert times == [0, Fraction(1, 10), Fraction(1, 5)]


@pytest.mark.parametrize("jump", [100 * MAX_JUMP + 500, -100 * MAX_JUMP - 500])
def test_timestamps_that_begin_anew(jump: int) -> None:
    """As where recordings were joined: time goes on."""
    timeline = Timeline()
    timeline.begin(None)
    placed(timeline, 5000, 5004)
    assert placed(timeline, 5004 + jump, 5008 + jump) == [PERIOD, 2 * PERIOD]


def test_a_gap_stays_a_gap() -> None:
    timeline = Timeline()
    timeline.begin(None)
    assert placed(timeline, 0, 100 * MAX_JUMP) == [0, MAX_JUMP]


@pytest.mark.parametrize("start", [None, Fraction(5)])
def test_the_file_begins_again(start: Fraction | None) -> None:
    timeline = Timeline()
    timeline.begin(start)
    placed(timeline, 500, 504)
    timeline.begin(start)
    assert placed(timeline, 500, 504) == [2 * PERIOD, 3 * PERIOD]


def test_what_decodes_the_packet_sees_the_new_time() -> None:
    timeline = Timeline()
    timeline.begin(None)
    placed(timeline, 500)
    second = packet(504, 504)
    timeline.place(second, PERIOD)
    assert (second.pts, second.dts) == (4, None)
    unknown = packet(None, 508)
    timeline.place(unknown, PERIOD)
    assert (unknown.pts, unknown.dts) == (None, None)
