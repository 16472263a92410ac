"""``whipbird watch`` and ``whipbird bench`` as their users run them."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from click.testing import CliRunner

from tests.server import ServerProcess
from whipbird.cli import main

LIMIT = 150.0


async def start(*arguments: str) -> asyncio.subprocess.Process:
    env = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tempfile.gettempdir(),
        env=env,
    )


async def whipbird(*arguments: str) -> tuple[int, str, str]:
    process = await start(*arguments)
    async with asyncio.timeout(LIMIT):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess("--no-wait-for-publisher")
    await server.start()
    yield server
    await server.stop()


async def test_watch_and_record(server: ServerProcess, tmp_path: Path) -> None:
    """Nobody publishes; it waits; what comes is recorded; Ctrl+C ends it in order."""
    url, file = f"{server.url}/whep/live", tmp_path / "show.webm"
    code, output, errors = await whipbird("watch", url)
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1].startswith("Start a publisher first, or wait")
    code, _, errors = await whipbird("watch", f"{server.url}/watch/live")
    assert code == 1
    assert errors.endswith(f"Of a Whipbird, try: whipbird watch {url}\n")

    watching = await start("watch", url, "--wait", "--json", "-o", str(file))
    publishing = await start(
        *("publish", "testsrc", f"{server.url}/whip/live", "--video-codec", "vp8"),
        *("--size", "64x64", "--rate", "15", "--bitrate", "100k"),
    )
    try:
        assert watching.stdout is not None
        async with asyncio.timeout(LIMIT):
            while True:
                line = json.loads(await watching.stdout.readline())
                if line["event"] == "second" and line["tracks"][0]["frames"] > 10:
                    break
        code, output, _ = await whipbird("watch", url, "--frames", "5")
        assert code == 0
        assert "video vp8 64x64: " in output
        assert output.endswith(" seconds: the frames that were asked for have come\n")
        watching.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT):
            rest, _ = await watching.communicate()
    finally:
        publishing.terminate()
        await publishing.communicate()
    summary = json.loads(rest.splitlines()[-1])
    assert watching.returncode == 0
    assert summary["event"] == "summary"
    assert summary["files"] == [str(file)]
    assert summary["error"] is None
    assert summary["frames"] > 10
    with av.open(str(file)) as container:
        assert container.streams.video[0].codec_context.name == "vp8"
        assert container.streams.audio[0].codec_context.name in ("opus", "libopus")
    await server.wait_for_sessions(0)


async def test_bench(server: ServerProcess) -> None:
    """A run of all kinds of clients, by the server's address alone."""
    code, output, errors = await whipbird(
        *("bench", server.url, "--pings", "3", "--publishers", "1", "--viewers", "1"),
        *("--seconds", "5", "--ramp", "0.5", "--json"),
    )
    assert code == 0, output
    found = json.loads(output)
    assert [role["connected"] for role in found["roles"].values()] == [3, 1, 1]
    pings = found["roles"]["pings"]
    assert pings["setup_ms"]["min"] <= pings["setup_ms"]["p99"]
    assert pings["received"] > 3
    assert found["tool"]["limit"] in ("none", "process", "machine")
    assert errors.splitlines()[0].startswith("1 s: ")
    assert errors.splitlines()[0].endswith(" of 5 clients")
    await server.wait_for_sessions(0)
    code, output, _ = await whipbird(
        "bench", f"{server.url}/whip/a:b", "--pings", "1", "--seconds", "0.2", "-q"
    )
    assert code == 1
    assert "pings: 0 of 1 connected" in output
    assert "1 times: 404 Not a stream name" in output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("bench", "http://x/"), "Give --pings, --publishers or --viewers"),
        (("bench", "http://x/", "--viewers", "1"), "http://x/whep/mystream"),
        (
            ("bench", "http://x/whip/a", "--pings", "1", "--viewers", "1"),
            "is the endpoint of one kind of clients",
        ),
        (
            ("bench", "http://x/whip/a", "--publishers", "2"),
            "put {n} into the URL, as http://x/whip/a-{n}",
        ),
        (("bench", "http://x/", "--pings", "1001"), "is not in the range"),
        (("watch", "http://x/whep/a", "-o", "a.avi"), "does not end with .mkv"),
        (("watch", "http://x/whep/a", "-o", __file__ + ".mkv", "--frames", "0"), "0"),
        (("watch", "ftp://x/"), "is not an http:// or https:// URL"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], reason: str) -> None:
    result = CliRunner().invoke(main, list(arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sevre", "No such command 'sevre'. Did you mean serve?"),
        ("zzz", "No such command 'zzz'.\n"),
    ],
)
def test_a_command_that_is_mistyped(name: str, words: str) -> None:
    result = CliRunner().invoke(main, [name])
    assert result.exit_code == 2
    assert words in result.output


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.mkv"
    file.write_bytes(b"mine")
    result = CliRunner().invoke(main, ["watch", "http://x/whep/a", "-o", str(file)])
    assert result.exit_code == 2
    assert "exists" in result.stderr
    assert file.read_bytes() == b"mine"
