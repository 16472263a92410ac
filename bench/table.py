"""The results, as a table and as JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .measures import Better, Measure, Metric
from .servers import WHIPBIRD


@dataclass
class Row:
    """One figure of all servers, from all rounds.

    Attributes:
        measure, metric: what it is.
        figures: by the server's name, those of the rounds in their order.
    """

    measure: str
    metric: Metric
    figures: dict[str, list[float]] = field(default_factory=dict)

    def of(self, program: str) -> list[float]:
        """The figures of one server."""
        return self.figures.setdefault(program, [])

    def ratio(self, other: str) -> float | None:
        """How many times better Whipbird is than another server, by the medians.

        Below 1 it loses. None when a figure is missing, or has no better and worse.
        """
        ours, theirs = self.of(WHIPBIRD.name), self.of(other)
        if not ours or not theirs:
            return None
        return self._better_by(statistics.median(ours), statistics.median(theirs))

    def spread(self, other: str) -> tuple[float, float] | None:
        """The smallest and the largest ratio of the single rounds."""
        pairs = zip(self.of(WHIPBIRD.name), self.of(other), strict=False)
        ratios = [r for pair in pairs if (r := self._better_by(*pair)) is not None]
        return (min(ratios), max(ratios)) if ratios else None

    def _better_by(self, ours: float, theirs: float) -> float | None:
        better, worse = (
            (ours, theirs) if self.metric.better is Better.HIGHER else (theirs, ours)
        )
        if self.metric.better is Better.NEITHER or worse <= 0:
            return None
        return better / worse

    @property
    def name(self) -> str:
        """What it is, where there is no table around it."""
        return f"{self.measure}: {self.metric.title.strip()}"


def rows_of(measures: Sequence[Measure]) -> list[Row]:
    """Empty rows for some measures."""
    return [Row(m.name, metric) for m in measures for metric in m.metrics]


def as_text(rows: Sequence[Row], others: Sequence[str]) -> str:
    """The table, and last lines that say where Whipbird loses.

    Args:
        others: the names of the servers that it is compared with.
    """
    head = f"{'':9}{'measure':33}{'unit':>7}{'Whipbird':>10}"
    widths = {other: max(10, len(other) + 2) for other in others}
    for other in others:
        head += f"{other:>{widths[other]}}{'ratio':>8}  {'of the rounds':16}"
    lines = [head + "better"]
    measure = ""
    for row in rows:
        line = (
            f"{'' if row.measure == measure else row.measure:9}"
            f"{row.metric.title:33}{row.metric.unit:>7}"
            f"{_median(row.of(WHIPBIRD.name)):>10}"
        )
        for other in others:
            ratio, spread = row.ratio(other), row.spread(other)
            line += (
                f"{_median(row.of(other)):>{widths[other]}}"
                f"{'-' if ratio is None else _times(ratio):>8}  "
                f"{'' if spread is None else ' to '.join(map(_times, spread)):16}"
            )
        lines.append(line + str(row.metric.better))
        measure = row.measure
    lines += ["", "Medians. A ratio says how many times better Whipbird is."]
    for other in others:
        lost = [row.name for row in rows if (ratio := row.ratio(other)) and ratio < 1]
        lines.append(f"It loses to {other} in: {', '.join(lost) or 'none'}.")
    return "\n".join(lines)


def as_json(rows: Sequence[Row], others: Sequence[str]) -> list[dict[str, Any]]:
    """The rows, each with the figures of all rounds."""
    return [
        {
            "measure": row.measure,
            "metric": row.metric.title.strip(),
            "unit": row.metric.unit,
            "better": str(row.metric.better),
            "ratios": {other: row.ratio(other) for other in others},
            **{
                name: {
                    "median": statistics.median(row.of(name)) if row.of(name) else None,
                    "rounds": row.of(name),
                }
                for name in (WHIPBIRD.name, *others)
            },
        }
        for row in rows
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2f}"


def _median(figures: Sequence[float]) -> str:
    """Three digits that count."""
    if not figures:
        return "-"
    median = statistics.median(figures)
    return f"{median:.0f}" if abs(median) >= 100 else f"{median:.3g}"
