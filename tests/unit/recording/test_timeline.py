"""RTP timestamps on one timeline, frame by frame."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whipbird.recording.arrivals import MAX_DECISION, Placement
from whipbird.recording.timeline import Timeline, TrackClock
from whipbird.rtp.source_clock import Anchor

START = 1000.0
NTP = 3_900_000_000.0


def clocks() -> tuple[TrackClock, TrackClock]:
    timeline = Timeline(-START)
    return (
        TrackClock(timeline, 48000, is_reference=True),
        TrackClock(timeline, 90000, is_reference=False),
    )


def sent(seconds: float, timestamp: int, reported: float = START) -> Anchor:
    """What a sender report says."""
    return Anchor(NTP + seconds, timestamp & 0xFFFFFFFF, reported, -NTP, 0)


def placed(
    clock: TrackClock, timestamp: int, now: float, anchor: Anchor | None = None
) -> int | None:
    return clock.place(timestamp & 0xFFFFFFFF, now, anchor).position


def test_a_track_begins_when_it_came() -> None:
    _, video = clocks()
    assert placed(video, 77, START + 0.5) == 45000
    assert placed(video, 3077, START + 0.5 + 1 / 30) == 48000


def test_timestamps_wrap() -> None:
    _, video = clocks()
    first = 2**32 - 4500
    positions = [placed(video, first + 3000 * n, START + n / 30) for n in range(5)]
    assert positions == [0, 3000, 6000, 9000, 12000]


def test_a_late_frame_keeps_its_distance() -> None:
    """The network's jitter is none of the frames'."""
    _, video = clocks()
    placed(video, 0, START)
    late = [video.place(3000 * n, START + 2) for n in range(1, 60)]
    assert late[0].position is None
    last = video.place(180000, START + 2.01)
    assert last.position == 180000
    assert [placement.position for placement in late] == [
        3000 * n for n in range(1, 60)
    ]


def test_frames_that_stay_late_were_taken_later() -> None:
    _, video = clocks()
    placed(video, 0, START)
    late = [video.place(3000 * n, START + 2 + n / 30) for n in range(1, 30)]
    assert late[0].position == pytest.approx(183000, abs=1)
    assert late[-1].position == pytest.approx(180000 + 87000, abs=1)


def test_frames_do_not_wait_for_later_ones_for_ever() -> None:
    _, video = clocks()
    placed(video, 0, START)
    late = video.place(3000, START + 2)
    video.settle(START + 2 + MAX_DECISION / 2)
    assert late.position is None
    video.settle(START + 2 + MAX_DECISION)
    assert late.position == 180000


def test_a_report_tells_that_frames_were_delayed() -> None:
    audio, video = clocks()
    placed(audio, 0, START, sent(0, 0))
    placed(video, 0, START, sent(0, 0))
    late = video.place(3000, START + 1, sent(0, 0))
    assert late.position is None
    # The clock is as it was.
    next_ = video.place(6000, START + 1.01, sent(1.01, 90900, START + 1.01))
    assert [late.position, next_.position] == [3000, 6000]


def test_a_report_tells_that_frames_were_taken_later() -> None:
    audio, video = clocks()
    placed(audio, 0, START, sent(0, 0))
    placed(video, 0, START, sent(0, 0))
    late = video.place(3000, START + 1, sent(0, 0))
    next_ = video.place(6000, START + 1.034, sent(1, 3000, START + 1.01))
    assert [late.position, next_.position] == [90000, 93000]


def test_a_frame_from_before_a_pause_is_not_moved() -> None:
    """Without markers, it is complete only when the first one after the pause comes."""
    audio, video = clocks()
    placed(audio, 0, START, sent(0, 0))
    placed(video, 0, START, sent(0, 0))
    after = sent(1, 6000, START + 1)
    assert placed(video, 3000, START + 1 / 30, after) == 3000
    assert placed(video, 6000, START + 1, after) == 90000


def test_a_report_from_within_a_stall_does_not_undo_it() -> None:
    """Its sender goes on counting, and the timestamps of its frames do not."""
    audio, video = clocks()
    placed(audio, 0, START, sent(0, 0))
    placed(video, 0, START, sent(0, 0))
    within = sent(1, 90000, START + 1)
    late = [video.place(3000 * n, START + 2 + n / 30, within) for n in range(1, 90)]
    assert late[0].position == pytest.approx(183000, abs=1)
    assert late[-1].position == pytest.approx(180000 + 3000 * 89, abs=1)


@pytest.mark.parametrize("timestamp", [123456789, 2**31 + 9, 0])
def test_a_source_that_counts_from_elsewhere_goes_on_by_its_arrival(
    timestamp: int,
) -> None:
    _, video = clocks()
    placed(video, 2**30, START)
    placed(video, 2**30 + 3000, START + 1 / 30)
    assert placed(video, timestamp, START + 2) == 180000
    assert placed(video, timestamp + 3000, START + 2 + 1 / 30) == 183000


@pytest.mark.parametrize("leap", [1.0, 4.0, 30.0])
def test_timestamps_that_leap_while_frames_come_evenly(leap: float) -> None:
    for clock in clocks():
        ticks = clock.rate // 50
        for n in range(300):
            position = placed(clock, ticks * n, START + n / 50)
            assert position == ticks * n
        for n in range(300, 400):
            timestamp = ticks * n + round(leap * clock.rate)
            position = placed(clock, timestamp, START + n / 50)
            assert position == pytest.approx(ticks * n, abs=clock.rate / 100)


def test_another_source_goes_on_by_its_arrival() -> None:
    _, video = clocks()
    placed(video, 0, START)
    video.restart()
    # So near that it could be the same one's.
    assert placed(video, 3, START + 1) == 90000


def test_another_source_does_not_lose_frames_that_wait() -> None:
    _, video = clocks()
    placed(video, 0, START)
    late = video.place(3000, START + 1)
    video.restart()
    assert late.position == 90000
    assert placed(video, 77, START + 1.5) == 135000


def test_positions_only_grow() -> None:
    _, video = clocks()
    placed(video, 9000, START)
    assert placed(video, 9000, START) == 90
    assert placed(video, 6000, START) == 180
    video.restart()
    assert placed(video, 7, START - 1) == 270


def test_pictures_are_moved_to_the_sound_by_the_sender_s_clock() -> None:
    """The sender took both at once; the picture took 300 ms longer to come."""
    audio, video = clocks()
    assert placed(audio, 500, START, sent(10, 500)) == 0
    assert placed(video, 9000, START + 0.3) == 27000
    report = sent(10, 9000)
    positions = [
        placed(video, 9000 + 3000 * n, START + 0.3 + n / 30, report)
        for n in range(1, 30)
    ]
    # At first at twice the speed, then where they belong.
    assert positions[0] == 27000 + 1500
    assert positions[17:] == [3000 * n for n in range(18, 30)]
    # Sound is not moved.
    assert placed(audio, 500 + 48000, START + 1.02, sent(11, 48500)) == 48000


def test_pictures_that_came_too_early_are_moved_at_once() -> None:
    audio, video = clocks()
    assert placed(video, 9000, START) == 0
    assert placed(audio, 500, START + 0.3, sent(10, 500)) == 14400
    assert placed(video, 12000, START + 1 / 30, sent(10, 9000)) == 27000 + 3000


def test_sound_is_not_moved_back() -> None:
    """Its first packet came late. Pictures are moved instead."""
    audio, video = clocks()
    assert placed(audio, 0, START + 0.2) == 9600
    assert placed(audio, 960, START + 0.02, sent(0, 0)) == 9600 + 960
    assert placed(video, 0, START, sent(0, 0)) == 18000


def test_drift_of_the_sound_is_followed() -> None:
    """Its clock is 0.1 % too quick: a minute of it is 60 ms short."""
    audio, video = clocks()
    worst = 0.0
    for frame in range(60 * 50):
        second = frame / 50
        report = frame // 50
        quick = round(48048 * second)
        came = START + report
        heard = sent(report, 48048 * report, came)
        seen = sent(report, 90000 * report, came)
        sound = placed(audio, quick, START + second, heard)
        ticks = round(90000 * second)
        picture = placed(video, ticks, START + second, seen)
        assert sound is not None
        assert picture is not None
        assert sound == quick
        worst = max(worst, abs(sound / 48000 - picture / 90000))
    assert worst < 0.01


def test_small_differences_do_not_move_pictures() -> None:
    audio, video = clocks()
    placed(audio, 0, START, sent(10, 0))
    placed(video, 0, START)
    for n in range(1, 20):
        report = sent(10 + 0.004 * (-1) ** n, 0, START + n / 30)
        assert placed(video, 3000 * n, START + n / 30, report) == 3000 * n


def test_reports_of_pictures_alone_move_nothing() -> None:
    _, video = clocks()
    placed(video, 0, START)
    assert placed(video, 3000, START + 1 / 30, sent(99, 0)) == 3000


def test_reports_that_are_no_longer_trusted() -> None:
    """Then there is only the arrival."""
    audio, video = clocks()
    placed(audio, 0, START, sent(0, 0))
    placed(video, 0, START + 0.3, sent(0, 0))
    assert placed(audio, 960, START + 0.02) == 960
    for n in range(1, 120):
        placed(audio, 960 * (n + 1), START + 0.02 * (n + 1))
        position = placed(video, 3000 * n, START + 0.3 + n / 30, sent(0, 0))
    assert position == 27000 + 3000 * 119


def test_pictures_sent_faster_than_in_real_time_keep_their_distances() -> None:
    _, video = clocks()
    positions = [placed(video, 3000 * n, START + n / 300) for n in range(900)]
    assert positions == [3000 * n for n in range(900)]


@settings(deadline=None)
@given(
    frames=st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 2**32 - 1) | st.integers(0, 300_000),
            st.sampled_from([0.0, 0.02, 0.1, 1.0, 70.0]),
            st.none() | st.floats(-1e5, 1e5),
            st.integers(0, 2**32 - 1) | st.integers(0, 300_000),
            st.sampled_from(["", "restart", "settle"]),
        )
    )
)
def test_whatever_comes_has_a_position(
    frames: list[tuple[bool, int, float, float | None, int, str]],
) -> None:
    audio, video = clocks()
    places: dict[TrackClock, list[Placement]] = {audio: [], video: []}
    now = START
    for is_audio, timestamp, elapsed, moment, ticks, then in frames:
        now += elapsed
        clock = audio if is_audio else video
        anchor = None if moment is None else sent(moment, ticks, now)
        places[clock].append(clock.place(timestamp, now, anchor))
        if then == "restart":
            clock.restart()
        elif then == "settle":
            clock.settle(now)
    for clock in (audio, video):
        clock.settle(float("inf"))
    for placements in places.values():
        for before, after in pairwise(placements):
            assert before.position is not None
            assert after.position is not None
            # A B-frame keeps its distance; all others come later.
            step = after.position - before.position
            assert step > 0 or step == after.step
