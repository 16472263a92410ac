"""The servers under test: their processes, and what these use."""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from yarl import URL

ROOT = Path(__file__).resolve().parent.parent

# Seconds that a server may take to listen, and to end once it is told to.
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0

# CPUCLOCK_SCHED of Linux's per-process clocks (see clock_getcpuclockid(3)).
_CPU_CLOCK = 2


class ServerError(Exception):
    """A server does not run. The message has the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server that can be started.

    Attributes:
        name: what the table calls it.
        module: what ``python -m`` runs; it takes ``--port``.
        arguments: further ones.
        viewers: how many are tried to watch one stream, one number after another.
        forwards: whether these get the publisher's packets, not other ones.
        tree: the checkout that it is run from; None for this one.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    viewers: tuple[int, ...] = ()
    forwards: bool = False
    tree: Path | None = None


# One client sends all the requests, as fast as it can.
NO_LIMITS = ("--post-rate", "0", "--patch-rate", "0", "--delete-rate", "0")

WHIPBIRD = Program(
    "whipbird",
    "whipbird",
    ("serve", "--log-level", "warning", *NO_LIMITS),
    viewers=(100, 200, 400, 500, 600),
    forwards=True,
)


def before(tree: Path) -> Program:
    """Whipbird as another checkout has it: from before a change."""
    return replace(WHIPBIRD, name="before", tree=tree.resolve())


TEXTBOOK = Program("textbook", "bench.textbook", viewers=(1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        url: its WHIP endpoint.
        pid: its process id.
        program: what runs.
        log: what it writes.
    """

    url: str
    pid: int
    program: Program
    log: Path

    def watch_url(self, stream: str) -> str:
        """The WHEP endpoint of a stream."""
        return str(URL(self.url).with_path(f"/whep/{stream}"))

    def cpu(self) -> float:
        """Seconds of CPU it has used, all its threads together.

        The sum of utime and stime in ``/proc/PID/stat``, but not in steps of 10 ms.
        """
        return time.clock_gettime((~self.pid << 3) | _CPU_CLOCK)

    def faults(self) -> tuple[str, ...]:
        """The lines of its log that tell of an error, and the ends of tracebacks."""
        return faults_in(self.log.read_text(errors="replace"))

    def memory(self) -> int:
        """Octets of its memory that are resident (VmRSS)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerError(f"process {self.pid} has ended")


def faults_in(log: str) -> tuple[str, ...]:
    """The lines of a log that tell of an error, and where tracebacks begin."""
    return tuple(
        line
        for line in log.splitlines()
        if " ERROR " in line or " CRITICAL " in line or line.startswith("Traceback")
    )


@asynccontextmanager
async def running(program: Program, core: int | None) -> AsyncIterator[Server]:
    """Start a server, and end it when done.

    Args:
        core: the CPU that it may use, alone; None for any.

    Raises:
        ServerError: when it does not listen in time.
    """
    with (
        tempfile.TemporaryDirectory() as empty,
        tempfile.NamedTemporaryFile() as log,
    ):
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            program.module,
            *program.arguments,
            "--port",
            str(port),
            # Nobody's settings but the defaults.
            cwd=empty,
            env=environment(program.tree or ROOT),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            await _listening(process, port, program.name, Path(log.name))
            yield Server(
                f"http://127.0.0.1:{port}/whip/bench",
                process.pid,
                program,
                Path(log.name),
            )
        finally:
            await stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(tree: Path) -> dict[str, str]:
    """The environment in which Python runs what is in a checkout."""
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WHIPBIRD_")
    }
    # The tree's server, whichever is installed.
    return {
        **settings,
        "PYTHONPATH": os.pathsep.join([str(tree / "server"), str(tree)]),
    }


async def _listening(
    process: asyncio.subprocess.Process, port: int, name: str, log: Path
) -> None:
    """Wait until a port accepts connections."""
    deadline = time.monotonic() + START_TIMEOUT
    while process.returncode is None and time.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise ServerError(f"{name} does not listen: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process, and wait until it has ended."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
