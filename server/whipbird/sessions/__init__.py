"""The life of a session, and the store that holds the sessions."""

from .session import (
    EndReason,
    OutdatedIce,
    Session,
    SessionState,
    Unavailable,
    short_id,
)
from .store import Full, SessionStore

__all__ = [
    "EndReason",
    "Full",
    "OutdatedIce",
    "Session",
    "SessionState",
    "SessionStore",
    "Unavailable",
    "short_id",
]
