"""What viewers are told of a stream (draft-ietf-wish-whep, "Server Sent Events")."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

ACTIVE, INACTIVE = "active", "inactive"
LAYERS = "layers"
VIEWER_COUNT = "viewercount"
EVENT_TYPES = (ACTIVE, INACTIVE, LAYERS, VIEWER_COUNT)

# Events that wait to be fetched, at most: then the oldest are left out.
MAX_EVENTS = 64


class Situation(NamedTuple):
    """How it is with a stream.

    Attributes:
        is_active: whether somebody publishes it.
        layers: of each video section by its index, largest first, as the event has
            them.
        viewers: how many watch.
    """

    is_active: bool
    layers: Mapping[str, Sequence[Mapping[str, Any]]]
    viewers: int


class Event(NamedTuple):
    """One event.

    Attributes:
        type: one of ``EVENT_TYPES``.
        data: what goes with it, as JSON.
    """

    type: str
    data: Mapping[str, Any]


class EventStream:
    """The events of some types that a viewer has asked for, until it fetches them.

    Args:
        types: which.
    """

    def __init__(self, types: Collection[str]) -> None:
        self._types = frozenset(types)
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        # As if there had been no publisher: there is no event before the first one.
        self._told: Situation | None = None
        self._turn = 0
        self._is_closed = False
        self._news = asyncio.Event()

    def tell(self, situation: Situation) -> None:
        """Make events of what has changed."""
        told, self._told = self._told, situation
        if situation.is_active != (told is not None and told.is_active):
            self._add(Event(ACTIVE if situation.is_active else INACTIVE, {}))
        if any(situation.layers.values()) or told is not None:
            before = told.layers if told is not None else {}
            if situation.layers != before:
                self._replace(Event(LAYERS, situation.layers))
        if told is None or situation.viewers != told.viewers:
            self._replace(Event(VIEWER_COUNT, {"viewercount": situation.viewers}))

    def begin(self) -> int:
        """Begin to fetch; whoever did so before gets nothing more.

        Returns:
            What ``next`` is to be called with.
        """
        self._turn += 1
        self._news.set()
        return self._turn

    async def next(self, turn: int) -> Event | None:
        """The next event, as soon as there is one.

        Returns:
            None when no more will come, or another fetches them now.
        """
        while not self._is_closed and turn == self._turn:
            if self._events:
                return self._events.popleft()
            self._news.clear()
            await self._news.wait()
        return None

    def close(self) -> None:
        """No more events; those that wait are dropped."""
        self._is_closed = True
        self._news.set()

    def _replace(self, event: Event) -> None:
        """What was said before and has not been fetched is not true any more."""
        for other in self._events:
            if other.type == event.type:
                self._events.remove(other)
                break
        self._add(event)

    def _add(self, event: Event) -> None:
        if event.type in self._types:
            self._events.append(event)
            self._news.set()
