"""WHIP and WHEP sessions, and the store that holds them."""

from .admission import Full, SessionLimits
from .session import (
    EndReason,
    OutdatedIce,
    Session,
    SessionState,
    Unavailable,
    short_id,
)
from .store import NoSuchLayer, NothingToWatch, SessionStore, WrongCodecs

__all__ = [
    "EndReason",
    "Full",
    "NoSuchLayer",
    "NothingToWatch",
    "OutdatedIce",
    "Session",
    "SessionLimits",
    "SessionState",
    "SessionStore",
    "Unavailable",
    "WrongCodecs",
    "short_id",
]
