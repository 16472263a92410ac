"""The results, as a table and as JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .measures import Better, Measure, Metric
from .servers import TEXTBOOK, WHIPBIRD


@dataclass
class Row:
    """One figure of both servers, from all rounds.

    Attributes:
        measure, metric: what it is.
        whipbird, textbook: the figures of the rounds, in their order.
    """

    measure: str
    metric: Metric
    whipbird: list[float] = field(default_factory=list)
    textbook: list[float] = field(default_factory=list)

    def of(self, program: str) -> list[float]:
        """The figures of one server."""
        return self.whipbird if program == WHIPBIRD.name else self.textbook

    @property
    def ratio(self) -> float | None:
        """How many times better Whipbird is: below 1 it loses. By the medians.

        None when a figure is missing, or has no better and worse.
        """
        if not self.whipbird or not self.textbook:
            return None
        return self._better_by(
            statistics.median(self.whipbird), statistics.median(self.textbook)
        )

    @property
    def spread(self) -> tuple[float, float] | None:
        """The smallest and the largest ratio of the single rounds."""
        pairs = zip(self.whipbird, self.textbook, strict=False)
        ratios = [r for pair in pairs if (r := self._better_by(*pair)) is not None]
        return (min(ratios), max(ratios)) if ratios else None

    def _better_by(self, whipbird: float, textbook: float) -> float | None:
        better, worse = (
            (whipbird, textbook)
            if self.metric.better is Better.HIGHER
            else (textbook, whipbird)
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


def as_text(rows: Sequence[Row]) -> str:
    """The table, and a last line that says where Whipbird loses."""
    lines = [
        f"{'':9}{'measure':33}{'unit':>7}{'Whipbird':>10}{'textbook':>10}"
        f"{'ratio':>8}  {'of the rounds':16}better",
    ]
    measure = ""
    for row in rows:
        ratio, spread = row.ratio, row.spread
        lines.append(
            f"{'' if row.measure == measure else row.measure:9}"
            f"{row.metric.title:33}{row.metric.unit:>7}"
            f"{_median(row.whipbird):>10}{_median(row.textbook):>10}"
            f"{'-' if ratio is None else _times(ratio):>8}  "
            f"{'' if spread is None else ' to '.join(map(_times, spread)):16}"
            f"{row.metric.better}"
        )
        measure = row.measure
    lost = [row.name for row in rows if row.ratio is not None and row.ratio < 1]
    lines += [
        "",
        "Medians. The ratio says how many times better Whipbird is.",
        f"Whipbird loses in: {', '.join(lost) or 'none'}.",
    ]
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows, each with the figures of all rounds."""
    return [
        {
            "measure": row.measure,
            "metric": row.metric.title.strip(),
            "unit": row.metric.unit,
            "better": str(row.metric.better),
            "ratio": row.ratio,
            **{
                name: {
                    "median": statistics.median(row.of(name)) if row.of(name) else None,
                    "rounds": row.of(name),
                }
                for name in (WHIPBIRD.name, TEXTBOOK.name)
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
