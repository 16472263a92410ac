"""One trial: a server, a path, and what is seen through it."""

import asyncio
import json
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..clients import BenchError
from ..servers import ROOT, Endpoint
from .browsers import Browser, Tab
from .cases import Case, Side
from .figures import Look, published, queued, seen
from .lab import Lab, started
from .subjects import Subject, serving
from .way import Counters, Impairment

#: Seconds that a trial may take beside those that it measures.
TIMEOUT = 90.0
# Seconds between two looks at the relay.
_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """What all trials share.

    Attributes:
        client, server: a browser behind the relay, and one beside the server.
        seconds: how long is measured.
        codec: of the picture that is watched.
    """

    lab: Lab
    client: Browser
    server: Browser
    seconds: float
    codec: str


async def run(case: Case, subject: Subject, stage: Stage) -> dict[str, float]:
    """Make a trial.

    Returns:
        The figures, as in `METRICS`, and ``relay``: how late the relay passed packets
        on, in ms.
    """
    await stage.lab.impair(*case.clean)
    async with serving(subject, stage.lab):
        if case.side is Side.VIEWER:
            return await _watch(case, subject, stage)
        return await _publish(case, subject, stage)


async def _watch(case: Case, subject: Subject, stage: Stage) -> dict[str, float]:
    """Watch encoded media through the relay."""
    async with (
        _source(subject.whip, stage) as source,
        stage.client.tab(subject.origin) as page,
    ):
        await page.watch(subject.whep)
        await _impair(case, stage.lab, down=case.media)
        sent, begin = await _sent(source), await _look(page)
        steps = await _measure("down", stage)
        sent, end = await _sent(source) - sent, await _look(page)
    octets = sum(step.octets for step in steps)
    return {
        **seen(begin, end),
        "beside": 100 * (octets / sent - 1),
        **_of_the_relay(case, steps),
    }


async def _publish(case: Case, subject: Subject, stage: Stage) -> dict[str, float]:
    """Publish a camera through the relay."""
    async with (
        stage.client.tab(subject.origin) as camera,
        stage.server.tab(subject.origin) as viewer,
    ):
        await camera.publish(subject.whip)
        await viewer.watch(subject.whep)
        await _impair(case, stage.lab, up=case.media)
        begin, began = await _look(viewer), await _look(camera)
        steps = await _measure("up", stage)
        end, ended = await _look(viewer), await _look(camera)
    return {
        **seen(begin, end),
        **published(began, ended),
        **_of_the_relay(case, steps),
    }


async def _impair(
    case: Case, lab: Lab, down: Impairment | None = None, up: Impairment | None = None
) -> None:
    await lab.impair(down, up)
    await asyncio.sleep(case.settle)
    # Only what comes from now on is counted.
    await lab.impair()


async def _measure(direction: str, stage: Stage) -> list[Counters]:
    """Let time pass, and look at the relay in equal steps."""
    loop = asyncio.get_running_loop()
    began, steps = loop.time(), []
    for number in range(1, round(stage.seconds / _STEP) + 1):
        await asyncio.sleep(began + number * _STEP - loop.time())
        steps.append((await stage.lab.impair())[direction])
    return steps


def _of_the_relay(case: Case, steps: list[Counters]) -> dict[str, float]:
    passed, late = sum(s.passed for s in steps), sum(s.late for s in steps)
    return {
        **(queued(steps, _STEP) if case.media.rate < math.inf else {}),
        "relay": 1000 * late / passed if passed else 0.0,
    }


async def _look(page: Tab) -> Look:
    return Look(**await page.look())


@asynccontextmanager
async def _source(
    endpoint: Endpoint, stage: Stage
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Publish encoded media from beside the server."""
    command = [sys.executable, "-m", "bench.loss.source", endpoint.url, stage.codec]
    if endpoint.token is not None:
        command.append(endpoint.token)
    async with started(stage.lab.server, command, ROOT) as process:
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise BenchError("the publisher has no connection")
        yield process


async def _sent(source: asyncio.subprocess.Process) -> int:
    """How many octets the publisher has sent."""
    assert source.stdin is not None
    assert source.stdout is not None
    source.stdin.write(b"\n")
    octets: int = json.loads(await source.stdout.readline())["octets"]
    return octets
