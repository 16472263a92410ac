"""The settings and their sources."""

from .access_values import BEARER_TOKEN, read_token, webhook_key
from .apps import ApplicationSetting
from .network_values import ANY, UNIX, ProxyAddress, split_listen
from .reload import NEEDS_RESTART, RELOADABLE, taken_over
from .settings import Settings
from .sources import ConfigError, load_settings, unknown_variables
from .upstreams import PLACEHOLDER, Upstream

__all__ = [
    "ANY",
    "BEARER_TOKEN",
    "NEEDS_RESTART",
    "PLACEHOLDER",
    "RELOADABLE",
    "UNIX",
    "ApplicationSetting",
    "ConfigError",
    "ProxyAddress",
    "Settings",
    "Upstream",
    "load_settings",
    "read_token",
    "split_listen",
    "taken_over",
    "unknown_variables",
    "webhook_key",
]
