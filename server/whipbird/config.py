"""The settings, and where they come from.

The command line wins over ``WHIPBIRD_*`` in the environment, that over
``whipbird.toml``, and that over the defaults.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ENV_PREFIX = "WHIPBIRD_"
DEFAULT_FILE = Path("whipbird.toml")

# Variables that are no settings of the server.
OTHER_VARIABLES = {ENV_PREFIX + name for name in ("CONFIG", "TOKEN", "CHROMIUM")}


class ConfigError(Exception):
    """The settings cannot be used. The message says which one, and why."""


class Settings(BaseSettings):
    """What an operator can decide. The descriptions are the command line's help."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on for HTTP; 0.0.0.0 for all.",
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="TCP port for HTTP; 0 for any."
    )
    setup_timeout: float = Field(
        default=15.0,
        gt=0,
        le=600,
        description="Seconds that a session may take to connect before it is ended.",
    )
    echo_buffer: int = Field(
        default=1024 * 1024,
        ge=512 * 1024,
        le=1024 * 1024 * 1024,
        description="Bytes of messages a session may hold that its client has not "
        "taken back yet, 524288 or more; beyond it the client has to wait.",
    )
    ice_loopback: bool = Field(
        default=False,
        description="Offer loopback addresses as ICE candidates even when there are "
        "others.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much to log."
    )


def load_settings(
    overrides: Mapping[str, Any] | None = None, file: Path | None = None
) -> Settings:
    """Read the settings from all their sources.

    Args:
        overrides: values from the command line; they win.
        file: the TOML file; by default ``WHIPBIRD_CONFIG``, or ``whipbird.toml``
            in the working directory, which may be absent.

    Raises:
        ConfigError: when a file cannot be read or a value is not allowed.
    """
    if file is None and (named := os.environ.get(ENV_PREFIX + "CONFIG")):
        file = Path(named)
    if file is not None and not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    path = file or DEFAULT_FILE

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, toml_file=path)
            return init_settings, env_settings, toml

    try:
        return Sourced(**dict(overrides or {}))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def unknown_variables() -> list[str]:
    """The ``WHIPBIRD_*`` variables that set nothing: names that may be mistyped."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith(ENV_PREFIX) and name not in known | OTHER_VARIABLES
    )


def _explain(error: ValidationError) -> str:
    """Say in one line per setting what is wrong with it."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            lines.append(f"{name}: there is no such setting; there are: {known}")
        else:
            lines.append(f"{name}: {problem['msg']}, not {problem['input']!r}")
    return "\n".join(lines)
