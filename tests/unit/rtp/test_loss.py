"""The loss on the way to a receiver."""

import pytest

from whipbird.rtp.loss import MAX_COPIES, RESIDUAL, Loss


def reported(fraction: float) -> Loss:
    """What is known when all reports have said the same."""
    loss = Loss()
    for _ in range(40):
        loss.reported(fraction, 100)
    return loss


@pytest.mark.parametrize(
    ("fraction", "copies"),
    [(0.0, 0), (0.01, 0), (0.019, 0), (0.03, 1), (0.05, 1), (0.1, 2), (0.2, 3)],
)
def test_copies_by_reports(fraction: float, copies: int) -> None:
    loss = reported(fraction)
    assert loss.fraction == pytest.approx(fraction)
    assert loss.copies == copies
    assert fraction ** (2 + copies) <= RESIDUAL


def test_never_more_than_some() -> None:
    assert reported(0.9).copies == MAX_COPIES


def test_reports_count_by_their_packets() -> None:
    """One of a few packets says little, however much is lost."""
    loss = Loss()
    loss.reported(1.0, 3)
    assert loss.copies == 0
    loss.reported(0.2, 1000)
    assert loss.fraction == pytest.approx(0.2, abs=0.001)
    loss.reported(0.0, 0)
    assert loss.copies == 3
    for _ in range(10):
        loss.reported(0.0, 50)
    assert loss.copies == 0


def test_requests_that_come_again_are_a_first_sign() -> None:
    """A few are none, and many are no more: a queue may hold up the answers."""
    loss = Loss()
    for is_again in (False, True):
        loss.answered(is_again=is_again)
    assert loss.copies == 0
    for _ in range(40):
        loss.answered(is_again=True)
    assert loss.copies == 1
    for _ in range(8):
        loss.decay()
    assert loss.copies == 0
