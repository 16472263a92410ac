"""The results of floods, as text and as a table for the documentation."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from .floods import BY_NAME
from .trial import Result

Results = Mapping[str, list[Result]]
"""The rounds of each flood, by its name."""

# What another client may notice of a flood, as a multiple of its 99th percentile.
BOUND = 2.0


def median(results: Sequence[Result], of: Callable[[Result], float]) -> float:
    """The median of the rounds."""
    return statistics.median(map(of, results))


def as_text(results: Results) -> str:
    """A table for a terminal."""
    lines = [
        f"{'flood':22}{'sent/s':>9}{'server us':>10}{'sender us':>10}{'core':>7}"
        f"{'ping ms':>9}{'times':>7}{'GET ms':>9}{'times':>7}{'failed':>8}"
    ]
    for name, rounds in results.items():
        if not rounds:
            lines.append(f"{name:22}{'-':>9}")
            continue
        figures = _Figures(rounds)
        lines.append(
            f"{name:22}{figures.rate:>9.0f}{figures.server:>10.1f}"
            f"{figures.attacker:>10.1f}{figures.share:>7.0%}"
            f"{figures.ping_ms:>9.2f}{figures.ping:>7.2f}"
            f"{figures.request_ms:>9.2f}{figures.request:>7.2f}{figures.failed:>8}"
        )
    return "\n".join(lines)


def as_markdown(results: Results) -> str:
    """The table of docs/security.md."""
    lines = [
        "| flood | per second | server, µs each | others' ping, p99, times "
        "| others' GET, p99, times | bound |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, rounds in results.items():
        if not rounds:
            continue
        flood, figures = BY_NAME[name], _Figures(rounds)
        lines.append(
            f"| {flood.title} | {figures.rate:,.0f} | {figures.server:.0f} | "
            f"{figures.ping:.1f} | {figures.request:.1f} | {flood.defence} |"
        )
    return "\n".join(lines)


def noticed(results: Results) -> list[str]:
    """The floods that others notice by more than ``BOUND``."""
    return [
        name
        for name, rounds in results.items()
        if rounds
        and (
            median(rounds, lambda r: r.ping) > BOUND
            or any(r.flooded.failures for r in rounds)
        )
    ]


class _Figures:
    """The medians of some rounds, in the units of the tables."""

    def __init__(self, rounds: Sequence[Result]) -> None:
        self.server = median(rounds, lambda r: r.server * 1e6)
        self.attacker = median(rounds, lambda r: r.attacker * 1e6)
        self.share = median(rounds, lambda r: r.share)
        self.rate = median(rounds, lambda r: r.rate)
        self.ping = median(rounds, lambda r: r.ping)
        self.ping_ms = median(rounds, lambda r: r.flooded.ping_p99 * 1e3)
        self.request = median(rounds, lambda r: r.request)
        self.request_ms = median(rounds, lambda r: r.flooded.request_p99 * 1e3)
        self.failed = sum(r.flooded.failures for r in rounds)
