"""A bounded queue of events, and their delivery in order."""

import asyncio
import contextlib
import logging
import random
from collections import deque
from typing import Protocol

from .event import Event
from .outcome import Outcome

logger = logging.getLogger(__name__)

# Events that wait, at most; then the oldest is dropped.
MAX_WAITING = 1000

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

    async def close(self) -> None:
        """Close its connections."""


class Delivery:
    """Delivers events one after another, each until it is taken or given up.

    Args:
        sender: attempts to deliver an event; it is closed at the end.

    Attributes:
        delivered: events that were delivered.
        dropped: events that were not: too many waited, or the receiver refused them, or
            could not be reached.
    """

    def __init__(self, sender: EventSender) -> None:
        self.delivered = 0
        self.dropped = 0
        self._sender = sender
        self._waiting: deque[Event] = deque()
        self._has_work = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run())

    def put(self, event: Event) -> None:
        """Add an event; it does not wait."""
        if len(self._waiting) >= MAX_WAITING:
            # The first is being sent.
            del self._waiting[1]
            self.dropped += 1
            logger.warning("Webhook: an event is dropped, since too many wait")
        self._waiting.append(event)
        self._is_empty.clear()
        self._has_work.set()

    async def close(self) -> None:
        """Deliver what waits, for a short time, and end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._is_empty.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._sender.close()
        if self._waiting:
            self.dropped += len(self._waiting)
            logger.warning("Webhook: %d events were not delivered", len(self._waiting))
            self._waiting.clear()

    async def _run(self) -> None:
        while True:
            await self._has_work.wait()
            if await self._deliver(self._waiting[0]):
                self.delivered += 1
            else:
                self.dropped += 1
            self._waiting.popleft()
            if not self._waiting:
                self._has_work.clear()
                self._is_empty.set()

    async def _deliver(self, event: Event) -> bool:
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), FIRST_PAUSE
        while True:
            outcome = await self._sender.send(event)
            if outcome is not Outcome.FAILED:
                return outcome is Outcome.DELIVERED
            if loop.time() - began + pause > GIVE_UP:
                logger.warning("Webhook: event %s is given up", event.id)
                return False
            # At a random moment, so that many servers do not come back at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)
