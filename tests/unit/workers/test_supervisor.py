"""The supervisor, with workers that do nothing but say how they are."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it needs Linux")

# Seconds, on a machine that has much else to do.
LIMIT = 60.0

PROGRAM = """
import asyncio, logging, os, signal, sys, time
from whipbird.workers import Ports
from whipbird.workers.supervisor import Supervisor

logging.basicConfig(format="%(message)s", stream=sys.stdout)
how = sys.argv[1]

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

async def run(worker, number):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    if how == "waits":
        loop.add_signal_handler(signal.SIGTERM, say, "waits", number)
    else:
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, say, "hangup", number)
    def told(states):
        if number == 0:
            say("states", *(f"{s.number}:{s.state}:{s.restarts}" for s in states))
    worker.listen(told, lambda: (say("abandoned", number), stop.set()))
    worker.tell_ready(Ports(80, 81, 0, 0))
    await stop.wait()
    say("stopped", number)

def work(worker):
    number = worker.shard.number
    say("began", number, os.getpid(), worker.ports and worker.ports.http)
    if how == "first fails" and number == 0 or how == "second fails" and number == 1:
        return 3
    if how == "crashes" and number == 1 and worker.ports and os.path.exists(flag):
        os.kill(os.getpid(), signal.SIGSEGV)
    asyncio.run(run(worker, number))
    return 0

def started():
    say("started")
    open(flag, "w").close()

flag = sys.argv[2]
code = Supervisor(
    2,
    work,
    started=started,
    stopping=lambda: say("stopping"),
    reloading=lambda: say("reloading"),
).run()
say("ended", code)
"""


class Supervised:
    """The supervisor's process, and what all of them have said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def hears(self, pattern: str) -> re.Match[str]:
        """Wait for a line, and return its match; earlier lines count, too."""
        assert self.process.stdout is not None
        for line in self.lines:
            if found := re.fullmatch(pattern, line):
                return found
        async with asyncio.timeout(LIMIT):
            while line := (await self.process.stdout.readline()).decode().strip():
                self.lines.append(line)
                if found := re.fullmatch(pattern, line):
                    return found
        raise AssertionError(f"no {pattern} in {self.lines}")

    async def rest(self) -> list[str]:
        """What was said in all, once all have ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT):
            octets = await self.process.stdout.read()
        self.lines += octets.decode().splitlines()
        return self.lines

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


Start = Callable[[str], "asyncio.Future[Supervised]"]


@pytest.fixture
async def start(tmp_path: os.PathLike[str]) -> AsyncIterator[Start]:
    made: list[Supervised] = []

    async def run(how: str) -> Supervised:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, how, f"{tmp_path}/flag"),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        made.append(Supervised(process))
        return made[-1]

    yield lambda how: asyncio.ensure_future(run(how))
    for one in made:
        if one.process.returncode is None:
            one.process.kill()
        await one.process.wait()


async def test_a_life(start: Start, tmp_path: os.PathLike[str]) -> None:
    """The first finds the ports of all; signals reach all; nothing is left."""
    one = await start("well")
    await one.hears("started")
    await one.hears("states 0:running:0 1:running:0")
    assert any(re.fullmatch(r"began 0 \d+ None", line) for line in one.lines)
    assert any(re.fullmatch(r"began 1 \d+ 80", line) for line in one.lines)
    one.send(signal.SIGHUP)
    for number in range(2):
        await one.hears(f"hangup {number}")
    one.send(signal.SIGTERM)
    lines = await one.rest()
    assert lines.count("stopping") == lines.count("reloading") == 1
    assert {"stopped 0", "stopped 1"} <= set(lines)
    assert lines[-1] == "ended 0"
    # Its folder of local sockets has gone.
    assert os.listdir(tmp_path) == ["flag"]


async def test_a_second_signal_is_another_one(start: Start) -> None:
    """So a worker tells it from the first, which may come more than once."""
    one = await start("waits")
    await one.hears("states 0:running:0 1:running:0")
    one.send(signal.SIGTERM)
    for number in range(2):
        await one.hears(f"waits {number}")
    one.send(signal.SIGTERM)
    lines = await one.rest()
    assert lines.count("stopping") == 1
    assert lines[-1] == "ended 0"


@pytest.mark.parametrize("which", ["first", "second"])
async def test_one_that_cannot_start_ends_all(start: Start, which: str) -> None:
    one = await start(f"{which} fails")
    lines = await one.rest()
    assert lines[-1] == "ended 3"
    assert "started" not in lines
    assert (which == "second") == ("stopped 0" in lines)


async def test_one_that_crashes_again_and_again(start: Start) -> None:
    """It is started after longer and longer pauses, and the other goes on."""
    one = await start("crashes")
    await one.hears("started")
    pid = int((await one.hears(r"began 1 (\d+) 80"))[1])
    os.kill(pid, signal.SIGKILL)
    text = r"Worker 1 has ended \(SIG{}\); it starts again in {} s"
    await one.hears(text.format("KILL", "0.25"))
    await one.hears("states 0:running:0 1:starting:1")
    await one.hears(text.format("SEGV", "0.5"))
    await one.hears(text.format("SEGV", "1"))
    await one.hears("states 0:running:0 1:starting:3")
    one.send(signal.SIGTERM)
    lines = await one.rest()
    assert lines[-1] == "ended 0"
    assert lines.count("stopped 0") == 1


async def test_workers_end_with_the_supervisor(start: Start) -> None:
    one = await start("well")
    await one.hears("states 0:running:0 1:running:0")
    one.process.kill()
    lines = await one.rest()
    assert {"abandoned 0", "abandoned 1", "stopped 0", "stopped 1"} <= set(lines)
