"""The life of a session, and the store that holds the sessions."""

from .session import EndReason, Session, SessionState
from .store import SessionStore, ShuttingDown

__all__ = ["EndReason", "Session", "SessionState", "SessionStore", "ShuttingDown"]
