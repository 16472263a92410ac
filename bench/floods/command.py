"""``python -m bench --floods``: what floods cost the server, and its other clients."""

import argparse
import gc
from pathlib import Path

from .. import program
from ..clients import Clients
from ..document import put_into
from ..program import TRIAL_ERRORS, Cores, say
from .floods import FLOODS, Flood
from .report import Results, as_markdown, as_text, noticed
from .trial import run

ROUNDS = 3
# Further rounds of what others have noticed.
AGAIN = 2
SECONDS = 4.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench --floods", description=__doc__
    )
    names = [flood.name for flood in FLOODS]
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="NAME",
        default=names,
        help=f"these only: {', '.join(names)}",
    )
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help="[default: %(default)s]"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help="how long each flood lasts [default: %(default)g]",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put the table into this Markdown file, between its two comments "
        "<!-- floods --> and <!-- end of floods -->",
    )
    return parser


async def _measure(
    floods: list[Flood], rounds: int, seconds: float, core: int | None
) -> tuple[Results, list[str]]:
    """All floods in turn, each on a new server.

    Returns:
        The results, and what went wrong.
    """
    results: Results = {flood.name: [] for flood in floods}
    failures: list[str] = []
    clients = Clients()
    for number in range(1, rounds + AGAIN + 1):
        if number > rounds:
            # Other work of the machine makes figures worse, and never better.
            again = noticed(results)
            floods = [flood for flood in floods if flood.name in again]
        for flood in floods:
            say(f"round {number}: {flood.name}")
            gc.collect()
            try:
                result = await run(flood, clients, core, seconds)
            except TRIAL_ERRORS as error:
                failures.append(f"{flood.name}: {error or type(error).__name__}")
                continue
            results[flood.name].append(result)
            failures += (f"{flood.name}: {line}" for line in result.faults)
    return results, failures


async def _main(options: argparse.Namespace) -> int:
    # The attackers share the core of the client that measures, and give way to it.
    core = Cores.choose().server
    floods = [flood for flood in FLOODS if flood.name in options.only]
    results, failures = await _measure(floods, options.rounds, options.seconds, core)
    print(as_text(results))
    for name in noticed(results):
        print(f"Noticed: {name}")
    for failure in failures:
        print(f"Failed: {failure}")
    if options.write is not None:
        put_into(options.write, "floods", as_markdown(results))
    return 1 if failures else 0


def main(arguments: list[str]) -> int:
    """Run, and return the exit status: 1 when a trial, or the server, has failed."""
    options = _parser().parse_args(arguments)
    return program.run(_main(options))
