"""WHIP and WHEP sessions, and the store that holds them."""

from .admission import Full, SessionLimits
from .end_reason import EndReason
from .session import (
    OutdatedIce,
    Session,
    SessionState,
    Unavailable,
    may_be_id,
    short_id,
)
from .setup import SetupStep
from .stats import SessionCounts, SessionKind, SessionsStats, SessionStats
from .store import SessionStore
from .supply import Demand, StreamLoop, Supply
from .watchable import NoSuchLayer, NothingToWatch, WrongCodecs

__all__ = [
    "Demand",
    "EndReason",
    "Full",
    "NoSuchLayer",
    "NothingToWatch",
    "OutdatedIce",
    "Session",
    "SessionCounts",
    "SessionKind",
    "SessionLimits",
    "SessionState",
    "SessionStats",
    "SessionStore",
    "SessionsStats",
    "SetupStep",
    "StreamLoop",
    "Supply",
    "Unavailable",
    "WrongCodecs",
    "may_be_id",
    "short_id",
]
