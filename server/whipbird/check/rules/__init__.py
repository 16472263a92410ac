"""The rules, a module for each group of sections. Importing them registers them."""

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
]
