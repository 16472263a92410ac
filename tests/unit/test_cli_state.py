"""Where the server keeps what it needs at its next start."""

from pathlib import Path

import pytest

from whipbird.cli.state import state_folder


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/whipbird:/other"}, "/var/lib/whipbird"),
        ({"XDG_STATE_HOME": "/home/a/state"}, "/home/a/state/whipbird"),
        ({"XDG_STATE_HOME": "relative"}, "~/.local/state/whipbird"),
        ({}, "~/.local/state/whipbird"),
    ],
)
def test_the_folder(environment: dict[str, str], expected: str) -> None:
    assert state_folder(None, environment) == Path(expected).expanduser()
    assert state_folder(Path("/given"), environment) == Path("/given")
