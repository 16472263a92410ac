"""When a stream is pulled, and when that is tried again, in virtual time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whipbird.upstream.pull import (
    FIRST_PAUSE,
    LINGER,
    LONGEST_ASKED,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    REOPENING,
    STABLE,
    Failure,
    Pull,
    PullState,
)

UNREACHABLE = Failure(PullState.UNREACHABLE, "nobody there")
REFUSED = Failure(PullState.REFUSED, "401 Token required", 401)
NOBODY = Failure(PullState.WAITING, "404 No such stream", 404)
LEFT = Failure(PullState.WAITING, "the origin's publisher has left", is_over=True)


class Sink:
    """What a pull has asked for, and the states that it has told."""

    def __init__(self, chance: float = 0.5) -> None:
        self.asked: list[str] = []
        self.states: list[PullState] = []
        self.pull = Pull(self, lambda: chance)

    def open_session(self) -> None:
        self.asked.append("open")

    def close_session(self) -> None:
        self.asked.append("close")

    def state_changed(self) -> None:
        self.states.append(self.pull.state)


def pause_of(pull: Pull, failure: Failure, now: float) -> float:
    """Let a session end, and return the seconds until the next one."""
    assert pull.is_open
    pull.ended(failure, now)
    assert not pull.is_open
    return pull.deadline - now


def pauses(pull: Pull, failure: Failure, count: int) -> list[float]:
    """Those between attempts that all fail in the same way."""
    now, found = 0.0, []
    for _ in range(count):
        found.append(pause_of(pull, failure, now))
        now = pull.deadline
        pull.handle_timeout(now)
    return found


def test_it_is_pulled_while_it_has_viewers() -> None:
    sink = Sink()
    pull = sink.pull
    assert pull.is_over(0)
    pull.viewers_changed(1, 10.0)
    assert (sink.asked, pull.deadline) == (["open"], math.inf)
    pull.connected(10.1)
    pull.media_began()
    pull.viewers_changed(2, 11.0)
    pull.viewers_changed(0, 12.0)
    assert pull.deadline == 12.0 + LINGER
    pull.handle_timeout(12.0 + LINGER - 0.01)
    assert sink.asked == ["open"]
    pull.handle_timeout(12.0 + LINGER)
    assert sink.asked == ["open", "close"]
    assert pull.is_over(12.0 + LINGER)
    assert sink.states == [PullState.LIVE, PullState.CONNECTING]


def test_a_viewer_that_comes_back_soon_finds_it() -> None:
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pull.viewers_changed(0, 1.0)
    pull.viewers_changed(1, 1.0 + LINGER / 2)
    pull.handle_timeout(100.0)
    assert sink.asked == ["open"]


def test_it_is_let_go_while_it_is_published_here() -> None:
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pull.connected(0.1)
    pull.media_began()
    pull.published_here(True, 5.0)
    assert (sink.asked, pull.state) == (["open", "close"], PullState.OFF)
    pull.handle_timeout(50.0)
    assert pull.deadline == math.inf
    assert not pull.is_over(50.0)
    pull.published_here(False, 60.0)
    assert sink.asked == ["open", "close", "open"]
    assert pull.state is PullState.CONNECTING


def test_published_here_before_it_is_wanted() -> None:
    sink = Sink()
    sink.pull.published_here(True, 0.0)
    sink.pull.viewers_changed(1, 1.0)
    assert sink.asked == []
    sink.pull.viewers_changed(0, 2.0)
    assert sink.pull.is_over(2.0)


@pytest.mark.parametrize(
    ("failure", "longest", "growth"),
    [
        (UNREACHABLE, LONGEST_WAIT, 2.0),
        (NOBODY, LONGEST_WAIT, 1.5),
        (REFUSED, LONGEST_PAUSE, 2.0),
    ],
)
def test_pauses_grow_to_a_bound(
    failure: Failure, longest: float, growth: float
) -> None:
    sink = Sink()
    sink.pull.viewers_changed(1, 0.0)
    found = pauses(sink.pull, failure, 40)
    assert found[0] == pytest.approx(FIRST_PAUSE)
    assert found[1] == pytest.approx(FIRST_PAUSE * growth)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(longest)
    # Viewers hear of the state once, however often the origin is tried.
    assert sink.states == [failure.state]
    assert sink.pull.attempts == 40


def test_nodes_ask_at_different_times() -> None:
    early, late = Sink(0.0), Sink(1.0)
    for sink in (early, late):
        sink.pull.viewers_changed(1, 0.0)
    assert pause_of(early.pull, UNREACHABLE, 0.0) == FIRST_PAUSE * 0.75
    assert pause_of(late.pull, UNREACHABLE, 0.0) == FIRST_PAUSE * 1.25


@given(
    asked=st.floats(0, 1e9, allow_nan=False), chance=st.floats(0, 1, allow_nan=False)
)
def test_what_the_origin_asks_for(asked: float, chance: float) -> None:
    """It is never asked sooner, and not left alone for ever."""
    sink = Sink(chance)
    sink.pull.viewers_changed(1, 0.0)
    failure = Failure(PullState.UNREACHABLE, "full", 503, retry_after=asked)
    pause = pause_of(sink.pull, failure, 0.0)
    assert (
        min(asked, LONGEST_ASKED) <= pause <= max(LONGEST_ASKED, LONGEST_PAUSE) * 1.25
    )


def test_a_session_that_lasted_begins_the_pauses_anew() -> None:
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pauses(pull, UNREACHABLE, 10)
    now = 1000.0
    pull.connected(now)
    assert pause_of(pull, UNREACHABLE, now + STABLE) == pytest.approx(FIRST_PAUSE)


def test_one_that_did_not_last_does_not() -> None:
    """An origin that accepts everybody and then fails is not flooded."""
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pauses(pull, UNREACHABLE, 10)
    pull.connected(1000.0)
    pull.media_began()
    longest = pytest.approx(LONGEST_WAIT)
    assert pause_of(pull, UNREACHABLE, 1000.0 + STABLE / 2) == longest


def test_when_the_publisher_of_the_origin_leaves_it_waits_for_the_next() -> None:
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pull.connected(0.1)
    pull.media_began()
    assert pause_of(pull, LEFT, 1.0) <= REOPENING
    assert pull.attempts == 0
    pull.handle_timeout(1.0 + REOPENING)
    pull.connected(2.0)
    pull.nothing_came()
    assert sink.states == [PullState.LIVE, PullState.WAITING, PullState.WAITING]
    pull.media_began()
    assert pull.state is PullState.LIVE
    assert pull.failure is None


def test_without_viewers_the_pause_is_kept() -> None:
    """Who asks for a name again and again does not make us ask the origin as often."""
    sink = Sink()
    pull = sink.pull
    pull.viewers_changed(1, 0.0)
    pull.ended(UNREACHABLE, 1.0)
    pull.viewers_changed(0, 1.1)
    assert not pull.is_over(1.2)
    pull.viewers_changed(1, 1.2)
    assert sink.asked == ["open"]
    pull.viewers_changed(0, 1.3)
    assert pull.deadline == 1.0 + FIRST_PAUSE
    assert pull.is_over(1.0 + FIRST_PAUSE)


STEPS = st.sampled_from(
    ["+1", "-1", "here", "gone", "connected", "media", "fail", "left", "time"]
)


@given(st.lists(st.tuples(STEPS, st.floats(0, 20, allow_nan=False))))
def test_whatever_happens(steps: list[tuple[str, float]]) -> None:
    """One session at most; none without a wish for it; no wish is forgotten."""
    sink = Sink()
    pull, now, viewers, is_here = sink.pull, 0.0, 0, False
    for step, passed in steps:
        now += passed
        match step:
            case "+1" | "-1":
                viewers = max(0, viewers + int(step))
                pull.viewers_changed(viewers, now)
            case "here" | "gone":
                is_here = step == "here"
                pull.published_here(is_here, now)
            case "connected" if pull.is_open:
                pull.connected(now)
            case "media" if pull.is_open:
                pull.media_began()
            case "fail" | "left" if pull.is_open:
                pull.ended(LEFT if step == "left" else UNREACHABLE, now)
            case _:
                pull.handle_timeout(now)
        opened = sink.asked.count("open")
        assert sink.asked.count("close") <= opened
        if is_here:
            assert not pull.is_open
        elif viewers:
            assert pull.is_open or pull.deadline < math.inf
        elif pull.is_open:
            assert pull.deadline <= now + LINGER
