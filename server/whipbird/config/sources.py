"""The sources of the settings.

In order of precedence: the command line, ``WHIPBIRD_*`` in the environment,
``whipbird.toml``, the defaults.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)

from ..environment import ENV_PREFIX
from .settings import Settings

DEFAULT_FILE = Path("whipbird.toml")

# Environment variables that are not settings of the server.
OTHER_VARIABLES = {ENV_PREFIX + name for name in ("CONFIG", "CHROMIUM")}

# Settings whose values are never shown in messages.
_SECRET = (
    *("token", "token_file", "link_secret_file", "llm_key_file"),
    *("turn_secret", "event_secret", "ice_servers"),
    *("upstream_token_file", "upstreams"),
)


class ConfigError(Exception):
    """The settings are invalid. The message says which one, and why."""


def load_settings(
    overrides: Mapping[str, Any] | None = None, file: Path | None = None
) -> Settings:
    """Read the settings from all their sources.

    Args:
        overrides: values from the command line; they take precedence.
        file: the TOML file; by default ``WHIPBIRD_CONFIG``, or ``whipbird.toml``
            in the working directory, which need not exist.

    Raises:
        ConfigError: when a file cannot be read or a value is invalid.
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
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deeply") from None


def unknown_variables() -> list[str]:
    """What is to be said of unknown ``WHIPBIRD_*`` variables, a line for each."""
    known = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    return [
        _unknown(name, known)
        for name in sorted(os.environ)
        if name.startswith(ENV_PREFIX) and name not in {*known, *OTHER_VARIABLES}
    ]


def _unknown(name: str, known: Iterable[str]) -> str:
    """Say that there is no setting of a name, and which ones may be meant."""
    if alike := get_close_matches(name, known):
        hint = f"did you mean {' or '.join(alike)}?"
    else:
        hint = f"there are: {', '.join(known)}"
    return f"{name}: there is no such setting; {hint}"


def _explain(error: ValidationError) -> str:
    """Describe the errors, one line per setting."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(_unknown(name, Settings.model_fields))
        elif problem["loc"][0] in _SECRET or problem["type"] == "value_error":
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{name}: {problem['msg']}, not {problem['input']!r}")
    return "\n".join(lines)
