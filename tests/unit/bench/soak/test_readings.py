"""Whether a server is as it was before."""

import pytest

from bench.soak.census import Census
from bench.soak.process import Reading
from bench.soak.readings import (
    MAX_GROWTH,
    MAX_SLOPE,
    MIN_READINGS,
    SPARE_OBJECTS,
    SPARE_THREADS,
    SPARE_TIMERS,
    growth,
    leftovers,
    slope,
)

MB = 1_000_000


def reading(
    minute: float = 0.0,
    private: float = 80 * MB,
    *,
    sessions: int = 0,
    sockets: int = 7,
    tasks: int = 1,
    timers: int = 0,
    threads: int = 3,
    objects: dict[str, int] | None = None,
) -> Reading:
    census = Census(0, tasks, timers, threads, 0, 0, 0, 0, objects or {})
    return Reading(minute * 60, 0, 0, int(private), 20, sockets, sessions, census)


def test_the_slope_is_that_of_most_pairs() -> None:
    rising = [reading(n, 80 * MB + 100_000 * n) for n in range(10)]
    assert slope(rising) == pytest.approx(100_000)
    peak = [*rising[:5], reading(5, 200 * MB), *rising[6:]]
    assert slope(peak) == pytest.approx(100_000, rel=0.05)
    assert slope([reading(n) for n in range(3)]) == 0


def test_a_server_that_grows_all_the_time() -> None:
    leaking = [reading(n, 80 * MB + 2 * MAX_SLOPE * n) for n in range(MIN_READINGS)]
    assert "a minute" in growth(leaking)[0]
    steady = [reading(n, 80 * MB + n % 2 * MB) for n in range(MIN_READINGS)]
    assert not growth(steady)


def test_a_server_that_has_grown() -> None:
    """Two readings say nothing of a slope."""
    assert not growth([reading(), reading(1, 80 * MB + MAX_GROWTH)])
    assert growth([reading(), reading(1, 81 * MB + MAX_GROWTH)])


def test_what_is_left_is_named() -> None:
    base = reading()
    assert not leftovers(base, reading(1, 90 * MB))
    assert leftovers(base, reading(sessions=1)) == ["sessions: 1, 0 before"]
    assert leftovers(base, reading(sockets=8, tasks=3)) == [
        "sockets: 8, 7 before",
        "tasks: 3, 1 before",
    ]
    assert not leftovers(base, reading(sockets=6))


def test_timers_that_stay() -> None:
    base = reading(timers=2)
    assert not leftovers(base, reading(timers=2 + SPARE_TIMERS))
    assert leftovers(base, reading(timers=3 + SPARE_TIMERS)) == [
        f"timers: {3 + SPARE_TIMERS}, 2 before"
    ]


def test_threads_and_objects_that_are_kept() -> None:
    base = reading(objects={"a.B": 5})
    assert not leftovers(base, reading(threads=3 + SPARE_THREADS))
    assert leftovers(base, reading(threads=4 + SPARE_THREADS))
    assert not leftovers(base, reading(objects={"a.B": 5 + SPARE_OBJECTS}))
    assert leftovers(base, reading(objects={"a.C": 1 + SPARE_OBJECTS}))
