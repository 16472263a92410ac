"""The cases in virtual time: many seeds, models of the browsers."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from tests.netem.broadcast import watch
from tests.netem.link import Conditions
from tests.netem.publication import publish
from tests.netem.viewing import Outcome

from .cases import Case, Side
from .way import QUEUE, Impairment

_COLUMNS = ("frozen", "95 %", "worst", "frames", "buffer", "concealed", "beside")
_UNITS = ("s", "s", "s", "", "ms", "%", "%")


def run(cases: Sequence[Case], seeds: range) -> Iterator[tuple[Case, list[Outcome]]]:
    """Make a run on each path for each seed, on all cores."""
    if not cases:
        return
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = list(product(cases, seeds))
        outcomes = pool.map(_run, *zip(*jobs, strict=True))
        for case in cases:
            yield case, [next(outcomes) for _ in seeds]


def head(side: Side) -> str:
    """The head of the table of a side."""
    return "\n".join(
        f"{name:24}" + "".join(f"{cell:>10}" for cell in cells)
        for name, cells in ((side, _COLUMNS), ("", _UNITS))
    )


def row(case: Case, outcomes: Sequence[Outcome]) -> str:
    """A line of the table: the medians, and of what is frozen two more."""
    frozen = sorted(outcome.frozen for outcome in outcomes)
    figures = (
        frozen[len(frozen) // 2],
        frozen[len(frozen) * 95 // 100],
        frozen[-1],
        _median([outcome.frames for outcome in outcomes]),
        1000 * _median([outcome.buffer for outcome in outcomes]),
        100 * _median([outcome.concealed for outcome in outcomes]),
        100 * _median([outcome.beside for outcome in outcomes]),
    )
    return f"{case.name:24}" + "".join(f"{_digits(figure):>10}" for figure in figures)


def _run(case: Case, seed: int) -> Outcome:
    through = watch if case.side is Side.VIEWER else publish
    return through(seed, _conditions(case.media), _conditions(case.back))


def _conditions(impairment: Impairment) -> Conditions:
    return Conditions(
        loss=impairment.loss,
        burst=impairment.burst,
        delay=impairment.delay,
        reordering=impairment.reordering,
        hold_up=impairment.hold_up,
        rate=impairment.rate / 8,
        queue=QUEUE,
    )


def _median(figures: Sequence[float]) -> float:
    return sorted(figures)[len(figures) // 2]


def _digits(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"
