"""Emits events to listeners that may fail."""

import logging

from pyee.base import EventEmitter

logger = logging.getLogger(__name__)


def emit(emitter: EventEmitter, event: str, *args: object) -> None:
    """Emit an event if anybody listens: looking costs less than emitting.

    A listener that raises is a fault of its application. It is logged, and stops
    nothing of ours.
    """
    if emitter.listeners(event):
        try:
            emitter.emit(event, *args)
        except Exception:
            logger.exception("A listener of %r has failed", event)
