"""Events on a stream for its viewers (draft-ietf-wish-whep, "Server Sent Events")."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

ACTIVE, INACTIVE = "active", "inactive"
LAYERS = "layers"
VIEWER_COUNT = "viewercount"
# Not of the draft: how a stream that comes from another server is.
UPSTREAM = "upstream"
EVENT_TYPES = (ACTIVE, INACTIVE, LAYERS, VIEWER_COUNT, UPSTREAM)

# Events kept until they are fetched; then the oldest are dropped.
MAX_EVENTS = 64


class StreamStatus(NamedTuple):
    """The status of a stream, as its events describe it.

    Attributes:
        is_active: whether it has a publisher.
        layers: the layers of each video section by its index, the largest first, as
            in a ``layers`` event.
        viewers: the number of viewers.
        upstream: where it comes from, as in an ``upstream`` event; None of a stream
            that is not pulled.
    """

    is_active: bool
    layers: Mapping[str, Sequence[Mapping[str, Any]]]
    viewers: int
    upstream: Mapping[str, Any] | None = None


class Event(NamedTuple):
    """One event.

    Attributes:
        type: one of ``EVENT_TYPES``.
        data: its data, as a JSON object.
    """

    type: str
    data: Mapping[str, Any]


class EventStream:
    """A queue of the events of some types, until a viewer fetches them.

    Args:
        types: the types of events to keep.
    """

    def __init__(self, types: Collection[str]) -> None:
        self._types = frozenset(types)
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        # Before the first status, the stream counts as inactive.
        self._status: StreamStatus | None = None
        self._reader = 0
        self._is_closed = False
        self._changed = asyncio.Event()

    def update(self, status: StreamStatus) -> None:
        """Queue events for what has changed since the last status."""
        last, self._status = self._status, status
        if status.is_active != (last is not None and last.is_active):
            self._add(Event(ACTIVE if status.is_active else INACTIVE, {}))
        if any(status.layers.values()) or last is not None:
            before = last.layers if last is not None else {}
            if status.layers != before:
                self._replace(Event(LAYERS, status.layers))
        if status.upstream != (last.upstream if last is not None else None):
            self._replace(Event(UPSTREAM, status.upstream or {"state": "off"}))
        if last is None or status.viewers != last.viewers:
            self._replace(Event(VIEWER_COUNT, {"viewercount": status.viewers}))

    def begin(self) -> int:
        """Begin to fetch events; an earlier reader gets no more of them.

        Returns:
            The number of the reader, for ``next``.
        """
        self._reader += 1
        self._changed.set()
        return self._reader

    async def next(self, reader: int) -> Event | None:
        """Wait for the next event.

        Args:
            reader: from ``begin``.

        Returns:
            The event; None if this is closed, or if there is a newer reader.
        """
        while not self._is_closed and reader == self._reader:
            if self._events:
                return self._events.popleft()
            self._changed.clear()
            await self._changed.wait()
        return None

    def close(self) -> None:
        """Drop the queued events and end all readers."""
        self._is_closed = True
        self._changed.set()

    def _replace(self, event: Event) -> None:
        """Queue an event in place of an outdated one of its type."""
        for other in self._events:
            if other.type == event.type:
                self._events.remove(other)
                break
        self._add(event)

    def _add(self, event: Event) -> None:
        if event.type in self._types:
            self._events.append(event)
            self._changed.set()
