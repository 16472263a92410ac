"""Timestamps for viewers, whatever a source's clock does in a pause."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random

import pytest

from whipbird.media.viewer_clock import LATE, ViewerClock

# Seconds: when the pause begins, and for how long there are frames behind it.
BEGIN, AFTER = 5.0, 60.0

KINDS = {"video": (90_000, 1 / 25), "audio": (48_000, 0.02)}
STALLS = (0.2, 1.0, 3.0, 8.0, 20.0, 60.0)

# Of a frame: its time in the source's clock, and when it comes.
Frame = tuple[float, float]


def stalled(step: float, stall: float, jump: float) -> list[Frame]:
    """No frames in a pause, in which the clock goes on by `jump` seconds."""
    before = [(n * step, n * step) for n in range(round(BEGIN / step))]
    pause = round(stall / step) * step
    return before + [
        (BEGIN + jump + n * step, BEGIN + pause + n * step)
        for n in range(round(AFTER / step))
    ]


def held_up(step: float, stall: float, speed: float) -> list[Frame]:
    """All frames, of which those of the pause come at so many times their rate."""
    frames = []
    for n in range(round((BEGIN + stall + AFTER) / step)):
        time = n * step
        caught_up = BEGIN + stall + (time - BEGIN) / speed
        frames.append((time, max(time, caught_up) if time >= BEGIN else time))
    return frames


def shown(
    kind: str,
    frames: Iterable[Frame],
    jitter: Callable[[], float] = lambda: 0.0,
    first: int = 2**32 - 90_000,
) -> list[Frame]:
    """The frames as viewers get them: their times count from the first frame's."""
    rate, _ = KINDS[kind]
    clock = ViewerClock(rate, is_video=kind == "video")
    found = []
    for time, arrival in frames:
        ticks = round(time * rate)
        clock.frame((first + ticks) % 2**32, arrival + jitter())
        found.append(((ticks + clock.shift) / rate, arrival))
    return found


def delays(frames: Iterable[Frame], since: float) -> list[float]:
    """Seconds by which frames come later than their timestamps say."""
    return [arrival - time for time, arrival in frames if arrival >= since]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stall", STALLS)
def test_a_clock_that_is_true_is_left_alone(kind: str, stall: float) -> None:
    step = KINDS[kind][1]
    pause = round(stall / step) * step
    frames = stalled(step, stall, pause)
    assert max(map(abs, delays(shown(kind, frames), 0))) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stall", STALLS[1:])
@pytest.mark.parametrize("jump", [0.0, -1.5, 0.3])
def test_a_clock_that_does_not_show_the_pause(
    kind: str, stall: float, jump: float
) -> None:
    """From the first frame on, nothing is late."""
    found = shown(kind, stalled(KINDS[kind][1], stall, jump))
    if stall - jump > LATE:
        late = delays(found, BEGIN + stall - 0.1)
        assert max(map(abs, late)) < 0.05
        assert max(late) - min(late) < 1e-3
    assert all(after > before for (before, _), (after, _) in pairwise(found))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stall", STALLS)
def test_a_clock_that_leaps_ahead(kind: str, stall: float) -> None:
    step = KINDS[kind][1]
    found = shown(kind, stalled(step, stall, round(stall / step) * step + 1.5))
    late = delays(found, BEGIN + stall - 0.1)
    assert max(map(abs, late)) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_back_without_a_pause(kind: str) -> None:
    """Frames that are shown before others are pictures in decoding order, at first."""
    step = KINDS[kind][1]
    found = shown(kind, stalled(step, step, -1.5))
    assert max(map(abs, delays(found, BEGIN + 1.5))) < 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stall", [1.0, 3.0, 8.0, 20.0])
@pytest.mark.parametrize("speed", [1.2, 1.5, 2.0, 3.0, 6.0, 1000.0])
def test_what_was_held_up_is_played_as_it_comes(
    kind: str, stall: float, speed: float
) -> None:
    """It is neither late nor kept for later, and in the end all is as before."""
    frames = held_up(KINDS[kind][1], stall, speed)
    found = shown(kind, frames)
    late = delays(found, 0)
    assert max(late) <= LATE
    # Many at once have a millisecond each.
    assert min(late) >= -0.3 - 0.001 * stall / KINDS[kind][1]
    assert all(after > before for (before, _), (after, _) in pairwise(found))
    caught_up = BEGIN + stall / (1 - 1 / speed) + 2
    assert all(-0.21 < late < 0.05 for late in delays(found, caught_up))
    if kind == "video":
        assert all(-0.03 < late < 0.05 for late in delays(found, caught_up))


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_by_and_by(kind: str) -> None:
    """Frames of 4 s in real time, 8 s late, and then the others at once."""
    step = KINDS[kind][1]
    frames = []
    for n in range(round(30 / step)):
        time = n * step
        if BEGIN <= time < BEGIN + 4:
            frames.append((time, time + 8))
        else:
            frames.append((time, max(time, BEGIN + 12 if time > BEGIN else 0)))
    late = delays(shown(kind, frames), BEGIN + 14)
    assert all(-0.21 < one < 0.05 for one in late)


@pytest.mark.parametrize("kind", KINDS)
def test_jitter_is_for_players(kind: str) -> None:
    """What is not late by much is as it is, before a pause and behind it."""
    step = KINDS[kind][1]
    random = Random(1)
    frames = stalled(step, 8.0, 0.0)
    found = shown(kind, frames, lambda: random.uniform(0, 0.15))
    before = [frame for frame in frames if frame[1] < BEGIN]
    assert max(map(abs, delays(found[: len(before)], 0))) < 1e-4
    late = delays(found, BEGIN + 7.9)
    # The first frame may have come late, and what is too soon is taken back then.
    assert max(late) - min(late) < 0.16


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])
def test_a_clock_that_drifts_is_followed(drift: float) -> None:
    """For an hour, by 0.72 s."""
    clock = ViewerClock(90_000, is_video=True)
    for n in range(25 * 3600):
        clock.frame(round(n * 3600 * (1 + drift)) % 2**32, n * 0.04)
        assert clock.shift == 0


def test_pictures_in_decoding_order() -> None:
    """16 pictures are shown before the one that they need."""
    clock = ViewerClock(90_000, is_video=True)
    for group in range(100):
        first = group * 17
        for n, shown_at in enumerate((16, *range(16))):
            clock.frame((first + shown_at) * 3600, (first + n) * 0.04)
            assert clock.shift == 0


def test_a_report_has_the_shift_of_its_time() -> None:
    clock = ViewerClock(90_000, is_video=True)
    for n in range(125):
        clock.frame(n * 3600, n * 0.04)
    # Nothing comes for 8 s, and then again for 3 s.
    for n in range(100):
        clock.frame((125 + n) * 3600, 13 + n * 0.04)
    first = clock.shift
    assert first == pytest.approx(8 * 90_000, abs=3600)
    assert [clock.shift_at(at) for at in (4.8, 5.2, 12.9, 13.5)] == [0, 0, first, first]
    assert clock.shift_at(None) == first
    for n in range(100):
        clock.frame((225 + n) * 3600, 20 + n * 0.04)
    second = clock.shift
    assert second == pytest.approx(11 * 90_000, abs=3600)
    assert [clock.shift_at(at) for at in (4.8, 13.5, 20.1)] == [0, first, second]
