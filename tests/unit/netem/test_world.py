"""The virtual clock and its events."""

import math

import pytest

from tests.netem.world import World


def test_events_run_in_the_order_of_their_times() -> None:
    world = World()
    seen: list[tuple[str, float]] = []
    for name, delay in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        world.call_later(delay, lambda name=name: seen.append((name, world.now)))
    world.run_for(2.5)
    assert seen == [("a", 1.0), ("b", 2.0)]
    assert world.now == 2.5
    world.run_for(1)
    assert seen[-1] == ("c", 3.0)
    assert world.events == 3


def test_events_of_one_time_run_in_the_order_in_which_they_were_scheduled() -> None:
    world = World()
    seen: list[int] = []
    for number in range(100):
        world.call_at(1.0, seen.append, number)
    world.run_for(1)
    assert seen == list(range(100))


def test_an_event_may_schedule_more() -> None:
    world = World()
    times: list[float] = []

    def tick() -> None:
        times.append(world.now)
        world.call_later(1.0, tick)

    tick()
    world.run_for(3)
    assert times == [0, 1, 2, 3]


def test_what_is_due_in_the_past_runs_now() -> None:
    world = World()
    world.run_for(5)
    times: list[float] = []
    world.call_at(1.0, lambda: times.append(world.now))
    world.run_for(0)
    assert times == [5.0]


def test_a_cancelled_timer_does_not_run() -> None:
    world = World()
    timer = world.call_later(1, pytest.fail)
    assert timer.is_pending
    timer.cancel()
    timer.cancel()
    assert not timer.is_pending
    assert world.next_event == math.inf
    world.run_for(2)
    assert world.events == 0


def test_cancelling_a_timer_that_has_run_does_nothing() -> None:
    world = World()
    timer = world.call_later(1, lambda: None)
    world.run_for(2)
    timer.cancel()
    assert not timer.is_pending


def test_timers_that_are_set_and_cancelled_again_and_again_take_no_memory() -> None:
    world = World()
    timer = world.call_later(30, pytest.fail)
    for _ in range(10_000):
        timer.cancel()
        timer = world.call_later(30, lambda: None)
    assert len(world._heap) < 200
    world.run_for(31)
    assert world.events == 1


def test_run_until_ends_with_the_event_that_makes_the_condition_hold() -> None:
    world = World()
    seen: list[int] = []
    for number in range(5):
        world.call_later(number, seen.append, number)
    world.run_until(lambda: 2 in seen, limit=10)
    assert world.now == 2.0
    assert seen == [0, 1, 2]


def test_run_until_does_not_run_anything_when_the_condition_holds() -> None:
    world = World()
    world.call_later(0, pytest.fail)
    world.run_until(lambda: True, limit=1)


def test_a_limit_that_is_reached_names_the_seed() -> None:
    world = World(1234)
    with pytest.raises(TimeoutError, match=r"within 3 s.*NETEM_SEED=1234"):
        world.run_until(lambda: False, limit=3)
    assert world.now == 3.0


def test_an_error_in_an_event_names_the_seed_and_the_time() -> None:
    world = World(1234)

    def fail() -> None:
        raise ZeroDivisionError

    world.call_later(1.5, fail)
    with pytest.raises(ZeroDivisionError) as error:
        world.run_for(2)
    (note,) = error.value.__notes__
    assert "1.500 s" in note
    assert "NETEM_SEED=1234" in note


def test_randomness_derives_from_the_seed_and_from_a_name() -> None:
    def draw(seed: int, name: str) -> float:
        return World(seed).derive_rng(name).random()

    assert draw(1, "a") == draw(1, "a")
    assert len({draw(1, "a"), draw(1, "b"), draw(2, "a")}) == 3
    assert World(1).rng.random() == World(1).rng.random()


def test_a_step_goes_to_the_next_event_or_to_its_limit() -> None:
    world = World()
    seen: list[str] = []
    world.call_later(1, seen.append, "a")
    world.call_later(1, seen.append, "b")
    world.step(0.5)
    assert (world.now, seen) == (0.5, [])
    world.step(2)
    assert (world.now, seen) == (1.0, ["a"])
    world.step(2)
    world.step(2)
    assert (world.now, seen) == (2.0, ["a", "b"])


def test_time_that_does_not_go_on_is_an_error() -> None:
    world = World(9)

    def again() -> None:
        world.call_at(1.0, again)

    world.call_at(1.0, again)
    with pytest.raises(RuntimeError, match="does not go on") as error:
        world.run_for(2)
    assert "NETEM_SEED=9" in error.value.__notes__[0]
