"""Round trips over a data channel, like ping(8)."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from ..rtc import DataChannel
from ..stats.distribution import Distribution
from .errors import WhipError
from .round_trips import Overdue, PingStats, Reply, RoundTrips, Unsent
from .setup import Setup
from .whip import WhipClient

_HEADER = Struct("!Q")
MIN_SIZE = _HEADER.size

# Octets that may wait to be sent; a message beyond them is not sent, and lost.
_MAX_BUFFERED = 16 * 1024 * 1024
# With an interval of 0 the next message follows the echo, or after so many seconds.
_FLOOD_INTERVAL = 0.01

# Seconds between attempts to connect again: the first pause, and the longest one.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
# Seconds between questions to a silent server whether the session is still there.
_ASK_INTERVAL = 1.0
# Statuses that mean that the session has ended.
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class PingOptions:
    """What is sent, and when it ends.

    Attributes:
        count: the number of messages; None for no limit.
        interval: seconds from one message to the next; 0 sends each when the echo of
            the one before has come, or after 10 ms.
        size: octets of a message; at least ``MIN_SIZE``.
        timeout: seconds after which an echo is late. After the last message, echoes are
            waited for as long.
        deadline: seconds from the first message to the end; None for no limit. Echoes
            are waited for until then.
        ordered, max_retransmits: those of the channel (RFC 8831 section 6.1); None
            retransmits until a message has come.
        reconnect: whether to open another session when one has ended.
    """

    count: int | None = None
    interval: float = 1.0
    size: int = 64
    timeout: float = 2.0
    deadline: float | None = None
    ordered: bool = True
    max_retransmits: int | None = None
    reconnect: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """A session is connected, and its channel open.

    Attributes:
        address: the server's address and port; None if unknown.
        is_relayed: whether a TURN server is between them.
    """

    setup: Setup
    address: tuple[str, int] | None
    is_relayed: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The session has ended, or another one could not be opened yet."""

    error: WhipError


Event = Connected | Reply | Overdue | Unsent | Disconnected


class Ping:
    """Sends messages at their times, and takes the echoes when they come.

    Args:
        connect: makes a client for a session; it is called again for each session.
        options: what to send.
        on_event: called with each event, in order.
        clock: the time in seconds; that of the event loop may be too coarse.
    """

    def __init__(
        self,
        connect: Callable[[], WhipClient],
        options: PingOptions,
        on_event: Callable[[Event], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._make_client = connect
        self._options = options
        self._on_event = on_event
        self._now = clock
        self._client: WhipClient | None = None
        self._channel: DataChannel | None = None
        # Whether the server says that the session has ended.
        self._is_gone = False
        self._trips = RoundTrips(options.size, options.timeout)
        self._arrived: deque[tuple[int, float]] = deque()
        self._woken = asyncio.Event()
        self._next_at = 0.0
        self._ends_at: float | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._pause = _FIRST_PAUSE

    @property
    def rtts(self) -> Distribution:
        """The round-trip times in seconds."""
        return self._trips.times

    @property
    def stats(self) -> PingStats:
        """A snapshot."""
        return self._trips.stats

    async def run(self) -> None:
        """Connect, and ping until the count or the deadline is reached.

        Raises:
            WhipError: when the first session does not connect, or when one is lost and
                there is to be no other.
        """
        try:
            await self._connect()
            self._next_at = now = self._now()
            if self._options.deadline is not None:
                self._ends_at = now + self._options.deadline
            while True:
                self._step(now)
                if self._is_over(now):
                    break
                await self._sleep(self._wakes_at() - now)
                now = self._now()
            if self._ends_at is not None:
                # Whatever has not come by the deadline will not be waited for.
                self._trips.stop_waiting()
        finally:
            await self._close()

    # Time

    def _has_ended(self, now: float) -> bool:
        """Whether the deadline has come."""
        return self._ends_at is not None and now >= self._ends_at

    def _is_over(self, now: float) -> bool:
        """Whether nothing more is to be sent, or waited for."""
        if self._has_ended(now):
            return True
        if not self._is_all_sent:
            return False
        trips = self._trips
        return not trips.is_waiting if self._ends_at is None else trips.is_answered

    def _wakes_at(self) -> float:
        """When something is due."""
        due = [] if self._is_all_sent else [self._next_at]
        if self._trips.is_waiting:
            due.append(self._trips.late_at)
        if self._ends_at is not None:
            due.append(self._ends_at)
        return min(due, default=self._now())

    @property
    def _is_all_sent(self) -> bool:
        return self._trips.sent == self._options.count

    async def _sleep(self, seconds: float) -> None:
        """Wait for a time, or until something has happened."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()
        self._woken.clear()

    def _step(self, now: float) -> None:
        """Take what has come, then send what is due."""
        while self._arrived:
            self._take(*self._arrived.popleft())
        self._look_for_late_ones(now)
        self._look_at_the_connection()
        if now >= self._next_at and not self._is_all_sent and not self._has_ended(now):
            self._send(now)

    # Messages

    def _send(self, now: float) -> None:
        number, interval = self._trips.due(), self._options.interval
        # After a pause of this process only the newest message is due.
        self._next_at = max(self._next_at + interval, now - interval)
        if not interval:
            self._next_at = now + _FLOOD_INTERVAL
        channel = self._channel
        if (
            channel is None
            or channel.readyState != "open"
            or channel.bufferedAmount > _MAX_BUFFERED
        ):
            self._on_event(Unsent(number))
            return
        self._trips.sent_at(number, now)
        padding = bytes(self._options.size - MIN_SIZE)
        channel.send(_HEADER.pack(number) + padding)

    def _received(self, message: bytes | str) -> None:
        if isinstance(message, bytes) and len(message) >= MIN_SIZE:
            self._arrived.append((_HEADER.unpack_from(message)[0], self._now()))
            self._woken.set()

    def _take(self, number: int, arrived: float) -> None:
        if (reply := self._trips.received(number, arrived)) is None:
            return
        if not self._options.interval:
            self._next_at = arrived
        self._on_event(reply)

    def _look_for_late_ones(self, now: float) -> None:
        for overdue in self._trips.overdue(now):
            self._on_event(overdue)
            self._ask_soon()

    # Sessions

    async def _connect(self) -> None:
        """Open a session and a channel.

        Raises:
            WhipError: when the session does not connect, or takes no such messages.
        """
        options = self._options
        client = self._make_client()
        try:
            channel = client.peer.createDataChannel(
                "whipbird-ping",
                ordered=options.ordered,
                maxRetransmits=options.max_retransmits,
            )
            channel.on("message", self._received)
            channel.on("close", self._woken.set)
            await client.connect()
            await client.opened(channel)
            largest = client.peer.max_message_size
            if largest and options.size > largest:
                raise WhipError(
                    "Message too large", f"the server accepts at most {largest} octets"
                )
        except BaseException:
            await client.close()
            raise
        self._client, self._channel = client, channel
        self._pause = _FIRST_PAUSE
        self._trips.connected()
        peer = client.peer
        self._on_event(Connected(client.setup, peer.peer_address, peer.is_relayed))

    def _look_at_the_connection(self) -> None:
        """Replace a session that has ended.

        Raises:
            WhipError: when there is to be no other.
        """
        if self._channel is None:
            return
        if self._channel.readyState == "open" and not self._is_gone:
            return
        self._channel, self._is_gone = None, False
        for overdue in self._trips.give_up():
            self._on_event(overdue)
        error = WhipError("Connection lost", "the data channel is closed")
        if not self._options.reconnect:
            raise error
        self._on_event(Disconnected(error))
        self._connecting = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Open another session, as often as it takes."""
        await self._close_client()
        told = ""
        while True:
            try:
                await self._connect()
                self._woken.set()
                return
            except WhipError as error:
                if str(error) != told:
                    told = str(error)
                    self._on_event(Disconnected(error))
                await asyncio.sleep(max(self._pause, error.retry_after or 0.0))
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _ask_soon(self) -> None:
        """Ask a server that has fallen silent whether the session is still there.

        A server that was killed says no good-bye; ICE notices it after 30 seconds.
        """
        if self._options.reconnect and self._asking is None and self._channel:
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        client = self._client
        try:
            if client is not None and client.location is not None:
                await client.http.request("GET", client.location)
        except WhipError as error:
            if error.status in _GONE and client and client is self._client:
                client.location = None
                self._is_gone = True
                self._woken.set()
        else:
            await asyncio.sleep(_ASK_INTERVAL)
        finally:
            self._asking = None

    async def _close_client(self) -> None:
        client, self._client, self._channel = self._client, None, None
        if client is not None:
            await client.close()

    async def _close(self) -> None:
        tasks = [task for task in (self._connecting, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._close_client()
