"""How fast messages come back: round trips, and throughput."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from struct import Struct

from .clients import BenchError, Clients, Wire
from .servers import Server

PING_SIZE = 64
# Those that ping together, and how many of them are set up at a time.
SESSIONS = 200
AT_ONCE = 10
WARM_UP_PINGS = 200
# Seconds from one message to the next where they are paced.
INTERVAL = 0.01

# Seconds before throughput is measured: the congestion window has to open.
WARM_UP = 0.5
# Seconds within which all that was sent has to be back.
DRAIN_TIMEOUT = 20.0

_NUMBER = Struct("!Q")


class Numbered:
    """Messages of one size, each with its number, checked when they come back."""

    def __init__(self, wire: Wire, size: int) -> None:
        self._wire = wire
        self._body = bytes(i * 7 & 0xFF for i in range(size - _NUMBER.size))
        self.sent = 0
        self.received = 0

    def send(self) -> None:
        """Send the next."""
        self._wire.send(_NUMBER.pack(self.sent) + self._body)
        self.sent += 1

    def check(self, message: bytes) -> None:
        """Take one that is back.

        Raises:
            BenchError: when it is not the one that is due, or not as it was sent.
        """
        if (
            len(message) != _NUMBER.size + len(self._body)
            or _NUMBER.unpack_from(message)[0] != self.received
            or not message.endswith(self._body)
        ):
            raise BenchError(f"message {self.received} came back changed")
        self.received += 1


async def round_trips(server: Server, clients: Clients, count: int) -> dict[str, float]:
    """Send small messages, one at a time.

    Returns:
        The median, the 99th and the 99.9th percentile of the round trip, in ms, and
        the server's CPU time for one, in microseconds.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    times: list[float] = []
    sent = cpu = 0.0
    async with clients.wired(server.publish()) as wire:
        messages = Numbered(wire, PING_SIZE)

        def ping() -> None:
            nonlocal sent, cpu
            if len(times) == WARM_UP_PINGS:
                cpu = server.cpu()
            sent = time.perf_counter()
            messages.send()

        def pong(message: bytes) -> None:
            times.append(time.perf_counter() - sent)
            try:
                messages.check(message)
            except BenchError as error:
                done.set_exception(error)
                return
            if len(times) < WARM_UP_PINGS + count:
                # Not before this packet is dealt with.
                loop.call_soon(ping)
            else:
                done.set_result(None)

        wire.on_message(pong)
        ping()
        await done
        cpu = server.cpu() - cpu
    return {**_percentiles(times[WARM_UP_PINGS:]), "cpu": cpu * 1e6 / count}


async def paced_round_trips(
    server: Server, clients: Clients, seconds: float
) -> dict[str, float]:
    """Send small messages at equal intervals, whether or not the last one is back.

    So a server that stands still for a moment is asked as often as at other times.

    Returns:
        The percentiles of the round trip from when each was due, in ms.
    """
    count = round(seconds / INTERVAL)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    times: list[float] = []
    async with clients.wired(server.publish()) as wire:
        messages = Numbered(wire, PING_SIZE)
        began = time.perf_counter()

        def pong(message: bytes) -> None:
            times.append(time.perf_counter() - began - messages.received * INTERVAL)
            try:
                messages.check(message)
            except BenchError as error:
                done.set_exception(error)
                return
            if messages.received == count:
                done.set_result(None)

        wire.on_message(pong)
        for number in range(count):
            due = began + number * INTERVAL
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            messages.send()
        await asyncio.wait_for(done, DRAIN_TIMEOUT)
    return _percentiles(times)


async def many(server: Server, clients: Clients, seconds: float) -> dict[str, float]:
    """Ping in many sessions at once, each when the message before is back.

    Returns:
        As ``round_trips``.
    """
    times: list[float] = []
    async with AsyncExitStack() as stack:
        wires: list[Wire] = []
        while len(wires) < SESSIONS:
            opening = [
                stack.enter_async_context(clients.wired(server.publish()))
                for _ in range(AT_ONCE)
            ]
            wires += await asyncio.gather(*opening)
        for wire in wires:
            _keep_pinging(wire, times)
        await asyncio.sleep(WARM_UP)
        times.clear()
        cpu = server.cpu()
        await asyncio.sleep(seconds)
        cpu, measured = server.cpu() - cpu, times.copy()
    return {**_percentiles(measured), "cpu": cpu * 1e6 / len(measured)}


def _keep_pinging(wire: Wire, times: list[float]) -> None:
    """Send a message, and another one whenever it is back."""
    loop, body = asyncio.get_running_loop(), bytes(PING_SIZE)
    sent = time.perf_counter()

    def ping() -> None:
        nonlocal sent
        sent = time.perf_counter()
        with contextlib.suppress(BenchError):  # the measurement is over
            wire.send(body)

    def pong(_message: bytes) -> None:
        times.append(time.perf_counter() - sent)
        loop.call_soon(ping)

    wire.on_message(pong)
    ping()


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    """The percentiles of some times in seconds, in ms."""
    cuts = statistics.quantiles(times, n=1000)
    return {"p50": cuts[499] * 1e3, "p99": cuts[989] * 1e3, "p999": cuts[998] * 1e3}


async def throughput(
    server: Server, clients: Clients, size: int, window: int, seconds: float
) -> dict[str, float]:
    """Keep a number of messages on their way, each replaced when it is back.

    Args:
        size: octets of a message.
        window: how many are on their way.
        seconds: how long to measure.

    Returns:
        MB/s that came back, and the server's CPU time for one MB, in ms.
    """
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    is_over = False
    async with clients.wired(server.publish()) as wire:
        messages = Numbered(wire, size)

        def replace(message: bytes) -> None:
            if done.done():
                return
            try:
                messages.check(message)
                if not is_over:
                    messages.send()
                elif messages.received == messages.sent:
                    done.set_result(None)
            except BenchError as error:
                done.set_exception(error)

        wire.on_message(replace)
        for _ in range(window):
            messages.send()
        await asyncio.wait({done}, timeout=WARM_UP)
        before, began, cpu = messages.received, time.perf_counter(), server.cpu()
        await asyncio.wait({done}, timeout=seconds)
        octets = (messages.received - before) * size
        elapsed, cpu = time.perf_counter() - began, server.cpu() - cpu
        is_over = True
        await asyncio.wait_for(done, DRAIN_TIMEOUT)
    megabytes = octets / 1e6
    return {"rate": megabytes / elapsed, "cpu": cpu * 1e3 / megabytes}
