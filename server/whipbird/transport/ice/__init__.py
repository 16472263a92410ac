"""Interactive Connectivity Establishment (RFC 8445): finding and keeping a path."""

from .candidates import (
    MAX_LOCAL_PREFERENCE,
    LocalCandidate,
    host_candidate,
    passive_candidate,
    relay_candidate,
)
from .consent import CONSENT_INTERVAL, CONSENT_LIFETIME
from .pairing import MAX_REMOTE_CANDIDATES
from .paths import MAX_VERIFIED_PATHS
from .sinks import IceSinks
from .transport import RESTART_TIMEOUT, IceTransport

__all__ = [
    "CONSENT_INTERVAL",
    "CONSENT_LIFETIME",
    "MAX_LOCAL_PREFERENCE",
    "MAX_REMOTE_CANDIDATES",
    "MAX_VERIFIED_PATHS",
    "RESTART_TIMEOUT",
    "IceSinks",
    "IceTransport",
    "LocalCandidate",
    "host_candidate",
    "passive_candidate",
    "relay_candidate",
]
