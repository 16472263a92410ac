"""The relay's path: each impairment alone."""

from itertools import pairwise

import pytest

from bench.loss.way import QUEUE, Impairment, Way

SIZE, COUNT = 1228, 4000


def departures(way: Way, interval: float = 0.001) -> list[float | None]:
    """When datagrams leave that are put in one after another, from 100 s on."""
    return [way.departure(SIZE, True, 100 + n * interval) for n in range(COUNT)]


def way(impairment: Impairment, seed: str = "1/down") -> Way:
    made = Way(seed)
    made.change(impairment)
    return made


def test_a_clean_path_delays_nothing() -> None:
    clean = way(Impairment())
    assert departures(clean, 0.5) == [100 + n * 0.5 for n in range(COUNT)]
    counters = clean.counters
    assert (counters.datagrams, counters.octets) == (COUNT, COUNT * SIZE)
    assert not counters.lost


def test_loss_is_random_and_of_the_seed() -> None:
    lossy = way(Impairment(loss=0.1))
    left = departures(lossy)
    assert lossy.counters.lost == left.count(None)
    assert left.count(None) / COUNT == pytest.approx(0.1, abs=0.02)
    assert left == departures(way(Impairment(loss=0.1)))
    assert left != departures(way(Impairment(loss=0.1), "2/down"))


def test_a_burst_takes_the_first_datagrams_of_a_second() -> None:
    left = departures(way(Impairment(burst=20)))
    lost = [n for n, when in enumerate(left) if when is None]
    assert lost == [1000 * second + n for second in range(4) for n in range(20)]


def test_delay_and_reordering() -> None:
    left = departures(way(Impairment(delay=0.025, reordering=0.05, hold_up=0.03)))
    delays = [when - 100 - n / 1000 for n, when in enumerate(left) if when is not None]
    assert len(delays) == COUNT
    assert min(delays) == pytest.approx(0.025)
    assert max(delays) == pytest.approx(0.055, abs=0.002)
    held_up = sum(delay > 0.0251 for delay in delays)
    assert held_up / COUNT == pytest.approx(0.05, abs=0.015)


def test_a_shorter_delay_does_not_reorder() -> None:
    changing = way(Impairment(delay=0.1))
    first = changing.departure(SIZE, True, 1.0)
    changing.change(Impairment())
    assert changing.departure(SIZE, True, 1.01) == first


def test_a_rate_makes_a_queue_which_overflows() -> None:
    thin = way(Impairment(rate=SIZE * 8 * 500))  # 500 datagrams a second of 1000
    left = [when for when in departures(thin) if when is not None]
    gaps = {round(b - a, 6) for a, b in pairwise(left)}
    assert gaps == {0.002}
    counters = thin.counters
    assert counters.overflowed == COUNT - len(left)
    assert counters.longest_wait <= QUEUE / (SIZE * 500)
    assert counters.longest_wait == pytest.approx(QUEUE / (SIZE * 500), rel=0.05)


def test_only_udp_is_lost() -> None:
    dead = way(Impairment(loss=1.0, burst=1, delay=0.05))
    assert dead.departure(SIZE, False, 1.0) == 1.05
    assert dead.departure(SIZE, True, 1.0) is None
    assert dead.counters.datagrams == 1
