"""Answers of all workers as one: the status, and the metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import exposition
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from .metric_families import counter, gauge

# Samples that are not added; all others are.
_NOT_ADDED: Mapping[str, Callable[[float, float], float]] = {
    "whipbird_build_info": max,
    "whipbird_event_loop_lag_max_seconds": max,
    "whipbird_udp_receive_buffer_bytes": min,
    "process_start_time_seconds": min,
}

# Numbers in the status that are the same in all workers.
_OF_ONE = frozenset({"port", "receive_buffer", "send_buffer"})


def merge_status(
    found: Mapping[int, Any], own: int, workers: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """One status of all.

    Args:
        found: the status of each worker that has answered, by its number.
        own: the number of the worker that answers.
        workers: what the supervisor has said of all workers.
    """
    merged = _added([found[own], *(found[n] for n in found if n != own)])
    merged["uptime"] = max(one["uptime"] for one in found.values())
    merged["workers"] = [
        {
            **worker,
            "sessions": found[worker["number"]]["sessions"]["open"]
            if worker["number"] in found
            else 0,
        }
        for worker in workers
    ]
    return merged


def _added(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums of all numbers; anything else is the first one's.

    Lists of objects have one for each application: the same ones in all workers.
    """
    merged = dict(values[0])
    for name, value in values[0].items():
        if isinstance(value, dict):
            merged[name] = _added([one[name] for one in values])
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            alike = zip(*(one[name] for one in values), strict=True)
            merged[name] = [_added(each) for each in alike]
        elif isinstance(value, int | float) and name not in _OF_ONE:
            merged[name] = sum(one[name] for one in values)
    return merged


def merge_metrics(
    bodies: Sequence[bytes], content_type: str, workers: Sequence[Mapping[str, Any]]
) -> bytes:
    """One text of all metrics.

    Args:
        bodies: what each worker has answered.
        content_type: that of all of them.
        workers: what the supervisor has said of all workers.
    """
    is_open = content_type.startswith("application/openmetrics-text")
    parse = (
        openmetrics_parser.text_string_to_metric_families
        if is_open
        else text_string_to_metric_families
    )
    families: dict[str, Metric] = {}
    samples: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], Sample]] = {}
    for body in bodies:
        for family in parse(body.decode()):
            families.setdefault(family.name, family)
            known = samples.setdefault(family.name, {})
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                earlier = known.get(key)
                known[key] = sample if earlier is None else _both(earlier, sample)
    for name, family in families.items():
        family.samples = list(samples[name].values())
    merged = _Families([*families.values(), *_of_workers(workers)])
    write = openmetrics.generate_latest if is_open else exposition.generate_latest
    text: bytes = write(merged)
    return text


def _both(one: Sample, other: Sample) -> Sample:
    combine = _NOT_ADDED.get(one.name)
    value = one.value + other.value
    if combine is not None:
        value = combine(one.value, other.value)
    return one._replace(value=value)


def _of_workers(workers: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    yield gauge(
        "workers",
        "Processes that share the ports.",
        {
            (state,): sum(worker["state"] == state for worker in workers)
            for state in ("running", "starting")
        },
        "state",
    )
    yield counter(
        "worker_restarts",
        "Workers that have ended by themselves and were replaced.",
        {(): sum(worker["restarts"] for worker in workers)},
    )


class _Families:
    """Families that are there already, as a registry."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families."""
        yield from self._families
