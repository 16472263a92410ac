"""The examples of docs/api.md run, and show what they say they show."""

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from whipbird.app import create_app
from whipbird.config import Settings, load_settings
from whipbird.streams import streams

DOCS = Path(__file__).parents[2] / "docs"
LIMIT = 100.0

# Where the examples say that a server is, and its settings file.
SERVERS = {
    "localhost:8080": None,
    "localhost:8081": DOCS / "examples/guarded.toml",
    "localhost:8082": DOCS / "examples/recording.toml",
    "localhost:8083": DOCS / "examples/chat.toml",
}

# The separator between the outputs of commands.
MARK = "==== end of example ===="


@dataclass(slots=True)
class Example:
    """A command, and the lines that it shows."""

    line: int
    command: str
    shown: list[str] = field(default_factory=list)


def read_examples(text: str) -> list[Example]:
    """The commands of all console blocks: ``$`` begins one, ``>`` goes on with it."""
    examples: list[Example] = []
    in_block = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            in_block = line == "```console"
        elif in_block and line.startswith("$ "):
            examples.append(Example(number, line[2:]))
        elif in_block and line.startswith("> "):
            examples[-1].command += f"\n{line[2:]}"
        elif in_block:
            examples[-1].shown.append(line)
    return examples


def pattern(shown: list[str]) -> str:
    """The pattern for an output: "…" matches any text, alone on a line any lines."""
    return "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in shown
    )


async def run(script: str, directory: Path) -> str:
    """The output of a shell script."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        cwd=directory,
        # They have the ``whipbird`` command.
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(LIMIT):
        output, _ = await process.communicate()
    return output.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_examples(
    aiohttp_server: AiohttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them in one shell, for later ones use what earlier ones have set."""
    # Where a server records to.
    monkeypatch.chdir(tmp_path)
    # No example connects, but what they publish is still there for the last of them.
    monkeypatch.setattr(streams, "SILENCE", 3 * LIMIT)
    examples = read_examples((DOCS / "api.md").read_text(encoding="utf-8"))
    assert len(examples) > 10
    (tmp_path / "docs").symlink_to(DOCS)
    script = "".join(
        f"{example.command}\necho\necho '{MARK}'\n" for example in examples
    )
    for host, file in SERVERS.items():
        # What an example publishes is still there for the last of them.
        limit = 3 * LIMIT
        settings = (
            load_settings({"setup_timeout": limit}, file)
            if file
            else Settings(setup_timeout=limit)
        )
        server = await aiohttp_server(create_app(settings))
        script = script.replace(host, f"127.0.0.1:{server.port}")
    outputs = (await run(script, tmp_path)).replace("\r\n", "\n").split(f"{MARK}\n")
    for example, output in zip(examples, outputs, strict=False):
        # The shell's own line end, and the one that follows a body.
        printed = output.rstrip("\n") + "\n" if output.strip() else ""
        expected = "\n".join(example.shown).rstrip("\n")
        lines = expected.split("\n") if expected else []
        assert re.fullmatch(pattern(lines), printed), (
            f"docs/api.md line {example.line}: {example.command}\n"
            f"shows:\n{expected}\nprints:\n{printed}"
        )
    assert len(outputs) == len(examples) + 1


def test_every_server_is_where_its_settings_say() -> None:
    for host, file in SERVERS.items():
        settings = load_settings(file=file) if file else Settings()
        assert host == f"localhost:{settings.port}"


def test_every_address_is_one_of_the_servers() -> None:
    """The URLs in examples are those of a server."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for example in read_examples(text):
        for address in re.findall(r"https?://([^/$\s']+)", example.command):
            assert address in (*SERVERS, "studio.example")
