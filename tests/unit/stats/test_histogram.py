"""How values are distributed."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from whipbird.stats import Histogram

BOUNDS = (0.1, 0.5, 2.0)


def test_a_value_at_a_bound_is_in_the_bucket_of_the_bound() -> None:
    histogram = Histogram(BOUNDS)
    for value in (0.1, 0.100001, 0.5, 2.0, 2.1):
        histogram.observe(value)
    stats = histogram.stats
    assert stats.counts == (1, 2, 1, 1)
    assert stats.cumulative == [(0.1, 1), (0.5, 3), (2.0, 4), (inf, 5)]


def test_an_empty_one_has_all_buckets() -> None:
    assert [count for _, count in Histogram(BOUNDS).stats.cumulative] == [0] * 4


def test_a_snapshot_does_not_change() -> None:
    histogram = Histogram(BOUNDS)
    before = histogram.stats
    histogram.observe(1.0)
    assert (before.sum, sum(before.counts)) == (0.0, 0)
    assert (histogram.stats.sum, sum(histogram.stats.counts)) == (1.0, 1)


@given(st.lists(st.floats(0, 10)))
def test_what_prometheus_says_of_buckets(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    assert histogram.stats.cumulative == [
        (bound, sum(value <= bound for value in values)) for bound in (*BOUNDS, inf)
    ]
