"""Another client of the flooded server: how long its messages and requests take."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from struct import Struct

import aiohttp
from yarl import URL

from ..clients import Clients, Wire
from ..servers import Server

# Seconds between two pings, and between two requests.
PING_INTERVAL = 0.005
REQUEST_INTERVAL = 0.05
# Seconds after which a message or a request counts as lost.
LOST = 5.0

_NUMBER = Struct("!Q")
_BODY = bytes(56)


@dataclass
class Times:
    """What was measured in one phase, in seconds.

    Attributes:
        pings: the round trips of messages.
        requests: the times of HTTP requests, each on a new connection.
        failures: requests that were refused or not answered.
    """

    pings: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def ping_p99(self) -> float:
        """The 99th percentile of the round trips."""
        return percentile(self.pings, 99)

    @property
    def request_p99(self) -> float:
        """The 99th percentile of the requests."""
        return percentile(self.requests, 99)


def percentile(times: list[float], percent: int) -> float:
    """A percentile; infinite when there is next to nothing."""
    if len(times) < 2:
        return float("inf")
    return statistics.quantiles(times, n=100)[percent - 1]


class Bystander:
    """A client with an open data channel."""

    def __init__(self, wire: Wire, url: str) -> None:
        self.times = Times()
        self._wire = wire
        self._url = URL(url).with_path("/healthz")
        self._sent: dict[int, tuple[float, Times]] = {}
        self._number = 0
        wire.on_message(self._came)

    async def measure(self, seconds: float) -> Times:
        """Ping and ask for a time, and wait for what is still on its way."""
        times = self.times = Times()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ping(times, seconds))
            group.create_task(self._ask(times, seconds))
        return times

    async def _ping(self, times: Times, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            self._sent[self._number] = now, times
            self._wire.send(_NUMBER.pack(self._number) + _BODY)
            self._number += 1
            await asyncio.sleep(PING_INTERVAL)
        deadline = time.perf_counter() + LOST
        # Nothing to await: it is the other side that is late.
        while self._sent and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(PING_INTERVAL)
        # The channel is reliable: what is late counts as what it took so far.
        for began, of in self._sent.values():
            of.pings.append(time.perf_counter() - began)
        self._sent.clear()

    def _came(self, message: bytes) -> None:
        sent = self._sent.pop(_NUMBER.unpack_from(message)[0], None)
        if sent is not None:
            began, times = sent
            times.pings.append(time.perf_counter() - began)

    async def _ask(self, times: Times, seconds: float) -> None:
        end = time.perf_counter() + seconds
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=LOST)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            while (began := time.perf_counter()) < end:
                try:
                    async with http.get(self._url) as response:
                        response.raise_for_status()
                        await response.read()
                except (aiohttp.ClientError, OSError, TimeoutError):
                    times.failures += 1
                times.requests.append(time.perf_counter() - began)
                await asyncio.sleep(REQUEST_INTERVAL)


@contextlib.asynccontextmanager
async def bystander(server: Server, clients: Clients) -> AsyncIterator[Bystander]:
    """Connect a client that does nothing wrong."""
    async with clients.wired(replace(server, stream="bystander").publish()) as wire:
        yield Bystander(wire, server.url)
