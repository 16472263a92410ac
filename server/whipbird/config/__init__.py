"""The settings and their sources."""

from .reload import NEEDS_RESTART, RELOADABLE, taken_over
from .settings import ENV_PREFIX, Settings
from .sources import ConfigError, load_settings, unknown_variables
from .values import (
    ANY,
    BEARER_TOKEN,
    UNIX,
    ProxyAddress,
    read_token,
    split_listen,
    webhook_key,
)

__all__ = [
    "ANY",
    "BEARER_TOKEN",
    "ENV_PREFIX",
    "NEEDS_RESTART",
    "RELOADABLE",
    "UNIX",
    "ConfigError",
    "ProxyAddress",
    "Settings",
    "load_settings",
    "read_token",
    "split_listen",
    "taken_over",
    "unknown_variables",
    "webhook_key",
]
