"""A token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from whipbird.transport.budget import Budget


def test_a_burst_then_a_rate() -> None:
    budget = Budget(rate=8, burst=5)
    assert [budget.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not budget.take(100.0625)
    assert budget.take(100.125)
    assert not budget.take(100.125)
    assert [budget.take(200.0) for _ in range(7)] == [True] * 5 + [False] * 2


def test_a_cost_is_taken_whole_or_not_at_all() -> None:
    budget = Budget(rate=1, burst=10)
    assert budget.take(1.0, 8)
    assert not budget.take(1.0, 3)
    assert budget.take(1.0, 2)


def test_the_wait_until_there_is_enough() -> None:
    budget = Budget(rate=2, burst=5)
    assert budget.wait(100.0) == 0
    assert budget.take(100.0, 5)
    assert budget.wait(100.0) == 0.5
    assert budget.wait(100.0, 3) == 1.5
    assert budget.wait(100.25) == 0.25
    assert budget.wait(100.5) == 0
    assert budget.take(100.5)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=50))
def test_never_more_than_the_burst_and_the_rate(
    requests: list[tuple[float, float]],
) -> None:
    budget, now, taken = Budget(rate=3, burst=7), 1000.0, 0.0
    for pause, cost in requests:
        now += pause
        taken += cost if budget.take(now, cost) else 0.0
    assert taken <= 7 + 3 * (now - 1000.0) + 1e-6


def test_time_that_goes_back_takes_nothing() -> None:
    budget = Budget(rate=8, burst=5)
    assert budget.take(100.0, 5)
    assert not budget.take(1.0)
    assert budget.take(100.125)
