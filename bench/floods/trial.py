"""One trial of a flood: a server, a client that does nothing wrong, and an attacker."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ..clients import BenchError, Clients
from ..servers import ROOT, Program, Server, environment, running, stop
from .bystander import Bystander, Times, bystander
from .floods import Flood

# With the limits that everybody has; errors are looked for in the log.
PROGRAM = Program(
    "whipbird", "whipbird", ("serve", "--ice-loopback", "--log-level", "warning")
)

# Seconds for an attacker to be ready.
READY_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one trial has found.

    Attributes:
        rate: hostile datagrams or requests per second.
        server: seconds of the server's CPU for one of them.
        attacker: seconds of the attacker's CPU for one of them.
        share: the part of a core that the server spent on the flood.
        ping, request: the 99th percentiles of another client's messages and requests
            during the flood, as multiples of those without.
        calm, flooded: what these are multiples of, and the times themselves.
        faults: lines of the server's log that tell of an error.
    """

    rate: float
    server: float
    attacker: float
    share: float
    ping: float
    request: float
    calm: Times
    flooded: Times
    faults: tuple[str, ...]


class Attack:
    """A process that floods, once it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def step(self) -> dict[str, Any]:
        """What it says next.

        Raises:
            BenchError: when it has ended instead.
        """
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise BenchError("the attacker has ended")
        said: dict[str, Any] = json.loads(line)
        return said

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def ended(self) -> None:
        """Wait until it has let go of what it held, and ended."""
        async with asyncio.timeout(READY_TIMEOUT):
            await self._process.wait()


@contextlib.asynccontextmanager
async def attacking(flood: Flood, url: str, seconds: float) -> AsyncIterator[Attack]:
    """Start an attacker, and end it when done."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.floods.attack", flood.name, url, str(seconds)),
        cwd=ROOT,
        env=environment(ROOT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        attack = Attack(process)
        async with asyncio.timeout(READY_TIMEOUT):
            await attack.step()
        yield attack
    finally:
        await stop(process)


async def run(
    flood: Flood, clients: Clients, core: int | None, seconds: float
) -> Result:
    """Measure without the flood, with it, and without it again.

    Args:
        seconds: of the flood; half as long before and after it.
    """
    async with running(PROGRAM, core) as server:
        async with (
            bystander(server, clients) as other,
            attacking(flood, server.url, seconds) as attack,
        ):
            await other.measure(0.5)
            before, idle_before = await _calm(server, other, seconds / 2)
            cpu = server.cpu()
            attack.go_on()
            flooded, said = await asyncio.gather(other.measure(seconds), attack.step())
            cpu = server.cpu() - cpu
            attack.go_on()
            await asyncio.sleep(0.5)
            after, idle_after = await _calm(server, other, seconds / 2)
        faults = server.faults()
    calm = Times(
        before.pings + after.pings,
        before.requests + after.requests,
        before.failures + after.failures,
    )
    cost = max(cpu - idle_before - idle_after, 0.0)
    sent = max(int(said["sent"]), 1)
    return Result(
        rate=sent / seconds,
        server=cost / sent,
        attacker=said["cpu"] / sent,
        share=cost / seconds,
        ping=flooded.ping_p99 / calm.ping_p99,
        request=flooded.request_p99 / calm.request_p99,
        calm=calm,
        flooded=flooded,
        faults=faults,
    )


async def _calm(
    server: Server, other: Bystander, seconds: float
) -> tuple[Times, float]:
    """What it is like without a flood, and the CPU that the server uses then."""
    cpu = server.cpu()
    times = await other.measure(seconds)
    return times, server.cpu() - cpu
