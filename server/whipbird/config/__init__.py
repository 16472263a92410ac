"""The settings and their sources."""

from .settings import ENV_PREFIX, Settings
from .sources import ConfigError, load_settings, unknown_variables
from .values import ANY, BEARER_TOKEN, read_token

__all__ = [
    "ANY",
    "BEARER_TOKEN",
    "ENV_PREFIX",
    "ConfigError",
    "Settings",
    "load_settings",
    "read_token",
    "unknown_variables",
]
