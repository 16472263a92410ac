"""The kept inputs of the fuzzers, and a short run of each where Atheris is installed.

``make fuzz`` runs them for long.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, corpus_of
from tests.server import ROOT

# Seconds that each target is fuzzed.
SECONDS = 2


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs(name: str) -> None:
    """Also with the end cut off, and with some octets inverted."""
    kept = corpus_of(name)
    assert kept
    for path in kept:
        data = path.read_bytes()
        for changed in (data, *_changed(data)):
            try:
                TARGETS[name].run(changed)
            except Exception as error:
                error.add_note(f"{path.name}: {changed!r}")
                raise


def _changed(data: bytes) -> list[bytes]:
    step = max(1, len(data) // 12)
    cut = [data[:end] for end in range(0, len(data), step)]
    inverted = [
        data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        for at in range(0, len(data), step)
    ]
    return cut + inverted


def test_there_is_a_corpus_for_each_target_and_no_other() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="Atheris is not installed"
)
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run(name: str, tmp_path: Path) -> None:
    """Guided by coverage; what fails is printed."""
    command = (sys.executable, "-m", "tests.fuzz", "--inside", name)
    path = f"{ROOT}:{ROOT / 'server'}"
    run = subprocess.run(
        (*command, "--minutes", str(SECONDS / 60)),
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PATH": ""},
        capture_output=True,
        timeout=100,
        check=False,
    )
    output = run.stdout + run.stderr
    assert run.returncode == 0, output.decode(errors="replace")[-4000:]
    assert b"stat::number_of_executed_units" in output
