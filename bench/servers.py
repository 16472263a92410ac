"""The servers under test: their processes, and what these use."""

import asyncio
import enum
import math
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Seconds that a server may take to listen, and to end once it is told to.
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0

# CPUCLOCK_SCHED of Linux's per-process clocks (see clock_getcpuclockid(3)).
_CPU_CLOCK = 2


class ServerError(Exception):
    """A server does not run. The message has the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to publish or to watch.

    Attributes:
        url: of WHIP or WHEP.
        token: a Bearer token; None for none.
    """

    url: str
    token: str | None = None


class Feature(enum.Enum):
    """What a server has, as far as measures need it."""

    ECHO = enum.auto()
    MEDIA = enum.auto()
    STREAMS = enum.auto()
    VIEWERS = enum.auto()
    CROWDS = enum.auto()
    """Viewers by the hundred."""
    API = enum.auto()
    """Whipbird's own: ``/api``, and viewers that wait for a publisher."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server that can be started, or runs already.

    Attributes:
        name: what the table calls it.
        module: what ``python -m`` runs.
        arguments: further ones.
        command: what runs instead of Python, without ``arguments``.
        viewers: how many are tried to watch one stream, one number after another.
        forwards: whether these get the publisher's packets, not other ones.
        tree: the checkout that it is run from; None for this one.
        whip, whep: its endpoints; ``{port}`` and ``{stream}`` stand for these. It is
            started with ``--port``. None where it has none.
        token: a Bearer token, in which ``{stream}`` may stand as well.
        is_running: it is not to be started.
        pid: the process, if it runs already and may be looked at.
        features: what it has.
    """

    name: str
    module: str = ""
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    viewers: tuple[int, ...] = ()
    forwards: bool = False
    tree: Path | None = None
    whip: str = "http://127.0.0.1:{port}/whip/{stream}"
    whep: str | None = "http://127.0.0.1:{port}/whep/{stream}"
    token: str | None = None
    is_running: bool = False
    pid: int | None = None
    features: frozenset[Feature] = frozenset(Feature)


# One client sends all the requests, as fast as it can.
NO_LIMITS = ("--post-rate", "0", "--patch-rate", "0", "--delete-rate", "0")

WHIPBIRD = Program(
    "whipbird",
    "whipbird",
    ("serve", "--log-level", "warning", "--max-sessions", "2000", *NO_LIMITS),
    viewers=(100, 200, 400, 500, 600, 800, 1000, 1200),
    forwards=True,
)


def before(tree: Path) -> Program:
    """Whipbird as another checkout has it: from before a change."""
    return replace(WHIPBIRD, name="before", tree=tree.resolve())


# ... where the compiled packet path is built, without it.
IN_PYTHON = replace(
    WHIPBIRD, name="in python", arguments=(*WHIPBIRD.arguments, "--native", "off")
)

TEXTBOOK = Program(
    "textbook",
    "bench.textbook",
    viewers=(1, 2, 3, 4),
    features=frozenset(Feature) - {Feature.CROWDS, Feature.API},
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        port: of its HTTP; 0 when it was not started here.
        pid: its process id; None when it is not known.
        program: what runs.
        log: what it writes; None when it was not started here.
        stream: the name of its stream; several have numbers behind it.
    """

    port: int
    pid: int | None
    program: Program
    log: Path | None
    stream: str = "bench"

    @property
    def url(self) -> str:
        """The WHIP endpoint of its stream."""
        return self.publish().url

    def publish(self, number: int | None = None) -> Endpoint:
        """Where its stream, or one of several, is published."""
        return self._endpoint(self.program.whip, number)

    def watch(self, number: int) -> Endpoint:
        """Where one of several streams is watched."""
        assert self.program.whep is not None
        return self._endpoint(self.program.whep, number)

    def _endpoint(self, url: str, number: int | None) -> Endpoint:
        stream = self.stream if number is None else f"{self.stream}-{number}"
        token = self.program.token
        return Endpoint(
            url.format(port=self.port, stream=stream),
            None if token is None else token.format(stream=stream),
        )

    def cpu(self) -> float:
        """Seconds of CPU it has used, all its threads together.

        The sum of utime and stime in ``/proc/PID/stat``, but not in steps of 10 ms.
        Not a number when its process is not known.
        """
        if self.pid is None:
            return math.nan
        return time.clock_gettime((~self.pid << 3) | _CPU_CLOCK)

    def faults(self) -> tuple[str, ...]:
        """The lines of its log that tell of an error, and the ends of tracebacks."""
        assert self.log is not None
        return faults_in(self.log.read_text(errors="replace"))

    def memory(self) -> float:
        """Octets of its memory that are resident (VmRSS); not a number if unknown."""
        if self.pid is None:
            return math.nan
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
    if program.is_running:
        yield Server(0, program.pid, program, None)
        return
    with (
        tempfile.TemporaryDirectory() as empty,
        tempfile.NamedTemporaryFile() as log,
    ):
        port = _free_port()
        process = await asyncio.create_subprocess_exec(
            *(
                program.command
                or (sys.executable, "-m", program.module, *program.arguments)
            ),
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
            yield Server(port, process.pid, program, Path(log.name))
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
