"""Sound and pictures of one moment are together in a recording."""

from itertools import count
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.unit.recording.sending import (
    NTP,
    RATES,
    Saying,
    Track,
    difference,
    is_increasing,
    pause,
    send,
    silent,
    true,
)

# Seconds: what a viewer does not notice.
SYNC = 0.04
# ... and what remains where there is only the arrival: pictures take 0.13 s longer to
# come than sound, and smaller differences than 0.1 s are left alone.
BY_ARRIVAL = 0.25
NTP_OF_1970 = 2_208_988_800.0


def tracks(stalled: str, begin: float, seconds: float, **options: float) -> list[Track]:
    """Sound, and pictures that take longer to come; one of them stalls."""
    stalls = ((begin, begin + seconds),)
    return [
        Track(
            kind,
            stalls=stalls if kind == stalled else (),
            latency=0.02 if kind == "audio" else 0.15,
            jitter=options.get("jitter", 0.0),
        )
        for kind in RATES
    ]


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize(
    "seconds", [0.1, 0.4, 1.0, 2.5, 3.0, 4.0, 5.0, 5.1, 30.0, 60.0]
)
def test_a_stall_is_a_pause(kind: str, seconds: float) -> None:
    """RTP time goes on without a gap; from the first frame on it is right."""
    audio, video = tracks(kind, 10.0, seconds)
    send(audio, video, length=20.0 + seconds)
    assert difference(audio, video, 2.0) < SYNC
    stalled = audio if kind == "audio" else video
    assert pause(stalled, 10.0 + seconds) == pytest.approx(seconds, abs=SYNC)
    assert is_increasing(audio)
    assert is_increasing(video)


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("seconds", [0.4, 4.0, 60.0])
def test_rtp_time_that_goes_on_over_the_stall(kind: str, seconds: float) -> None:
    audio, video = tracks(kind, 10.0, seconds)
    audio.leaps = video.leaps = True
    send(audio, video, length=20.0 + seconds)
    assert difference(audio, video, 2.0) < SYNC
    stalled = audio if kind == "audio" else video
    assert pause(stalled, 10.0 + seconds) == pytest.approx(seconds, abs=SYNC)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    kind=st.sampled_from(list(RATES)),
    seconds=st.floats(0, 60),
    begin=st.floats(6, 9),
    jitter=st.sampled_from([0.0, 0.01, 0.03]),
    interval=st.sampled_from([1.0, 2.5, 5.0]),
    phases=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    within=st.booleans(),
    wraps_at=st.floats(0, 70),
    seed=st.integers(0, 1000),
)
def test_any_stall(
    kind: str,
    seconds: float,
    begin: float,
    jitter: float,
    interval: float,
    phases: tuple[float, float],
    within: bool,
    wraps_at: float,
    seed: int,
) -> None:
    """Right from the first frame after the first true report after the stall."""
    audio, video = tracks(kind, begin, seconds, jitter=jitter)
    end = begin + seconds
    length = end + 2 * interval + 2
    for track, phase in zip((audio, video), phases, strict=True):
        times = [(phase + n) * interval for n in range(int(length / interval))]
        if not within and track.kind == kind:
            times = [time for time in times if not begin <= time < end]
        track.reports = tuple(times)
        track.first = 2**32 - round(wraps_at * track.rate)
    send(audio, video, length=length, seed=seed)
    stalled = audio if kind == "audio" else video
    assert stalled.reports is not None
    reported = next(time for time in stalled.reports if time >= end)
    # A frame and a report are on their way for so long.
    began = max(reported, interval) + stalled.latency + jitter + 0.05
    assert difference(audio, video, began) < SYNC
    # Before that report it is by the arrival, if that shows a stall.
    if seconds > 2 * jitter + SYNC and begin > interval + 1:
        assert difference(audio, video, end) < SYNC + jitter
        assert pause(stalled, end) == pytest.approx(seconds, abs=SYNC + jitter)
    assert is_increasing(audio)
    assert is_increasing(video)


@pytest.mark.parametrize("before", [-0.001, 0.0, 0.001])
@pytest.mark.parametrize("kind", RATES)
def test_a_report_at_the_end_of_a_stall(kind: str, before: float) -> None:
    """It may come before the first frame, or after it."""
    audio, video = tracks(kind, 10.0, 4.0)
    for track in (audio, video):
        track.latency = 0.02
        track.reports = (1.0, 2.0, 14.0 - before, 15.0)
    send(audio, video, length=20.0)
    assert difference(audio, video, 3.0) < SYNC


@pytest.mark.parametrize("order", [(1.0, 3.0), (3.0, 1.0)])
def test_which_track_reports_first(order: tuple[float, float]) -> None:
    audio, video = tracks("audio", 5.0, 2.0)
    for track, begin in zip((audio, video), order, strict=True):
        track.reports = tuple(begin + 5 * n for n in range(5))
    send(audio, video, length=20.0)
    assert difference(audio, video, 3.2) < SYNC


@pytest.mark.parametrize("says", [true, silent])
@pytest.mark.parametrize("kinds", [("audio",), ("video",), ("audio", "video")])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 2.0, 4.0])
def test_packets_that_are_held_up_are_no_pause(
    says: Saying, kinds: tuple[str, ...], seconds: float
) -> None:
    """Nothing is missing: what waited comes quickly, and nothing is moved."""
    audio, video = tracks("", 0.0, 0.0)
    for track in (audio, video):
        track.report = says
        if track.kind in kinds:
            track.outages = ((10.0, 10.0 + seconds),)
    send(audio, video, length=20.0)
    for track in (audio, video):
        last = len(track.frames) - 1
        drift = track.error_at(last) - track.error_at(last // 4)
        assert drift == pytest.approx(0.0, abs=1e-3)
        longest = max(track.seconds(n + 1) - track.seconds(n) for n in range(90, last))
        assert longest < 0.05


@pytest.mark.parametrize("says", [true, silent])
@pytest.mark.parametrize(("seconds", "speed"), [(5.0, 2.0), (20.0, 3.0), (28.0, 10.0)])
def test_a_sender_that_catches_up(says: Saying, seconds: float, speed: float) -> None:
    """A frozen process, or a queue behind a slow link: nothing is missing either."""
    audio, video = tracks("", 0.0, 0.0)
    for track in (audio, video):
        track.report = says
        track.outages, track.speed = ((10.0, 10.0 + seconds),), speed
        track.reports = tuple(
            0.3 + n for n in range(60) if not 10 < 0.3 + n < 10 + seconds
        )
    send(audio, video, length=60.0)
    for track in (audio, video):
        last = len(track.frames) - 1
        assert track.error_at(last) - track.error_at(90) == pytest.approx(0.0, abs=0.1)
        longest = max(track.seconds(n + 1) - track.seconds(n) for n in range(90, last))
        assert longest < 0.2


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0, 4.0, 60.0])
def test_without_reports_it_is_right_by_arrival(kind: str, seconds: float) -> None:
    audio, video = tracks(kind, 10.0, seconds)
    audio.report = video.report = silent
    send(audio, video, length=20.0 + seconds)
    assert difference(audio, video, 0.0) < BY_ARRIVAL
    stalled = audio if kind == "audio" else video
    if seconds > BY_ARRIVAL:
        assert pause(stalled, 10.0 + seconds) == pytest.approx(seconds, abs=BY_ARRIVAL)


def test_without_reports_drift_is_bounded() -> None:
    """The sound's clock is 1 % slow: in 100 s it would be 1 s."""
    audio, video = tracks("", 0.0, 0.0)
    audio.report = video.report = silent
    slow = [(n * 0.5, n * 0.5 + 0.005) for n in range(1, 200)]
    audio.stalls = tuple(slow)
    send(audio, video, length=100.0)
    assert difference(audio, video, 0.0) < 0.35


def test_many_stalls() -> None:
    audio, video = tracks("", 0.0, 0.0)
    audio.stalls = tuple((5.0 * n, 5.0 * n + 0.7 * n) for n in range(1, 6))
    video.stalls = ((7.0, 8.5), (23.0, 24.0))
    send(audio, video, length=50.0)
    assert difference(audio, video, 2.0) < SYNC


def counted(rate: float) -> tuple[str, Saying]:
    def say(time: float, _timestamp: int) -> tuple[float, int]:
        return time, round(2**32 - 100_000 + time * 90_000 * rate)

    return f"counts at {rate}", say


def shifted(seconds: float) -> tuple[str, Saying]:
    def say(time: float, timestamp: int) -> tuple[float, int]:
        return time + seconds, timestamp

    return f"a clock of its own by {seconds}", say


def about() -> tuple[str, Saying]:
    random, numbers = Random(1), count(1)

    def say(time: float, timestamp: int) -> tuple[float, int]:
        return time, timestamp + next(numbers) * random.choice([-20_000, 30_000])

    return "jumps about", say


LIES = [
    *map(counted, (0.0, 0.5, 48 / 90, 0.98, 1.02, 1.5, 2.0)),
    *map(shifted, (-29_630.0, -3.0, -1.0, 1.0, 2.5, 2.9, 3.5, 1e6)),
    about(),
    ("0xFFFFFFFF", lambda time, _: (time, 0xFFFFFFFF)),
    ("NTP of 1970", lambda _, timestamp: (NTP_OF_1970 - NTP, timestamp)),
    ("NTP 0", lambda _, timestamp: (-NTP, timestamp)),
]


@pytest.mark.parametrize(
    "says", [say for _, say in LIES], ids=[name for name, _ in LIES]
)
@pytest.mark.parametrize("phase", [0.05, 0.9])
def test_reports_that_cannot_be_true(says: Saying, phase: float) -> None:
    """They move nothing in the end; then there is the arrival."""
    audio, video = tracks("", 0.0, 0.0)
    video.report = says
    video.reports = tuple(phase + n for n in range(40))
    send(audio, video, length=40.0)
    assert difference(audio, video, 0.0) < 1.2
    assert difference(audio, video, 7.0) < BY_ARRIVAL
    assert is_increasing(video)


@pytest.mark.parametrize("kind", RATES)
def test_a_first_report_that_cannot_be_true(kind: str) -> None:
    """As OBS sent it; the true ones after it are used."""

    def say(time: float, timestamp: int) -> tuple[float, int]:
        return time, (0xFFFFFFFF if time < 1 else timestamp)

    audio, video = tracks("", 0.0, 0.0)
    for track in (audio, video):
        track.first = 1_234_567_890
        track.report = say if track.kind == kind else true
    send(audio, video, length=10.0)
    assert difference(audio, video, 0.0) < BY_ARRIVAL
    assert difference(audio, video, 2.0) < SYNC


def test_two_clocks_that_are_close() -> None:
    """At first it could be the network; soon it cannot."""
    audio, video = tracks("", 0.0, 0.0)
    _, video.report = shifted(0.4)
    send(audio, video, length=20.0)
    assert difference(audio, video, 0.0) < 0.6
    assert difference(audio, video, 7.0) < BY_ARRIVAL


@pytest.mark.parametrize("step", [-3600.0, -1.0, 1.0, 3600.0])
def test_the_sender_s_clock_is_set(step: float) -> None:
    """It is one clock for both, before and after."""

    def say(time: float, timestamp: int) -> tuple[float, int]:
        return time + (step if time > 10 else 0.0), timestamp

    audio, video = tracks("", 0.0, 0.0)
    audio.report = video.report = say
    send(audio, video, length=20.0)
    assert difference(audio, video, 2.0) < BY_ARRIVAL
    assert difference(audio, video, 14.0) < SYNC
