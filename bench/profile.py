"""``python -m bench --profile``: whose work the hot paths are, by perf(1)."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from . import clip, echo, program, publisher, sessions, watching
from .clients import Clients
from .document import put_into
from .program import TRIAL_ERRORS, Cores, say
from .servers import WHIPBIRD, Server, ServerError, running

# Samples per second; not a divisor of what runs in steps of its own.
FREQUENCY = 499
SECONDS = 6.0
PINGS = 12_000
SESSIONS = 600
PUBLISHERS = 25
VIEWERS = 100

#: Whose work it is, by what the name of a library contains, in this order; of what has
#: none of these, ``others``.
OWNERS: Mapping[str, tuple[str, ...]] = {
    "kernel": ("[kernel", "[vdso]", "[guest"),
    "OpenSSL": ("_rust.abi3", "libcrypto", "libssl"),
    "libsrtp": ("pylibsrtp", "libsrtp", "_binding."),
    "libuv": ("uvloop", "loop.cpython", "libuv"),
    "native": ("whipbird_native",),
    "Python": ("libpython", "python3", "[jit]"),
    "libc": ("libc.so", "libm.so", "ld-linux"),
}
COLUMNS = (*OWNERS, "others")


@dataclass(frozen=True, slots=True)
class HotPath:
    """A hot path.

    Attributes:
        title: what is done again and again.
        unit: in which its cost is.
        load: does it, and returns the server's CPU time for one, in microseconds.
    """

    title: str
    load: Callable[[Server, Clients], Awaitable[float]]


async def _pings(server: Server, clients: Clients) -> float:
    return (await echo.round_trips(server, clients, PINGS))["cpu"]


async def _bulk(server: Server, clients: Clients) -> float:
    # From ms for one MB to us for one message of 16 kB.
    figures = await echo.throughput(server, clients, 16_000, 32, SECONDS)
    return figures["cpu"] * 16.0


async def _sessions(server: Server, clients: Clients) -> float:
    return (await sessions.turnover(server, clients, SESSIONS))["cpu"] * 1e3


async def _packets_in(server: Server, clients: Clients) -> float:
    clips = [clip.h264_picture()]
    return await publisher.packet(server, clients, clips, PUBLISHERS, SECONDS)


async def _packets_out(server: Server, clients: Clients) -> float:
    clips = [clip.h264_picture(), clip.sound()]
    figures = await watching.more_and_more(server, clients, clips, [VIEWERS], SECONDS)
    return figures[f"packet{VIEWERS}"]


PATHS = (
    HotPath("one message of 64 bytes, echoed", _pings),
    HotPath("one message of 16 kB among 32, echoed", _bulk),
    HotPath(f"one RTP packet in, of {PUBLISHERS} publishers", _packets_in),
    HotPath(f"one RTP packet to one of {VIEWERS} viewers", _packets_out),
    HotPath("one session: POST, channel, DELETE", _sessions),
)


def owner_of(library: str) -> str:
    """Whose work a library's is, by its name as perf has it."""
    for owner, parts in OWNERS.items():
        if any(part in library for part in parts):
            return owner
    return "others"


def shares(report: str) -> dict[str, float]:
    """The shares of the owners, from 0 to 1.

    Args:
        report: of ``perf report``: lines of a percentage, a comma and a library.
    """
    found = dict.fromkeys(COLUMNS, 0.0)
    for line in report.splitlines():
        overhead, comma, library = line.strip().partition(",")
        if comma and not line.startswith("#"):
            found[owner_of(library.strip())] += float(overhead.rstrip("% "))
    whole = sum(found.values()) or 1.0
    return {owner: share / whole for owner, share in found.items()}


@asynccontextmanager
async def _recorded(pid: int, folder: Path) -> AsyncIterator[Path]:
    """Let perf take samples of a process."""
    data = folder / "perf.data"
    command = ("perf", "record", "--event", "cpu-clock", "--freq", str(FREQUENCY))
    process = await asyncio.create_subprocess_exec(
        *(*command, "--output", str(data), "--pid", str(pid)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield data
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _profile(path: HotPath, core: int | None) -> tuple[float, dict[str, float]]:
    """The cost of a path for one, in microseconds, and the shares of it."""
    with tempfile.TemporaryDirectory() as name:
        async with running(WHIPBIRD, core) as server:
            assert server.pid is not None
            async with _recorded(server.pid, Path(name)) as data:
                cost = await path.load(server, Clients())
        return cost, shares(await _report(data))


async def _report(data: Path) -> str:
    """The samples by library."""
    command = ("perf", "report", "--input", str(data), "--sort", "dso", "--stdio")
    process = await asyncio.create_subprocess_exec(
        *(*command, "--field-separator", ",", "--quiet"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    report, errors = await process.communicate()
    if process.returncode or not report.strip():
        raise ServerError(f"perf has no samples: {errors.decode().strip()}")
    return report.decode()


def as_markdown(results: Mapping[str, tuple[float, Mapping[str, float]]]) -> str:
    """A table: a line for each path, microseconds by owner."""
    lines = [
        f"| µs of CPU | all | {' | '.join(COLUMNS)} |",
        f"|---|--:|{'--:|' * len(COLUMNS)}",
    ]
    for title, (cost, of) in results.items():
        cells = " | ".join(_short(cost * of[owner]) for owner in COLUMNS)
        lines.append(f"| {title} | {_short(cost)} | {cells} |")
    return "\n".join(lines)


def _short(figure: float) -> str:
    return f"{figure:.1f}" if figure < 100 else f"{figure:.0f}"


async def _main(options: argparse.Namespace) -> int:
    core = Cores.choose().server
    results, failures = {}, []
    for path in PATHS:
        say(path.title)
        try:
            results[path.title] = await _profile(path, core)
        except TRIAL_ERRORS as error:
            failures.append(f"{path.title}: {error or type(error).__name__}")
    say("")
    table = as_markdown(results)
    print(table)
    for failure in failures:
        print(f"Failed: {failure}")
    if options.write is not None and not failures:
        put_into(options.write, "hot paths", table)
    return 1 if failures else 0


def main(arguments: Sequence[str]) -> int:
    """Run, and return the exit status: 1 when a path could not be profiled."""
    parser = argparse.ArgumentParser(
        prog="python -m bench --profile", description=__doc__
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put the table into this Markdown file, between its two comments "
        "<!-- hot paths --> and <!-- end of hot paths -->",
    )
    options = parser.parse_args(arguments)
    if shutil.which("perf") is None:
        print("Skipped: this needs perf.")
        return 0
    return program.run(_main(options))
