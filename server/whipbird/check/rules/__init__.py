"""The rules, one module for each group of sections. Importing it registers them."""

from . import (
    auth,
    constraints,
    deployment,
    http_usage,
    patch,
    restart,
    security,
    setup,
    setup_cors,
    teardown,
    trickle,
    whep,
    whep_extensions,
)

__all__ = [
    "auth",
    "constraints",
    "deployment",
    "http_usage",
    "patch",
    "restart",
    "security",
    "setup",
    "setup_cors",
    "teardown",
    "trickle",
    "whep",
    "whep_extensions",
]
