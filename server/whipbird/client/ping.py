"""Round trips over a data channel, like ping(8)."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from struct import Struct

from .errors import WhipError
from .whip import WhipClient

_HEADER = Struct("!Q")
MIN_SIZE = _HEADER.size


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one ping.

    Attributes:
        sequence: its number, from 1.
        size: the size of the message in octets.
        rtt: the round-trip time in seconds; None if no echo was received in time.
    """

    sequence: int
    size: int
    rtt: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of pings. Times are in seconds, and None without any echo.

    Attributes:
        mdev: the standard deviation, named as by ping(8).
    """

    sent: int
    received: int
    min: float | None = None
    avg: float | None = None
    max: float | None = None
    mdev: float | None = None

    @property
    def loss(self) -> float:
        """The fraction that was lost, 0 to 1."""
        return 1 - self.received / self.sent if self.sent else 0.0

    @classmethod
    def of(cls, replies: Sequence[Reply]) -> "Summary":
        """Compute the statistics of replies."""
        rtts = [reply.rtt for reply in replies if reply.rtt is not None]
        if not rtts:
            return cls(len(replies), 0)
        avg = math.fsum(rtts) / len(rtts)
        variance = math.fsum((rtt - avg) ** 2 for rtt in rtts) / len(rtts)
        return cls(
            len(replies), len(rtts), min(rtts), avg, max(rtts), math.sqrt(variance)
        )


async def ping(
    client: WhipClient,
    *,
    count: int | None = None,
    interval: float = 1.0,
    size: int = 64,
    timeout: float = 2.0,
) -> AsyncIterator[Reply]:
    """Connect, then send messages one by one and wait for the echo of each.

    Args:
        client: a client that is not connected yet.
        count: the number of messages; None for no limit.
        interval: seconds between messages.
        size: octets of a message; at least ``MIN_SIZE``.
        timeout: seconds after which a message counts as lost.

    Raises:
        WhipError: when the connection fails or is lost.
    """
    channel = client.peer.createDataChannel("whipbird-ping")
    # Sequence numbers and times; None when the channel is closed.
    echoes: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()

    def received(message: bytes | str) -> None:
        now = time.perf_counter()
        if isinstance(message, bytes) and len(message) >= MIN_SIZE:
            echoes.put_nowait((_HEADER.unpack_from(message)[0], now))

    channel.on("message", received)
    channel.on("close", lambda: echoes.put_nowait(None))
    await client.connect()
    await client.opened(channel)
    largest = client.peer.max_message_size
    if largest and size > largest:
        raise WhipError(
            "Message too large", f"the server accepts at most {largest} octets"
        )
    padding = bytes(size - MIN_SIZE)
    sequence = 0
    loop = asyncio.get_running_loop()
    while count is None or sequence < count:
        sequence += 1
        next_at = loop.time() + interval
        if channel.readyState != "open":
            raise WhipError("Connection lost", "the data channel is closed")
        sent = time.perf_counter()
        channel.send(_HEADER.pack(sequence) + padding)
        rtt = None
        try:
            async with asyncio.timeout(timeout):
                while rtt is None:
                    echo = await echoes.get()
                    if echo is None:
                        break
                    if echo[0] == sequence:
                        rtt = echo[1] - sent
        except TimeoutError:
            pass
        yield Reply(sequence, size, rtt)
        if count is None or sequence < count:
            await asyncio.sleep(max(0.0, next_at - loop.time()))
