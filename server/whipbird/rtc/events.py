"""Emits events to listeners that may fail."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pyee.asyncio import AsyncIOEventEmitter

logger = logging.getLogger(__name__)


class Emitter(Protocol):
    """An event emitter of pyee that belongs to a session."""

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""

    @property
    def has_listeners(self) -> bool:
        """Whether a listener was ever added, to any event."""

    def listeners(self, event: str) -> Sequence[object]:
        """The listeners of an event."""

    def emit(self, event: str, *args: object) -> bool:
        """Call the listeners of an event."""


class Listened(AsyncIOEventEmitter):
    """An emitter that notes whether a listener was ever added, in whichever way.

    Its state is made when it is first needed. Most emitters never have a listener, and
    the lock and the collections of three of them are a kilobyte of each session.

    Attributes:
        has_listeners: whether one was. Without one no events are made: even asking the
            emitter costs more than a message does.
    """

    has_listeners = False
    _has_state = False

    def __init__(self) -> None:
        """Not pyee's, nor that of a class of aiortc."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Make pyee's state, whichever part of it is looked for first."""
            if self._has_state:
                kind = type(self).__name__
                raise AttributeError(f"{kind!r} object has no attribute {name!r}")
            self._has_state = True
            AsyncIOEventEmitter.__init__(self)
            return getattr(self, name)

    def add_listener(self, event: str, f: Any) -> Any:
        """Call a function for each event of a name."""
        self.has_listeners = True
        return super().add_listener(event, f)

    def listens_to(self, event: str) -> Any:
        """Decorate a function that is called for each event of a name."""
        self.has_listeners = True
        return super().listens_to(event)

    def once(self, event: str, f: Any = None) -> Any:
        """Call a function for the next event of a name, or decorate it."""
        self.has_listeners = True
        return super().once(event, f)


def release_listeners(emitter: Listened) -> None:
    """Remove all listeners: no event follows."""
    if emitter.has_listeners:
        emitter.remove_all_listeners()


def emit(emitter: Emitter, event: str, *args: object) -> None:
    """Emit an event if anybody listens: looking costs less than emitting.

    A listener that raises is a fault of its application. It is logged, and stops
    nothing of ours.
    """
    if emitter.has_listeners and emitter.listeners(event):
        try:
            emitter.emit(event, *args)
        except Exception:
            logger.exception(
                "A listener of %r has failed", event, extra=emitter.log_fields
            )
