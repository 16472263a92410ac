"""Sessions with data channels that come, are checked, and go in every way."""

import asyncio
import random
from collections.abc import Callable
from struct import Struct

from ..clients import BenchError, Clients, TimedClient, Wire
from ..servers import Endpoint
from .tally import Tally

# Messages of a session, and the octets of each.
MESSAGES = 150
SIZES = (8, 60, 1100, 6000)
# Messages that are on their way at a time.
WINDOW = 30
# Seconds from one session to the next, about: all of them keep to the rate limits.
PAUSE = 0.7
# Seconds for all of them to be back.
TIMEOUT = 30.0

_NUMBER = Struct("!Q")


class Echoes:
    """Messages on an ordered, reliable channel: all come back, in their order."""

    def __init__(self, wire: Wire, rng: random.Random) -> None:
        self._wire = wire
        self._rng = rng
        self._sent: list[bytes] = []
        self.received = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wire.on_message(self._came)

    async def exchange(self, count: int) -> None:
        """Send so many messages, and wait for all of them.

        Raises:
            BenchError: when one comes back changed, or is missing at the end.
        """
        self._done = asyncio.get_running_loop().create_future()
        self._last = len(self._sent) + count
        for _ in range(min(WINDOW, count)):
            self._send()
        try:
            await asyncio.wait_for(self._done, TIMEOUT)
        except TimeoutError:
            raise BenchError(
                f"{self._last - self.received} of {self._last} messages did not come "
                "back"
            ) from None

    def _send(self) -> None:
        size = self._rng.choice(SIZES)
        message = _NUMBER.pack(len(self._sent)) + self._rng.randbytes(size - 8)
        self._sent.append(message)
        self._wire.send(message)

    def _came(self, message: bytes) -> None:
        if self._done.done():
            return
        if self.received >= len(self._sent) or message != self._sent[self.received]:
            self._done.set_exception(BenchError("a message came back changed"))
            return
        self.received += 1
        try:
            if len(self._sent) < self._last:
                self._send()
            elif self.received == self._last:
                self._done.set_result(None)
        except BenchError as error:
            self._done.set_exception(error)


async def churn(
    url: str,
    clients: Clients,
    tally: Tally,
    rng: random.Random,
    goes_on: Callable[[], bool],
    may_vanish: Callable[[], bool],
) -> None:
    """One session after another, as long as it is to go on.

    Args:
        may_vanish: whether a session may be left without a word: the server needs half
            a minute to notice. The first one is, and some of the others.
    """
    is_first = True
    while goes_on():
        vanishes = may_vanish() and (is_first or rng.random() < 0.3)
        is_first = False
        with tally.expecting("session"):
            await _session(url, clients, tally, rng, vanishes)
        await asyncio.sleep(PAUSE * (0.5 + rng.random()))


async def _session(
    url: str, clients: Clients, tally: Tally, rng: random.Random, vanishes: bool
) -> None:
    wire = await clients.wire(Endpoint(url))
    client = wire.client
    try:
        tally.counts["sessions"] += 1
        echoes = Echoes(wire, rng)
        await echoes.exchange(MESSAGES)
        if rng.random() < 0.3:
            await client.restart()
            tally.counts["ICE restarts"] += 1
            await echoes.exchange(MESSAGES // 3)
        tally.counts["messages echoed"] += echoes.received
        if vanishes:
            vanish(client)
            tally.counts["sessions killed"] += 1
        elif rng.random() < 0.3:
            # Its peer says good-bye, and nobody sends a DELETE.
            client.location = None
    finally:
        await client.close()


def vanish(client: TimedClient) -> None:
    """End a client as a crash does: nobody is told."""
    client.peer.connection.vanish()
    client.location = None
