"""The life of a session, and the store that holds the sessions."""

from .session import (
    EndReason,
    RestartNotSupported,
    Session,
    SessionState,
    Unavailable,
    short_id,
)
from .store import SessionStore

__all__ = [
    "EndReason",
    "RestartNotSupported",
    "Session",
    "SessionState",
    "SessionStore",
    "Unavailable",
    "short_id",
]
