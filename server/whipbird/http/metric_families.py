"""Families of metrics of this server: one name, and a value for each set of labels."""

import math
from collections.abc import Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from ..stats import HistogramStats

NAMESPACE = "whipbird"

Family = Metric

Labels = tuple[str, ...]


def gauge(name: str, text: str, values: Mapping[Labels, float], *labels: str) -> Family:
    """A value that goes up and down.

    Args:
        values: by the values of the labels, in the order of their names.
        labels: the names.
    """
    return _filled(
        GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels), values
    )


def counter(
    name: str, text: str, values: Mapping[Labels, float], *labels: str
) -> Family:
    """A value that only grows; its name ends with ``_total`` when it is shown."""
    return _filled(
        CounterMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels), values
    )


def histogram(
    name: str, text: str, values: Mapping[Labels, HistogramStats], *labels: str
) -> Family:
    """How values are distributed."""
    family = HistogramMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels)
    for key, stats in values.items():
        buckets = [(_bound(le), count) for le, count in stats.cumulative]
        family.add_metric(key, buckets, stats.sum)
    return family


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[Labels, float]
) -> Family:
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _bound(value: float) -> str:
    """The upper bound of a bucket, as Prometheus writes it."""
    return "+Inf" if value == math.inf else str(value)
