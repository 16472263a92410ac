"""``python -m bench --soak``: a server under mixed load for minutes or hours.

Clients of all kinds come and go in rounds, well and badly, beside floods. At the end of
each round, when all have gone, the server must be as it was after the first one.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import clip
from ..clients import Clients
from ..floods.floods import BY_NAME, FLOODS, Flood
from ..program import Cores, run
from ..servers import ServerError
from . import recordings
from .load import Media, make_round
from .process import Reading, Watched, watched
from .readings import growth, leftovers, slope
from .tally import Tally

MINUTES = 20.0
# Seconds of a round, and of the first one: each flood takes the memory that it needs.
ROUND = 60.0
WARM_UP = 120.0
# Floods in a round.
AT_A_TIME = 6
# Seconds after a round for all that is left of the clients to end: the longest are
# consent (30), and a session that does not connect (15).
SETTLE_TIMEOUT = 60.0


@dataclass
class Soak:
    """What is found while it runs.

    Attributes:
        idle: the reading before any load.
        readings: one after each round; the first is that of the warm-up.
    """

    idle: Reading
    tally: Tally = field(default_factory=Tally)
    readings: list[Reading] = field(default_factory=list)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench --soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="[default: %(default)g]"
    )
    parser.add_argument(
        "--round",
        type=float,
        default=ROUND,
        metavar="S",
        help="seconds of load in each round [default: %(default)g]",
    )
    parser.add_argument(
        "--floods",
        nargs="*",
        choices=[flood.name for flood in FLOODS],
        metavar="NAME",
        help="these floods only, in turn [default: all]",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="copy recordings there with which anything is wrong",
    )
    parser.add_argument("--seed", type=int, default=1, help="[default: %(default)s]")
    return parser


async def soak(
    folder: Path,
    core: int | None,
    floods: Sequence[Flood],
    minutes: float,
    seconds: float,
    *,
    warm_up: float,
    seed: int = 1,
    keep: Path | None = None,
    options: Sequence[str] = (),
) -> Soak:
    """Run.

    Args:
        folder: empty, for recordings.
        core: the CPU of the server; None for any.
        minutes: in all; at least one round follows the warm-up.
        seconds: of load in a round.
        warm_up: of load in the first one, with all floods; nobody vanishes in it.
        keep: a folder for recordings with which anything is wrong.
        options: further ones, of ``whipbird serve``.

    Returns:
        What was found; whatever is wrong is among the failures.
    """
    rng, clients = random.Random(seed), Clients()
    sound = clip.sound()
    media = Media([clip.picture(), sound], [clip.h264_picture(), sound])
    end = time.monotonic() + 60 * minutes
    async with watched(folder, core, options) as server:
        found = Soak(await server.read())
        rounds = _batches(floods)
        while len(found.readings) < 2 or time.monotonic() + seconds < end:
            is_first = not found.readings
            length = warm_up if is_first else seconds
            said = await make_round(
                server,
                clients,
                media,
                found.tally,
                floods if is_first else next(rounds),
                length,
                rng,
                vanishing=not is_first,
            )
            reading = await _settled(server, found)
            await asyncio.to_thread(
                recordings.check, folder / "recordings", said, found.tally, keep
            )
            found.readings.append(reading)
            print(_line(len(found.readings) - 1, reading), flush=True)
        for line in server.server.faults():
            found.tally.fail(f"the server's log: {line}")
    for line in growth(found.readings):
        found.tally.fail(line)
    return found


async def _settled(server: Watched, found: Soak) -> Reading:
    """Wait until all that a round has made has gone.

    What does not go in time is a failure.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        await asyncio.sleep(1.0)
        reading = await server.read()
        left = leftovers(found.idle, reading)
        if not left:
            break
        if time.monotonic() > deadline:
            for line in left:
                found.tally.fail(f"round {len(found.readings)}: {line}")
            break
    return reading


def _batches(floods: Sequence[Flood]) -> Iterator[list[Flood]]:
    """Some floods at a time, over and over."""
    turn = itertools.cycle(floods)
    while True:
        yield list(itertools.islice(turn, min(AT_A_TIME, len(floods))))


def _line(number: int, reading: Reading) -> str:
    """A reading, as a line."""
    counts = ", ".join(f"{name} {n}" for name, n in reading.counts().items())
    return (
        f"round {number:3}: {reading.rss / 1e6:6.1f} MB resident, "
        f"{reading.pss / 1e6:6.1f} MB proportional, "
        f"{reading.private / 1e6:6.1f} MB its own; {counts}, "
        f"threads {reading.census.threads}, "
        f"objects {sum(reading.census.objects.values())}"
    )


def report(found: Soak) -> str:
    """What was found, in words."""
    first, last = found.readings[0], found.readings[-1]
    lines = [
        str(found.tally),
        f"memory of its own: {first.private / 1e6:.1f} MB after the warm-up, "
        f"{last.private / 1e6:.1f} MB at the end, "
        f"{(last.at - first.at) / 60:.1f} minutes later; "
        f"{slope(found.readings) / 1e3:+.1f} kB a minute",
        *(f"Failed: {failure}" for failure in found.tally.failures),
    ]
    return "\n".join(lines)


async def _main(options: argparse.Namespace) -> int:
    core = Cores.choose().server
    names = options.floods if options.floods is not None else list(BY_NAME)
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = await soak(
                Path(folder),
                core,
                [BY_NAME[name] for name in names],
                options.minutes,
                options.round,
                warm_up=WARM_UP,
                seed=options.seed,
                keep=options.keep,
            )
        except ServerError as error:
            print(f"Failed: {error}")
            return 1
    print(report(found))
    return 1 if found.tally.failures else 0


def main(arguments: list[str]) -> int:
    """Run, and return the exit status: 1 when anything is wrong."""
    options = _parser().parse_args(arguments)
    return run(_main(options))
