"""Distributions: moments and percentiles, in bounded memory."""

import math
import random
import statistics

import pytest

from whipbird.stats.distribution import Distribution


def of(*values: float) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


def test_nothing() -> None:
    empty = of()
    assert (empty.count, empty.min, empty.max, empty.mean) == (0, None, None, 0)
    assert empty.deviation == 0
    assert empty.percentile(0.5) is None


def test_one_value() -> None:
    one = of(0.25)
    assert one.min == one.max == one.mean == one.percentile(0.99) == 0.25
    assert one.deviation == 0


def test_moments() -> None:
    some = of(0.002, 0.004, 0.006, 0.008)
    assert (some.min, some.max) == (0.002, 0.008)
    assert some.mean == pytest.approx(0.005)
    assert some.deviation == pytest.approx(math.sqrt(5e-6))


def test_percentiles_by_nearest_rank() -> None:
    """Of four values the median is the second one, p90 and p99 the last."""
    some = of(0.008, 0.002, 0.006, 0.004)
    expected = {0: 0.002, 0.5: 0.004, 0.75: 0.006, 0.9: 0.008, 0.99: 0.008, 1: 0.008}
    for share, value in expected.items():
        assert some.percentile(share) == pytest.approx(value, rel=1e-3)


def test_many_values_are_as_exact_in_bounded_memory() -> None:
    generator = random.Random(7)
    values = [generator.lognormvariate(-5, 1) for _ in range(20_000)]
    many = of(*values)
    ranked = sorted(values)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999):
        expected = ranked[math.ceil(share * len(ranked)) - 1]
        assert many.percentile(share) == pytest.approx(expected, rel=1e-3)
    assert many.mean == pytest.approx(statistics.fmean(values))
    assert many.deviation == pytest.approx(statistics.pstdev(values))
    assert len(many._counted) < 10_000


def test_equal_values_do_not_deviate() -> None:
    assert of(*[0.1] * 1000).deviation == pytest.approx(0, abs=1e-12)


def test_zero_is_a_value() -> None:
    """A clock may not tell two moments apart."""
    zero = of(0.0, 0.0)
    assert (zero.min, zero.max, zero.percentile(0.5)) == (0, 0, 0)


def test_two_together_are_as_all_values() -> None:
    values = [0.5, 0.001, 3.0, 0.02, 0.02]
    both = of(*values[:2])
    both.update(of(*values[2:]))
    both.update(of())
    every = of(*values)
    assert (both.count, both.min, both.max) == (5, 0.001, 3.0)
    assert both.mean == pytest.approx(every.mean)
    assert both.deviation == pytest.approx(every.deviation)
    assert both.percentile(0.5) == every.percentile(0.5)
    empty = of()
    empty.update(every)
    assert (empty.count, empty.min) == (5, 0.001)
    assert empty.mean == pytest.approx(every.mean)
