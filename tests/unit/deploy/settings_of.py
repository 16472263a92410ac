"""What the files of deployments say of the settings: the server would take it."""

import re
from pathlib import Path

import pytest

from whipbird.config import Settings, load_settings
from whipbird.environment import ENV_PREFIX

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)((?:[^{}]|\$\{[^{}]*\})*))?\}")


def interpolate(text: str, values: dict[str, str]) -> str:
    """Replace ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?why}``, as Compose does.

    Raises:
        KeyError: when a required variable is missing.
    """

    def replace(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if found := values.get(name):
            return found
        if operator == ":-":
            return interpolate(rest, values)
        raise KeyError(name)

    return _VARIABLE.sub(replace, text)


def settings_of(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The settings of a server with this environment; each variable must be one."""
    for name, value in environment.items():
        assert name.startswith(ENV_PREFIX), name
        setting = name.removeprefix(ENV_PREFIX).lower()
        assert setting in Settings.model_fields, name
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as elsewhere:
        # No whipbird.toml of the developer's.
        elsewhere.chdir(Path("/"))
        return load_settings()
