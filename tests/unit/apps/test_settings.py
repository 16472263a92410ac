"""The setting ``apps``: on the command line, in the environment, in the file."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from whipbird.apps.served import ApplicationStats
from whipbird.cli import main
from whipbird.cli.greeting import describe_application
from whipbird.config import ApplicationSetting, ConfigError, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("whipbird.cli.serve.set_up_logging", lambda *_: None)
    # The command adds the working directory to it.
    monkeypatch.setattr(sys, "path", [*sys.path])


GAME = ApplicationSetting(app="games.state:app")
CHAT = ApplicationSetting(app="chat")


def test_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().apps == ()
    assert load_settings({"apps": ("games.state:app", "chat")}).apps == (GAME, CHAT)
    monkeypatch.setenv("WHIPBIRD_APPS", "games.state:app chat")
    assert load_settings().apps == (GAME, CHAT)


def test_the_file_says_what_they_are_for() -> None:
    Path("whipbird.toml").write_text(
        """
        [[apps]]
        app = "games.state:app"
        streams = "game-*"
        channels = ["state", "score"]

        [[apps]]
        app = "chat"
        """
    )
    assert load_settings().apps == (
        ApplicationSetting(
            app="games.state:app", streams=("game-*",), channels=("state", "score")
        ),
        CHAT,
    )


@pytest.mark.parametrize(
    "value",
    [
        *("", "a b", "a/b.py", "a:", ":a", "a:b:c", "7", {"streams": "*"}),
        *({"app": "a:b", "stream": "*"}, {"app": "a:b", "streams": []}),
        {"app": "a:b", "channels": ""},
    ],
)
def test_what_is_no_application_is_refused(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"apps": [value]})
    assert str(caught.value).startswith("apps.0")


def test_the_server_does_not_start_without_them() -> None:
    """One line says why, and no port stays open."""
    command = ["serve", "--port", "0", "--app", "whipbird_none:app"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(
        "Error: whipbird_none:app: there is no module whipbird_none, "
    )


@pytest.mark.parametrize(
    ("streams", "channels", "line"),
    [
        (("*",), ("shout",), "  App:   shout:app (channels shout)"),
        (("a*", "b"), ("*",), "  App:   shout:app (streams a*, b)"),
        (("*",), (), "  App:   shout:app"),
    ],
)
def test_the_greeting_names_them(
    streams: tuple[str, ...], channels: tuple[str, ...], line: str
) -> None:
    stats = ApplicationStats("shout:app", streams, channels, 0, 0, 0)
    assert describe_application(stats) == line


def test_an_application_that_cannot_start(tmp_path: Path) -> None:
    Path("whipbird_unready.py").write_text(
        "import whipbird\n"
        "class App(whipbird.Application):\n"
        "    async def start(self, server):\n"
        "        raise OSError('no camera')\n"
    )
    command = ["serve", "--port", "0", "--app", "whipbird_unready:App"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "Error: whipbird_unready:App cannot start: OSError: no camera" in (
        result.stderr
    )
