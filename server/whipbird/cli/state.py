"""The folder of what the server keeps between starts."""

import os
from collections.abc import Mapping
from pathlib import Path

NAME = "whipbird"


def state_folder(
    given: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Path:
    """The folder: the one given, systemd's, or the usual place of the system.

    systemd.exec(5) has STATE_DIRECTORY, the XDG base directory specification has
    XDG_STATE_HOME, which must be absolute; Windows has LOCALAPPDATA.
    """
    if given is not None:
        return given
    if systemd := environment.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        base = Path(environment.get(variable, ""))
        if base.is_absolute():
            return base / NAME
    try:
        return Path.home() / ".local/state" / NAME
    except RuntimeError:
        return Path("/var/lib") / NAME  # a user without a home
