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
)
from .server import FAULTS, Fault

__all__ = [
    "FAULTS",
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
]
