"""WHIP and WHEP sessions, and the store that holds them."""

from .session import (
    EndReason,
    OutdatedIce,
    Session,
    SessionState,
    Unavailable,
    short_id,
)
from .store import Full, NoSuchLayer, NothingToWatch, SessionStore, WrongCodecs

__all__ = [
    "EndReason",
    "Full",
    "NoSuchLayer",
    "NothingToWatch",
    "OutdatedIce",
    "Session",
    "SessionState",
    "SessionStore",
    "Unavailable",
    "WrongCodecs",
    "short_id",
]
