"""A bounded queue of events, and their delivery in the order of each stream."""

import asyncio
import contextlib
import logging
import random
from collections import OrderedDict, deque
from typing import Protocol

from .event import Event
from .outcome import Outcome

logger = logging.getLogger(__name__)

# Events that wait, at most; then the oldest is dropped.
MAX_WAITING = 1000

# Events that are sent at a time, each of another stream.
AT_ONCE = 8

# Seconds between attempts: at first, at most, and until an event is given up.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
GIVE_UP = 600.0

# Seconds in which what waits may still be delivered when the server ends.
GRACE = 3.0


class EventSender(Protocol):
    """Attempts to deliver events."""

    async def send(self, event: Event) -> Outcome:
        """Attempt to deliver an event; it never raises."""


class Delivery:
    """Delivers events, each until it is taken or given up.

    An event is sent when those of its stream before it are done. Other streams do not
    wait for it.

    Args:
        sender: attempts to deliver an event.

    Attributes:
        delivered: events that were delivered.
        dropped: events that were not: too many waited, or the receiver refused them, or
            could not be reached.
    """

    def __init__(self, sender: EventSender) -> None:
        self.delivered = 0
        self.dropped = 0
        self._sender = sender
        # All that are not done, the oldest first; and those of each stream.
        self._events: OrderedDict[str, Event] = OrderedDict()
        self._streams: dict[str, deque[Event]] = {}
        self._being_sent: set[str] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ending = asyncio.Event()
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, event: Event) -> None:
        """Add an event; it does not wait."""
        if self._is_closed:
            self.dropped += 1
            return
        if len(self._events) >= MAX_WAITING:
            self._drop_oldest()
        self._events[event.id] = event
        if event.stream in self._streams:
            self._streams[event.stream].append(event)
            return
        self._streams[event.stream] = deque([event])
        task = asyncio.create_task(self._run(event.stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Deliver what waits, for a short time, and end."""
        self._ending.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._events:
            self.dropped += len(self._events)
            logger.warning("Webhook: %d events were not delivered", len(self._events))
            self._events.clear()

    async def _run(self, stream: str) -> None:
        """Deliver the events of a stream, as long as there are any."""
        events = self._streams[stream]
        try:
            while events:
                await self._deliver(events[0])
        finally:
            del self._streams[stream]

    async def _deliver(self, event: Event) -> None:
        """Attempt to deliver an event until it is done, or dropped meanwhile."""
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), FIRST_PAUSE
        while (outcome := await self._attempt(event)) is Outcome.FAILED:
            if loop.time() - began + pause > GIVE_UP:
                logger.warning("Webhook: event %s is given up", event.id)
                break
            # At a random moment, so that many servers do not come back at once.
            await self._pause(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)
        if event.id in self._events:
            self._remove(event)
            if outcome is Outcome.DELIVERED:
                self.delivered += 1
            else:
                self.dropped += 1

    async def _attempt(self, event: Event) -> Outcome:
        async with self._places:
            if event.id not in self._events:
                return Outcome.REFUSED
            self._being_sent.add(event.id)
            try:
                return await self._sender.send(event)
            finally:
                self._being_sent.discard(event.id)

    async def _pause(self, seconds: float) -> None:
        """Wait; at the end of the server no longer than for the first time."""
        if self._ending.is_set():
            await asyncio.sleep(min(seconds, FIRST_PAUSE))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    def _drop_oldest(self) -> None:
        waiting = (e for e in self._events.values() if e.id not in self._being_sent)
        self._remove(next(waiting))
        self.dropped += 1
        logger.warning("Webhook: an event is dropped, since too many wait")

    def _remove(self, event: Event) -> None:
        del self._events[event.id]
        self._streams[event.stream].remove(event)
