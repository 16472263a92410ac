"""The server does what its OpenAPI document says, whatever is sent: Schemathesis."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.model_server import ModelServer
from tests.server import ROOT, ServerProcess
from whipbird.http.description import description_file

# Seconds of requests at most, those that cover each parameter among them.
SECONDS = 40
NO_LIMITS = ("--post-rate", "--patch-rate", "--delete-rate", "--request-rate")


@pytest.fixture
async def models() -> AsyncIterator[tuple[str, ...]]:
    """The options of a server that offers a language model."""
    async with ModelServer() as models:
        yield ("--llm-api-base", models.api_base, "--llm-model", "echo")


@pytest.fixture
async def server(
    tmp_path: Path, models: tuple[str, ...]
) -> AsyncIterator[ServerProcess]:
    """A server whose sessions end soon, and that may record."""
    limits = [word for name in NO_LIMITS for word in (name, "0")]
    server = ServerProcess(
        *limits,
        *("--max-client-connecting", "200", "--setup-timeout", "2"),
        *("--record", str(tmp_path / "recordings")),
        *(*models, "--llm-log", str(tmp_path / "log.db")),
    )
    (tmp_path / "recordings").mkdir()
    await server.start()
    yield server
    await server.stop()


async def schemathesis(
    url: str, folder: Path, hooks: str, *arguments: str, **variables: str
) -> str:
    """Run it, with a module of hooks; return what it writes."""
    command = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        *(str(command), "--config-file", str(ROOT / "tests/fuzz/schemathesis.toml")),
        *("run", str(description_file()), "--url", url, *arguments),
        *("--suppress-health-check", "all", "--generation-deterministic"),
        *("--no-color", "--warnings", "off"),
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}",
            "SCHEMATHESIS_HOOKS": hooks,
            **variables,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text
    assert "Tested: 7" in text, text
    return text


async def test_responses_are_as_they_are_described(
    server: ServerProcess, tmp_path: Path
) -> None:
    """All checks; nothing of what was opened is left, and nothing failed inside."""
    await schemathesis(
        server.url,
        tmp_path,
        "tests.fuzz.openapi_hooks",
        *("--checks", "all", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "20", "--max-time", str(SECONDS)),
    )
    await server.wait_for_sessions(0)


TOKEN = "may-publish-one-stream"
RULES = f"""
[[tokens]]
name = "one"
hash = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
actions = ["publish"]
streams = ["no-other-than-this"]
"""


@pytest.fixture
async def guarded(
    tmp_path: Path, models: tuple[str, ...]
) -> AsyncIterator[ServerProcess]:
    """A server with rules, and one token that permits next to nothing."""
    file = tmp_path / "rights.toml"
    file.write_text(RULES)
    limits = [word for name in NO_LIMITS for word in (name, "0")]
    log = ("--llm-log", str(tmp_path / "log.db"))
    server = ServerProcess(*limits, "--rights-file", str(file), *models, *log)
    await server.start()
    yield server
    await server.stop()


async def test_whoever_has_no_right_is_told_so(
    guarded: ServerProcess, tmp_path: Path
) -> None:
    """Every operation says 401 without a token, and 403 with one that lacks the right.

    Those of which the document says that they need none answer everybody.
    """
    for expected, more in (
        ("401", ()),
        ("403", ("--header", f"Authorization: Bearer {TOKEN}")),
    ):
        await schemathesis(
            guarded.url,
            tmp_path,
            "tests.fuzz.rights_hooks",
            *("--checks", "is_refused", "--phases", "examples,fuzzing"),
            *("--mode", "positive", "--max-examples", "2", *more),
            EXPECTED_STATUS=expected,
        )
