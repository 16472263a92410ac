"""The server does what its OpenAPI document says, whatever is sent: Schemathesis."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server import ROOT, ServerProcess
from whipbird.http.description import description_file

# Seconds of requests after those that cover each parameter.
SECONDS = 20
NO_LIMITS = ("--post-rate", "--patch-rate", "--delete-rate", "--request-rate")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server whose sessions end soon, and that may record."""
    limits = [word for name in NO_LIMITS for word in (name, "0")]
    server = ServerProcess(
        *limits,
        *("--max-client-connecting", "200", "--setup-timeout", "2"),
        *("--record", str(tmp_path / "recordings")),
    )
    (tmp_path / "recordings").mkdir()
    await server.start()
    yield server
    await server.stop()


async def test_responses_are_as_they_are_described(
    server: ServerProcess, tmp_path: Path
) -> None:
    """All checks; nothing of what was opened is left, and nothing failed inside."""
    command = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        *(str(command), "--config-file", str(ROOT / "tests/fuzz/schemathesis.toml")),
        *("run", str(description_file()), "--url", server.url, "--checks", "all"),
        *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"),
        *("--generation-deterministic", "--max-examples", "20", "--no-color"),
        *("--max-time", str(SECONDS), "--warnings", "off"),
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}",
            "SCHEMATHESIS_HOOKS": "tests.fuzz.openapi_hooks",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text
    assert "Tested: 6" in text, text
    await server.wait_for_sessions(0)
