"""The server under test, as it is seen from outside and from within."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from ..servers import Program, Server, ServerError, running
from .census import Census

# Seconds that a busy server may take to count.
CENSUS_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The server at one moment.

    Attributes:
        at: when, in seconds of a monotonic clock.
        rss, pss: octets of memory: resident, and its share of it (proc_pid_smaps(5)).
        private: octets that it alone has written. The others depend on which other
            processes have the same libraries.
        descriptors, sockets: open ones.
        sessions: open ones, as ``/api/status`` says.
        census: what is alive in it.
    """

    at: float
    rss: int
    pss: int
    private: int
    descriptors: int
    sockets: int
    sessions: int
    census: Census

    def counts(self) -> dict[str, int]:
        """Everything that is counted, by name."""
        census = self.census
        return {
            "sessions": self.sessions,
            "descriptors": self.descriptors,
            "sockets": self.sockets,
            "tasks": census.tasks,
            "timers": census.timers,
            "endpoints": census.endpoints,
            "user names": census.ufrags,
            "paths": census.paths,
            "deadlines": census.deadlines,
        }


class Watched:
    """A server that counts what is alive in it."""

    def __init__(self, server: Server, census: Path) -> None:
        self.server = server
        self._census = census
        self._seen = -1

    @property
    def url(self) -> URL:
        """Its address."""
        return URL(self.server.url).origin()

    async def read(self) -> Reading:
        """Take a reading.

        Raises:
            ServerError: when it does not count, or has ended.
        """
        # Before the request for the status, whose connection would be counted.
        census = await self._count()
        folder = Path(f"/proc/{self.server.pid}")
        memory = _memory(folder / "smaps_rollup")
        links = _descriptors(folder / "fd")
        sessions = await self._open_sessions()
        return Reading(
            at=time.monotonic(),
            rss=memory["Rss"],
            pss=memory["Pss"],
            private=memory["Private_Dirty"],
            descriptors=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            sessions=sessions,
            census=census,
        )

    async def is_idle(self) -> None:
        """Wait until it has begun to answer, and that connection has gone."""
        await self._open_sessions()
        await asyncio.sleep(1.0)

    async def _count(self) -> Census:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGUSR2)
        deadline = time.monotonic() + CENSUS_TIMEOUT
        while time.monotonic() < deadline:
            census = Census.read(self._census)
            if census is not None and census.number > self._seen:
                self._seen = census.number
                return census
            await asyncio.sleep(0.05)
        raise ServerError("the server does not count what is alive in it")

    async def _open_sessions(self) -> int:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True)
            ) as http,
            http.get(self.url / "api" / "status") as response,
        ):
            status = await response.json()
        return int(status["sessions"]["open"])


@asynccontextmanager
async def watched(
    folder: Path, core: int | None, options: Sequence[str] = ()
) -> AsyncIterator[Watched]:
    """Start a server that records to ``folder/recordings``, and end it when done.

    Args:
        folder: empty.
        options: further ones, of ``whipbird serve``.
    """
    census = folder / "census.json"
    program = Program(
        "whipbird",
        "bench.soak.server",
        (
            *(str(census), "serve", "--log-level", "info", "--ice-loopback"),
            *("--record", str(folder / "recordings"), *options),
        ),
    )
    async with running(program, core) as server:
        watched = Watched(server, census)
        await watched.is_idle()
        yield watched


def _memory(file: Path) -> dict[str, int]:
    """Octets, by the names of proc_pid_smaps(5)."""
    lines = (line.split() for line in file.read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def _descriptors(folder: Path) -> list[str]:
    """What the descriptors are; one that is closed meanwhile is left out."""
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(folder / name))
        except FileNotFoundError:
            continue
    return links
