"""``python -m bench --loss``: what real browsers see through bad networks."""

import argparse
import asyncio
import fnmatch
import json
import logging
import os
import platform
import shutil
import signal
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from tests.e2e.browser import NoBrowserError, find_chromium
from tests.interop.firefox import FirefoxError

from ..clients import BenchError
from ..program import say
from ..servers import ROOT, ServerError
from . import virtual
from .browsers import Browser, Chromium, chromium, firefox
from .cases import CASES, QUICK, Case, Side
from .figures import METRICS
from .lab import LabError, lab, missing
from .subjects import Subject, SubjectError, peer, whipbird
from .trial import TIMEOUT, Stage, run

# What fails a trial, and does not end the others.
_FAILURES = (BenchError, FirefoxError, PlaywrightError, ServerError, TimeoutError)

ROUNDS = 3
SEEDS = 100
SECONDS = 15.0

#: The figures of each round, by case, server and key.
Results = dict[str, dict[str, dict[str, list[float]]]]


@dataclass
class Report:
    """What was found, and what went wrong."""

    results: Results = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, case: Case, subject: Subject, figures: Mapping[str, float]) -> None:
        """Add the figures of one trial."""
        of_case = self.results.setdefault(case.name, {})
        of_subject = of_case.setdefault(subject.name, {})
        for key, figure in figures.items():
            of_subject.setdefault(key, []).append(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench --loss",
        description=__doc__,
        epilog=f"cases: {', '.join(case.name for case in CASES)}",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="CASE",
        default=["*"],
        help="these cases only; * stands for any characters",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"one round of {', '.join(QUICK)}",
    )
    parser.add_argument(
        "--virtual",
        action="store_true",
        help="in virtual time, with models of the browsers, a seed for each round; "
        "of this checkout only",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"[default: {ROUNDS}; --virtual: {SEEDS}]",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is lost")
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="measure the server of another checkout, too",
    )
    parser.add_argument(
        "--peer",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="measure another server, too, as a TOML file describes it",
    )
    parser.add_argument(
        "--browser",
        choices=("chromium", "firefox"),
        default="chromium",
        help="which one is behind the bad network [default: chromium]; Firefox watches "
        "VP8, since it has no H.264 of its own",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures there")
    return parser


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    patterns = QUICK if options.quick and options.only == ["*"] else options.only
    options.cases = [
        case for case in CASES if any(fnmatch.fnmatch(case.name, p) for p in patterns)
    ]
    if not options.cases:
        parser.error(f"--only: no case is called {' or '.join(options.only)}")
    usual = SEEDS if options.virtual else 1 if options.quick else ROUNDS
    options.rounds = options.rounds or usual
    if options.rounds < 1:
        parser.error("--rounds: there must be at least one")
    is_real = options.browser != "chromium"
    if options.virtual and (options.before or options.peer or options.json or is_real):
        parser.error("--virtual prints figures of this checkout, and of no other")
    if options.before and not (options.before / "server" / "whipbird").is_dir():
        parser.error(f"--before: there is no server in {options.before}")
    try:
        options.peers = [peer(path) for path in options.peer]
    except SubjectError as error:
        parser.error(f"--peer: {error}")
    return options


async def _run(options: argparse.Namespace) -> Report:
    task = asyncio.current_task()
    assert task is not None
    # Ended by a signal, the namespaces are removed too.
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)
    subjects = [whipbird("whipbird", ROOT)]
    if options.before:
        subjects.append(whipbird("before", options.before.resolve()))
    subjects += options.peers
    trusted = ",".join({subject.origin for subject in subjects})
    report = Report()
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        made = await stack.enter_async_context(lab(options.seed))

        async def start_chromium(namespace: str) -> Browser:
            started = chromium(playwright, namespace, trusted, goes_first=True)
            return Chromium(await stack.enter_async_context(started))

        if options.browser == "firefox":
            client = await stack.enter_async_context(firefox(made.client))
            codec = "VP8"
        else:
            client = await start_chromium(made.client)
            codec = "H264"
        server = await start_chromium(made.server)
        stage = Stage(made, client, server, SECONDS, codec)
        for number in range(1, options.rounds + 1):
            for case in options.cases:
                for subject in subjects:
                    say(f"round {number} of {options.rounds}: {case.name}")
                    await _try(case, subject, stage, report)
    say("")
    return report


async def _try(case: Case, subject: Subject, stage: Stage, report: Report) -> None:
    try:
        async with asyncio.timeout(TIMEOUT + stage.seconds):
            report.add(case, subject, await run(case, subject, stage))
    except _FAILURES as error:
        reason = str(error) or type(error).__name__
        report.failures.append(f"{case.name} of {subject.name}: {reason}")


def as_text(cases: Sequence[Case], results: Results) -> str:
    """The tables of both sides: a line for each case and server, medians."""
    lines: list[str] = []
    for side in Side:
        if not any(case.side is side for case in cases):
            continue
        metrics = METRICS[side]
        lines += [
            f"{side:24}{'':10}" + "".join(f"{m.title:>10}" for m in metrics),
            f"{'':34}" + "".join(f"{m.unit:>10}" for m in metrics),
        ]
        for case in (case for case in cases if case.side is side):
            for name, figures in results.get(case.name, {}).items():
                medians = (_median(figures.get(m.key, ())) for m in metrics)
                cells = "".join(f"{median:>10}" for median in medians)
                lines.append(f"{case.name:24}{name:10}{cells}")
        lines.append("")
    return "\n".join(lines)


def _median(figures: Sequence[float]) -> str:
    if not figures:
        return "-"
    median = statistics.median(figures)
    return f"{median:.0f}" if abs(median) >= 100 else f"{median:.3g}"


def _run_virtually(options: argparse.Namespace) -> int:
    seeds = range(options.seed, options.seed + options.rounds)
    for side in Side:
        if cases := [case for case in options.cases if case.side is side]:
            print(virtual.head(side))
        for case, outcomes in virtual.run(cases, seeds):
            print(virtual.row(case, outcomes), flush=True)
    return 0


def _missing(browser: str) -> str | None:
    """Say what this machine lacks; None when it lacks nothing."""
    try:
        find_chromium()
    except NoBrowserError as error:
        return f"Chromium: {error}"
    if browser == "firefox":
        for program in ("firefox-esr", "node", "npm"):
            if shutil.which(program) is None:
                return program
    return missing()


def main(arguments: Sequence[str]) -> int:
    """Run, and return the exit status: 1 when a trial has failed."""
    options = _options(arguments)
    if options.virtual:
        return _run_virtually(options)
    if lacking := _missing(options.browser):
        print(f"Skipped: this needs {lacking}.")
        return 0
    logging.disable(logging.CRITICAL)
    began, busy = time.monotonic(), os.getloadavg()[0]
    try:
        report = asyncio.run(_run(options))
    except LabError as error:
        print(f"Skipped: no network namespaces here: {error}")
        return 0
    except asyncio.CancelledError:
        return 130
    late = [
        figure
        for of_case in report.results.values()
        for figures in of_case.values()
        for figure in figures["relay"]
    ]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load "
        f"{busy:.1f} before; {options.rounds} rounds of {SECONDS:.0f} s each, in "
        f"{time.monotonic() - began:.0f} s; the relay added "
        f"{statistics.mean(late) if late else 0:.2f} ms, "
        f"{max(late, default=0):.2f} ms in the worst trial.\n"
    )
    print(as_text(options.cases, report.results))
    for failure in report.failures:
        print(f"Failed: {failure}")
    if options.json:
        found = {"results": report.results, "failures": report.failures}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if report.failures else 0
