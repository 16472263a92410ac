"""Turns what sessions and recordings report into events."""

from collections.abc import Callable
from typing import Any

from ..recording.files import RecordedFile
from ..sessions import Session, SessionKind, short_id
from ..streams import Stream
from .event import Event, EventType

# The events of a session's beginning and its end; of others nothing is told.
_TYPES = {
    SessionKind.PUBLISHER: (EventType.PUBLISHED, EventType.UNPUBLISHED),
    SessionKind.VIEWER: (EventType.WATCHED, EventType.LEFT),
}


class Reporter:
    """Observes the sessions of a store, and the files of a recorder.

    Args:
        put: takes the events; it must not wait.
    """

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put

    def session_connected(self, session: Session) -> None:
        """Report a publisher or a viewer."""
        if session.kind in _TYPES:
            begins, _ = _TYPES[session.kind]
            self._put(Event(begins, session.stream, _described(session)))

    def session_ended(self, session: Session) -> None:
        """Report the end of a publisher or a viewer that was connected."""
        if session.kind in _TYPES:
            _, ends = _TYPES[session.kind]
            details = _described(session) | {
                "reason": str(session.reason),
                "seconds": round(session.age, 3),
            }
            self._put(Event(ends, session.stream, details))

    def file_finished(self, file: RecordedFile) -> None:
        """Report a recorded file that is complete."""
        details = {"file": file.name, "octets": file.size}
        self._put(Event(EventType.RECORDED, file.stream, details))

    def recording_failed(self, stream: Stream, problem: str, file: str | None) -> None:
        """Report a recording that has ended without being told to."""
        details = {"session": stream.session, "file": file, "problem": problem}
        self._put(Event(EventType.RECORDING_FAILED, stream.name, details))


def _described(session: Session) -> dict[str, Any]:
    return {"session": short_id(session.id), "client": session.client}
