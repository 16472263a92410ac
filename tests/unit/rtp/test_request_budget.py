"""How many packets may be requested in a second."""

from whipbird.rtp.request_budget import (
    MAX_REQUESTED_PER_SECOND,
    SPARE_REQUESTS,
    RequestBudget,
)


def test_a_few_at_first() -> None:
    budget = RequestBudget()
    assert budget.left(0.0) == SPARE_REQUESTS
    budget.spend(SPARE_REQUESTS)
    assert budget.left(0.9) == 0
    assert budget.left(1.0) == SPARE_REQUESTS


def test_as_many_as_come() -> None:
    budget = RequestBudget()
    requested = 0
    for n in range(1000):
        budget.received += 1
        allowed = budget.left(n / 100)
        budget.spend(allowed)
        requested += allowed
    # Each packet counts in two seconds.
    assert requested <= 2 * 1000 + 10 * SPARE_REQUESTS


def test_the_most() -> None:
    budget = RequestBudget()
    budget.received = 100_000
    assert budget.left(0.0) == MAX_REQUESTED_PER_SECOND
