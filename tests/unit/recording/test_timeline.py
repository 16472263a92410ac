"""RTP timestamps on one time line."""

import pytest

from whipbird.recording.timeline import Timeline, TrackClock

START = 1000.0
NTP = 3_900_000_000


def clocks() -> tuple[TrackClock, TrackClock]:
    timeline = Timeline(START)
    return (
        TrackClock(timeline, 48000, is_reference=True),
        TrackClock(timeline, 90000, is_reference=False),
    )


def sent(seconds: float, timestamp: int) -> tuple[int, int]:
    """A sender report."""
    return round((NTP + seconds) * (1 << 32)), timestamp & 0xFFFFFFFF


def test_a_track_begins_when_it_came() -> None:
    _, video = clocks()
    assert video.place(77, START + 0.5) == 45000
    assert video.place(3077, START + 0.9) == 48000


def test_timestamps_wrap() -> None:
    _, video = clocks()
    first = 2**32 - 4500
    positions = [
        video.place((first + 3000 * n) % 2**32, START + n / 30) for n in range(5)
    ]
    assert positions == [0, 3000, 6000, 9000, 12000]


def test_a_late_frame_keeps_its_distance() -> None:
    """The network's jitter is none of the frames'."""
    _, video = clocks()
    video.place(0, START)
    assert video.place(3000, START + 2) == 3000
    assert video.place(6000, START + 2) == 6000


@pytest.mark.parametrize("timestamp", [123456789, 2**31 + 9, 0])
def test_a_source_that_counts_from_elsewhere_goes_on_by_its_arrival(
    timestamp: int,
) -> None:
    _, video = clocks()
    video.place(2**30, START)
    video.place(2**30 + 3000, START + 1 / 30)
    assert video.place(timestamp, START + 2) == 180000
    assert video.place(timestamp + 3000, START + 2.1) == 183000


def test_another_source_goes_on_by_its_arrival() -> None:
    _, video = clocks()
    video.place(0, START)
    video.restart()
    # So near that it could be the same one's.
    assert video.place(3, START + 1) == 90000


def test_positions_only_grow() -> None:
    _, video = clocks()
    video.place(9000, START)
    assert video.place(9000, START) == 90
    assert video.place(6000, START) == 180
    video.restart()
    assert video.place(7, START - 1) == 270


def test_pictures_are_moved_to_the_sound_by_the_sender_s_clock() -> None:
    """The sender took both at once; the picture took 300 ms longer to come."""
    audio, video = clocks()
    assert audio.place(500, START, sent(10, 500)) == 0
    assert video.place(9000, START + 0.3) == 27000
    report = sent(10, 9000)
    positions = [
        video.place(9000 + 3000 * n, START + 0.3 + n / 30, report) for n in range(1, 30)
    ]
    # At first at twice the speed, then where they belong.
    assert positions[0] == 27000 + 1500
    assert positions[17:] == [3000 * n for n in range(18, 30)]
    # Sound is never moved.
    assert audio.place(500 + 960, START + 0.5, sent(11, 500)) == 960


def test_pictures_that_came_too_early_are_moved_at_once() -> None:
    audio, video = clocks()
    assert video.place(9000, START) == 0
    assert audio.place(500, START + 0.3, sent(10, 500)) == 14400
    assert video.place(12000, START + 1 / 30, sent(10, 9000)) == 27000 + 3000


def test_drift_of_the_sound_is_followed() -> None:
    """Its clock is 0.1 % too quick: a minute of it is 60 ms short."""
    audio, video = clocks()
    worst = 0.0
    for second in range(60):
        quick = round(48048 * second)
        sound = audio.place(quick, START + second, sent(second, quick)) / 48000
        ticks = 90000 * second
        picture = video.place(ticks, START + second, sent(second, ticks)) / 90000
        worst = max(worst, abs(sound - picture))
    assert worst < 0.01


def test_small_differences_do_not_move_pictures() -> None:
    audio, video = clocks()
    audio.place(0, START, sent(10, 0))
    video.place(0, START)
    for n in range(1, 20):
        report = sent(10 + 0.004 * (-1) ** n, 0)
        assert video.place(3000 * n, START + n / 30, report) == 3000 * n


@pytest.mark.parametrize("seconds", [-1000.0, 4.0, 1e6])
def test_a_sender_whose_clocks_have_nothing_in_common(seconds: float) -> None:
    """Then there is only the arrival."""
    audio, video = clocks()
    audio.place(0, START, sent(10, 0))
    video.place(0, START)
    assert video.place(3000, START + 1 / 30, sent(10 + seconds, 0)) == 3000


def test_reports_of_pictures_alone_move_nothing() -> None:
    _, video = clocks()
    video.place(0, START)
    assert video.place(3000, START + 1 / 30, sent(99, 0)) == 3000
