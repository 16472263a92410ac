"""The systemd unit: systemd takes it, and it fits the command that it runs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import ROOT
from whipbird.cli.serve import serve_command
from whipbird.config import Settings

UNIT = ROOT / "deploy/whipbird.service"

# Tenths of the exposure that ``systemd-analyze security`` computes: what is left is the
# network, and files that a group may read.
EXPOSURE = 15

with_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def values(name: str) -> list[str]:
    """The values of a setting of the unit."""
    pattern = re.compile(rf"^{name}=(.*)$", re.MULTILINE)
    return pattern.findall(UNIT.read_text(encoding="utf-8"))


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a command that is installed here."""
    (command,) = values("ExecStart")
    text = UNIT.read_text(encoding="utf-8")
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(command.split()[0], "/bin/true"), encoding="utf-8")
    return copy


def analyze(*arguments: str) -> tuple[int, str]:
    """The exit code of systemd-analyze, and what it says."""
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout


@with_systemd
def test_systemd_finds_no_mistake(unit: Path) -> None:
    assert analyze("verify", "--man=no", str(unit)) == (0, "")


@with_systemd
def test_it_has_few_rights(unit: Path) -> None:
    arguments = ("--offline=yes", f"--threshold={EXPOSURE}", "--no-pager", str(unit))
    code, said = analyze("security", *arguments)
    assert code == 0, said


def test_it_runs_the_command_with_options_that_it_has() -> None:
    (command,) = values("ExecStart")
    program, name, *arguments = command.split()
    assert program.endswith("/whipbird")
    assert name == serve_command.name
    with serve_command.make_context("serve", arguments) as context:
        assert context.params["config"] == Path("/etc/whipbird/whipbird.toml")


def test_it_may_open_as_many_files_as_the_server_has_connections() -> None:
    (limit,) = values("LimitNOFILE")
    assert int(limit) > 2 * Settings.model_fields["max_connections"].default
