"""Deliberately wrong WHIP servers, for the checker to catch: each has one fault."""

from . import (
    bodies,
    conditions,
    deployment,
    offers,
    peculiar,
    resources,
    restarts,
    sessions,
    setup,
    watching,
)
from .server import FAULTS, WHEP_FAULTS, Fault

__all__ = [
    "FAULTS",
    "WHEP_FAULTS",
    "Fault",
    "bodies",
    "conditions",
    "deployment",
    "offers",
    "peculiar",
    "resources",
    "restarts",
    "sessions",
    "setup",
    "watching",
]
