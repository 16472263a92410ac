"""``whipbird check`` as its users run it: output, exit codes, interruption."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conformance.wrong import FAULTS
from tests.conformance.wrong.server import TOKEN, serving
from tests.server import ServerProcess, free_port
from whipbird.check import all_rules
from whipbird.cli import main

LIMIT = 30.0


async def start(
    *arguments: str,
    stderr: int = asyncio.subprocess.PIPE,
    env: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", "check", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        cwd=tempfile.gettempdir(),
        env={**inherited, **(env or {})},
    )


async def whipbird_check(*arguments: str, **env: str) -> tuple[int, str, str]:
    """Run it to its end."""
    process = await start(*arguments, env=env)
    async with asyncio.timeout(LIMIT):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess()
    await server.start()
    yield server
    await server.stop()


async def test_a_right_server(server: ServerProcess) -> None:
    url = f"{server.url}/whip/test"
    code, output, errors = await whipbird_check(url, "--only", "4.1,post-201")
    assert code == 0
    # On a pipe, progress has a line for each rule.
    lines = errors.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"{number} of 5" for number in range(1, 6)
    ]
    assert sorted(line.split()[3] for line in lines)[0] == "get-endpoint"
    assert "\x1b" not in output
    assert output.splitlines()[0] == f"{url}, by RFC 9725"
    assert "  passed  get-endpoint (MUST)" in output
    assert "5 passed, 0 failed, 0 absent, 0 skipped." in output
    assert output.splitlines()[-1].startswith("Every MUST and SHOULD")
    await server.wait_for_sessions(0)


async def test_a_wrong_server_its_report_and_its_json(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    async with serving(FAULTS["HeadIsNotAllowed"]) as url:
        code, output, errors = await whipbird_check(
            *(str(url), "--only", "4.1", "--only", "post-201"),
            *("--json", "--report", str(report), "-q"),
            WHIPBIRD_TOKEN=TOKEN,
        )
    assert (code, errors) == (1, "")
    found = json.loads(output)
    assert found["conforms"] is False
    assert found["counts"]["failed"] == 1
    [head] = [rule for rule in found["rules"] if rule["outcome"] == "failed"]
    assert head["id"] == "head"
    assert "< 405 Method Not Allowed" in head["exchanges"][0]
    assert TOKEN not in output
    written = report.read_text(encoding="utf-8")
    assert "| `head` | MUST |" in written
    assert "**FAILED**" in written
    assert TOKEN not in written


def test_the_list() -> None:
    """Of all rules, or some; no server is needed."""
    result = CliRunner().invoke(main, ["check", "--list"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(all_rules())
    result = CliRunner().invoke(main, ["check", "--list", "--only", "4.8", "--json"])
    assert result.exit_code == 0
    assert [rule["id"] for rule in json.loads(result.stdout)] == [
        "simulcast",
        "simulcast-answer",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Missing argument 'URL'"),
        (
            ("http://x/", "--only", "nonsense"),
            "'nonsense' is neither a rule nor a section",
        ),
        (("http://x/", "--only", "nonsense"), "Sections: 4.1, 4.2,"),
        (("ftp://x/",), "is not an http:// or https:// URL"),
        (("http://x/", "-W", "0"), "'-W' / '--timeout'"),
        (("http://x/", "--report", "/no/such/folder/x.md"), "No such file"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], reason: str) -> None:
    result = CliRunner().invoke(main, ["check", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr


async def test_nobody_is_there() -> None:
    """One line says so, and JSON stays JSON."""
    url = f"http://127.0.0.1:{free_port()}/whip/test"
    code, output, errors = await whipbird_check(url)
    assert (code, output) == (1, "")
    assert re.search(r"^whipbird check: .*: 127\.0\.0\.1 port \d+: Conn", errors)
    assert len(errors.splitlines()) == 1
    code, output, _ = await whipbird_check(url, "--json")
    assert code == 1
    assert ": 127.0.0.1 port " in json.loads(output)["error"]


async def test_interrupting_it_ends_its_sessions(server: ServerProcess) -> None:
    process = await start(f"{server.url}/whip/test", "--only", "consent-expiry")
    async with asyncio.timeout(LIMIT):
        while not await server.open_sessions():  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(LIMIT):
        output, errors = await process.communicate()
    assert (process.returncode, output) == (130, b"")
    assert errors == b"whipbird check: interrupted\n"
    await server.wait_for_sessions(0)


async def test_interrupting_it_reports_what_was_tried(server: ServerProcess) -> None:
    process = await start(
        f"{server.url}/whip/test", "--only", "4.1,consent-expiry", "--json"
    )
    assert process.stderr is not None
    progress = []
    async with asyncio.timeout(LIMIT):
        for _ in range(4):
            progress.append(await process.stderr.readline())
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()
    assert process.returncode == 130
    assert progress[-1].startswith(b"4 of 5: ")
    assert errors.splitlines() == [
        b"whipbird check: interrupted",
        b"whipbird check: rules not tried: 1",
    ]
    tried = [rule["id"] for rule in json.loads(output)["rules"]]
    assert tried == ["get-endpoint", "get-session", "head", "problem-details"]
    await server.wait_for_sessions(0)


async def test_progress_on_a_terminal(server: ServerProcess) -> None:
    """It has one line, which is removed in the end."""
    ours, theirs = pty.openpty()
    try:
        process = await start(f"{server.url}/whip/test", "--only", "4.1", stderr=theirs)
        async with asyncio.timeout(LIMIT):
            output, _ = await process.communicate()
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0
    assert "4 of 4: " in shown
    assert shown.endswith("\r\x1b[K")
    assert b"\x1b" not in output
