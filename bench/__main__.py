"""Measure Whipbird beside other servers, in one run and in turn.

With --loss, instead: what a browser sees through bad networks (--loss --help).
With --floods: what hostile clients cost the server, and the others (--floods --help).
With --profile: whose work the hot paths of the server are (--profile --help).
With --packets: a packet to a viewer, compiled and in Python (--packets --help).
With --soak: a server under mixed load for minutes; nothing may grow (--soak --help).
"""

import argparse
import asyncio
import gc
import json
import math
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import profile
from .floods import command as floods
from .measures import FULL, MEASURES, QUICK, Load, Measure
from .packets import command as packets
from .peers import BUILT, PeerError, running_already
from .program import TRIAL_ERRORS, Cores, run, say
from .servers import (
    IN_PYTHON,
    TEXTBOOK,
    WHIPBIRD,
    Feature,
    Program,
    before,
    running,
)
from .soak import command as soak
from .table import Row, as_json, as_text, rows_of

ROUNDS = 5
QUICK_ROUNDS = 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [measure.name for measure in MEASURES]
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"shorter trials, and {QUICK_ROUNDS} rounds",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"[default: {ROUNDS}]")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="NAME",
        default=[measure.name for measure in MEASURES if measure.usual],
        help=f"measure these only: {', '.join(names)} [default: all but soak]",
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="compare with the server of another checkout, too",
    )
    parser.add_argument(
        "--in-python",
        action="store_true",
        help="compare with the server without the compiled packet path, too",
    )
    parser.add_argument(
        "--no-textbook",
        action="store_true",
        help="do not compare with the textbook server",
    )
    parser.add_argument(
        "--with",
        dest="built",
        nargs="+",
        choices=tuple(BUILT),
        metavar="NAME",
        default=[],
        help=f"compare with servers on other libraries, too: {', '.join(BUILT)}",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=WHIP_URL[,WHEP_URL][,PID][,TOKEN]",
        help="compare with a server that runs already, too; {stream} stands for the "
        "name of the stream",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures there")
    options = parser.parse_args()
    options.are_rounds_given = options.rounds is not None
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    if options.before and not (options.before / "server" / "whipbird").is_dir():
        parser.error(f"--before: there is no server in {options.before}")
    if options.rounds < 1:
        parser.error("--rounds: there must be at least one")
    try:
        options.peers = [running_already(text) for text in options.peer]
    except PeerError as error:
        parser.error(f"--peer: {error}")
    return options


def _rounds(measure: Measure, options: argparse.Namespace) -> int:
    """How many rounds of a measure are made."""
    rounds: int = options.rounds
    if measure.rounds is None or options.are_rounds_given:
        return rounds
    return min(rounds, measure.rounds)


async def _try(
    measure: Measure, program: Program, core: int | None, load: Load
) -> dict[str, float]:
    """Make one trial on a new server that has served one session."""
    gc.collect()
    async with asyncio.timeout(measure.timeout), running(program, core) as server:
        if Feature.ECHO in measure.needs or not program.is_running:
            async with load.clients.wired(server.publish()):
                pass
        return await measure.trial(server, load)


async def _run(
    measures: Mapping[Measure, int],
    others: Sequence[Program],
    cores: Cores,
    load: Load,
) -> tuple[list[Row], list[str]]:
    """Make all trials, the servers in turn.

    Args:
        measures: what is measured, and in how many rounds.
        others: what Whipbird is compared with.

    Returns:
        The rows of the table, and what went wrong.
    """
    rows, failures = rows_of(list(measures)), []
    cannot: set[tuple[str, str]] = set()
    total = max(measures.values())
    for number in range(1, total + 1):
        for measure in (m for m, rounds in measures.items() if number <= rounds):
            say(f"round {number} of {total}: {measure.name}")
            for program in _programs(measure, others):
                if (measure.name, program.name) in cannot:
                    continue
                try:
                    figures = await _try(measure, program, cores.server, load)
                except TRIAL_ERRORS as error:
                    failures.append(
                        f"{measure.name} of {program.name} in round {number}: "
                        f"{error or type(error).__name__}"
                    )
                    if program.is_running:
                        # It will not be able to do it in the next round either.
                        cannot.add((measure.name, program.name))
                    continue
                for row in rows:
                    figure = figures.get(row.metric.key, math.nan)
                    if row.measure == measure.name and not math.isnan(figure):
                        row.of(program.name).append(figure)
    say("")
    return rows, failures


def _programs(measure: Measure, others: Sequence[Program]) -> list[Program]:
    """The servers that a measure is made on."""
    return [WHIPBIRD, *(p for p in others if measure.needs <= p.features)]


async def _main(options: argparse.Namespace) -> int:
    cores = Cores.choose()
    # What is imported stays; going through it again and again is not the servers' time.
    gc.collect()
    gc.freeze()
    measures = {m: _rounds(m, options) for m in MEASURES if m.name in options.only}
    rounds = max(measures.values())
    began, busy = time.monotonic(), os.getloadavg()[0]
    load = Load(QUICK if options.quick else FULL)
    others = [before(options.before)] if options.before else []
    if options.in_python:
        others.append(IN_PYTHON)
    if not options.no_textbook:
        others.append(TEXTBOOK)
    for name in options.built:
        say(f"building {name}")
        try:
            others.append(BUILT[name]())
        except PeerError as error:
            print(f"Skipped: {name}: {error}.")
    others += options.peers
    rows, failures = await _run(measures, others, cores, load)

    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load "
        f"{busy:.1f} before; {cores}.\n"
        f"{rounds} rounds in {time.monotonic() - began:.0f} s, the servers in turn, "
        f"each trial on one just started.\n"
    )
    names = [program.name for program in others]
    print(as_text(rows, names))
    for failure in failures:
        print(f"Failed: {failure}")
    if options.json:
        report = {"rounds": rounds, "measures": as_json(rows, names)}
        options.json.write_text(
            json.dumps({**report, "failures": failures}, indent=2) + "\n"
        )
    return 1 if failures else 0


def main() -> int:
    """Run, and return the exit status: 1 when a trial has failed."""
    if "--loss" in sys.argv:
        # Another bench, with options of its own; it alone needs Playwright.
        try:
            from .loss import command
        except ModuleNotFoundError as error:
            print(f"Skipped: this needs {error.name}.")
            return 0
        return command.main([a for a in sys.argv[1:] if a != "--loss"])
    # These have options of their own. The first one is what is meant.
    if sys.argv[1:2] == ["--floods"]:
        return floods.main(sys.argv[2:])
    if sys.argv[1:2] == ["--profile"]:
        return profile.main(sys.argv[2:])
    if sys.argv[1:2] == ["--soak"]:
        return soak.main(sys.argv[2:])
    if sys.argv[1:2] == ["--packets"]:
        return packets.main(sys.argv[2:])
    options = _options()
    return run(_main(options))


if __name__ == "__main__":
    sys.exit(main())
