"""How quickly packets arrive, by reports."""

import pytest

from whipbird.rtp.delivery import Delivery


def test_a_rate_from_reports() -> None:
    """The numbers may wrap; what is lost has not arrived."""
    delivery, first = Delivery(), (1 << 32) - 50
    for second in range(3):
        highest = (first + 100 * second) & 0xFFFFFFFF
        delivery.reported(highest, 40 * second, second / 2)
    assert delivery.rate(0.0) == pytest.approx(120)
    assert delivery.rate(0.4) == pytest.approx(120)


def test_too_few_reports() -> None:
    delivery = Delivery()
    assert delivery.rate(0.0) is None
    delivery.reported(1, 0, 1.0)
    delivery.reported(20, 0, 1.1)
    # Too soon, and after the last one.
    assert delivery.rate(0.0) is None
    assert delivery.rate(1.2) is None


def test_reports_that_come_together_count_once() -> None:
    delivery = Delivery()
    delivery.reported(0, 0, 1.0)
    for number in range(1, 40):
        delivery.reported(number, 0, 1.0 + number / 100)
    assert delivery.rate(1.0) == pytest.approx(100)
    assert len(delivery._reports) <= 9


def test_old_reports_are_forgotten() -> None:
    delivery = Delivery()
    for number in range(100):
        delivery.reported(10 * number, 0, number / 10)
    assert len(delivery._reports) <= 17
    assert delivery.rate(0.0) == pytest.approx(100)


def test_counts_that_cannot_be_are_none() -> None:
    delivery = Delivery()
    delivery.reported(1000, 0, 1.0)
    delivery.reported(0, 0, 2.0)
    assert delivery.rate(0.0) is None
