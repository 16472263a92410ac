"""Turns what streams, sessions and recordings report into events."""

from collections.abc import Callable
from typing import Any

from ..recording.files import RecordedFile
from ..sessions import Session, SessionKind, short_id
from ..streams import Stream
from .event import Event, EventType


class Reporter:
    """Observes the streams and the sessions of a server, and the files of a recorder.

    Args:
        put: takes the events; it must not wait.
    """

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put

    def stream_began(self, stream: Stream) -> None:
        """Report a stream whose publisher is connected."""
        self._put(Event(EventType.PUBLISHED, stream.name, _publisher_of(stream)))

    def stream_ended(self, stream: Stream) -> None:
        """Report its end."""
        details = _publisher_of(stream) | {
            "reason": stream.reason,
            "seconds": round(stream.age, 3),
        }
        self._put(Event(EventType.UNPUBLISHED, stream.name, details))

    def session_connected(self, session: Session) -> None:
        """Report a viewer."""
        if session.kind is SessionKind.VIEWER:
            self._put(Event(EventType.WATCHED, session.stream, _viewer(session)))

    def session_ended(self, session: Session) -> None:
        """Report the end of a viewer that was connected."""
        if session.kind is SessionKind.VIEWER:
            details = _viewer(session) | {
                "reason": str(session.reason),
                "seconds": round(session.age, 3),
            }
            self._put(Event(EventType.LEFT, session.stream, details))

    def file_finished(self, file: RecordedFile) -> None:
        """Report a recorded file that is complete."""
        details = {"file": file.name, "octets": file.size}
        self._put(Event(EventType.RECORDED, file.stream, details))

    def recording_failed(self, stream: Stream, problem: str, file: str | None) -> None:
        """Report a recording that has ended without being told to."""
        details = {"session": stream.session or None, "file": file, "problem": problem}
        self._put(Event(EventType.RECORDING_FAILED, stream.name, details))


def _publisher_of(stream: Stream) -> dict[str, Any]:
    return {
        "publisher": str(stream.publisher_kind),
        "session": stream.session or None,
        "client": stream.client or None,
    }


def _viewer(session: Session) -> dict[str, Any]:
    return {"session": short_id(session.id), "client": session.client}
