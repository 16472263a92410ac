"""``whipbird publish`` as its users run it, against a server process."""

import asyncio
import json
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
from av.video.frame import VideoFrame
from click.testing import CliRunner

from tests.conformance.test_api_examples import pattern, read_examples
from tests.media_files import write_media
from tests.server import ROOT, ServerProcess, free_port
from whipbird.cli import main
from whipbird.cli.publish import publish_command

GUIDE = (ROOT / "docs/publish.md").read_text(encoding="utf-8")

SMALL = ("--size", "320x180", "--bitrate", "300k")


@asynccontextmanager
async def publishing(
    *arguments: str, cwd: Path | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, while it runs."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipbird", "publish", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd or tempfile.gettempdir(),
        env=inherited,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """Wait for the end: exit code, output, errors."""
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def publish(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Run the command to its end."""
    async with publishing(*arguments, cwd=cwd) as process:
        return await ended(process)


async def described(
    server: ServerProcess, until: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The server's description of the stream ``live``, when it meets a condition."""
    seen: dict[str, Any] = {}
    url = f"{server.url}/api/streams/live"
    try:
        async with asyncio.timeout(100), aiohttp.ClientSession() as http:
            while True:
                async with http.get(url) as response:
                    if response.status == 200:
                        seen = await response.json()
                        if until(seen):
                            return seen
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"only this was described: {seen}") from None


def layer_of(stream: dict[str, Any], kind: str) -> dict[str, Any]:
    """The only layer of the track of a kind; empty while there is none."""
    layers = [x for t in stream["tracks"] if t["kind"] == kind for x in t["layers"]]
    return layers[0] if layers else {}


def has_rate(stream: dict[str, Any], rate: int) -> bool:
    """Whether so many pictures a second were measured, and sound was, too."""
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    measured = video.get("frame_rate", 0)
    # A picture or two more or less may fall into the second that was measured.
    return abs(measured - rate) < 2.5 and bool(audio.get("bitrate"))


def is_live(stream: dict[str, Any]) -> bool:
    """Whether something has come."""
    return bool(layer_of(stream, "video").get("frames"))


def figures(output: str, kind: str) -> tuple[int, int]:
    """Frames and packets in the summary."""
    [line] = [
        x for x in output.splitlines() if x.startswith(f"{kind}: ") and "octets" in x
    ]
    words = line.split()
    assert words[2] == "frames,"
    return int(words[1]), int(words[3])


@pytest.mark.parametrize(("option", "codec"), [("h264", "H264"), ("vp8", "VP8")])
async def test_the_server_describes_the_test_pattern(
    server: ServerProcess, option: str, codec: str
) -> None:
    url = f"{server.url}/whip/live"
    arguments = (*SMALL, "--rate", "15", "--video-codec", option)
    async with publishing("testsrc", url, *arguments) as process:
        stream = await described(server, lambda s: has_rate(s, 15))
        process.send_signal(signal.SIGTERM)
        code, output, errors = await ended(process)
    assert (code, errors) == (0, "")
    assert stream["state"] == "connected"
    assert [track["kind"] for track in stream["tracks"]] == ["video", "audio"]
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    assert (video["codec"], video["width"], video["height"]) == (codec, 320, 180)
    assert (
        video["profile"] == {"H264": "Constrained Baseline", "VP8": "Profile 0"}[codec]
    )
    assert video["key_frames"] >= 1
    assert (audio["codec"], audio["channels"]) == ("opus", 2)
    assert video["lost"] == audio["lost"] == 0
    lines = output.splitlines()
    assert lines[0].startswith(f"PUBLISH testsrc to {url} (")
    assert lines[1:3] == [
        f"  video: 320x180, 15 frames/s, encoded as {codec}",
        "  audio: a tone of 440 Hz, encoded as opus",
    ]
    assert f"--- {url} publish statistics ---" in lines
    frames, packets = figures(output, "video")
    assert packets >= frames >= video["frames"]
    await server.wait_for_sessions(0)
    await server.logged("reason='deleted by the client'")


async def test_a_file(server: ServerProcess, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264", "aac")
    url = f"{server.url}/whip/live"
    async with publishing(str(path), url, "--loop") as process:
        stream = await described(server, lambda s: has_rate(s, 30))
        process.send_signal(signal.SIGTERM)
        code, output, errors = await ended(process)
    assert (code, errors) == (0, "")
    video = layer_of(stream, "video")
    assert (video["codec"], video["width"], video["height"]) == ("H264", 64, 64)
    assert output.splitlines()[1:3] == [
        "  video: h264 64x64, sent as it is",
        "  audio: aac 48000 Hz stereo, encoded as opus: this client does not send aac",
    ]


async def test_a_file_ends(server: ServerProcess, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.webm", "libvpx", "libopus", frames=30)
    code, output, errors = await publish(str(path), f"{server.url}/whip/live")
    assert (code, errors) == (0, "")
    assert figures(output, "video")[0] == 30
    assert " in 1.0 seconds" in output
    await server.wait_for_sessions(0)


async def test_in_json(server: ServerProcess) -> None:
    url = f"{server.url}/whip/live"
    code, output, errors = await publish(
        "testsrc", url, *SMALL, "--duration", "1", "--json"
    )
    assert (code, errors) == (0, "")
    result = json.loads(output)
    assert (result["url"], result["source"], result["error"]) == (url, "testsrc", None)
    video, audio = result["streams"]
    assert (video["kind"], video["codec"], video["encoded"]) == ("video", "H264", True)
    assert video["frames"] + result["skipped"] == 30
    assert (audio["codec"], audio["frames"], audio["packets"]) == ("opus", 50, 50)
    assert result["packets"] == video["packets"] + 50
    assert result["octets"] == video["octets"] + audio["octets"]
    assert result["seconds"] >= 1
    assert result["damaged"] == 0


async def test_a_name_that_is_taken(server: ServerProcess) -> None:
    url = f"{server.url}/whip/live"
    async with publishing("testsrc", url, *SMALL) as first:
        await described(server, is_live)
        code, output, errors = await publish("testsrc", url, *SMALL)
        assert (code, output) == (1, "")
        first_try, wait, second_try = errors.splitlines()
        for refusal in (first_try, second_try):
            assert refusal.startswith("whipbird publish: 409 Stream is taken: ")
            assert '"live"' in refusal
        assert re.fullmatch(r"whipbird publish: Trying again in [12] s", wait)
        # The first has not noticed anything.
        before = layer_of(await described(server, is_live), "video")["frames"]
        await described(server, lambda s: layer_of(s, "video")["frames"] > before)
        first.send_signal(signal.SIGTERM)
        assert (await ended(first))[0] == 0


async def test_a_name_that_is_taken_as_json(server: ServerProcess) -> None:
    url = f"{server.url}/whip/live"
    async with publishing("testsrc", url, *SMALL):
        await described(server, is_live)
        code, output, errors = await publish("testsrc", url, *SMALL, "--json")
    assert (code, errors) == (1, "")
    assert json.loads(output)["error"].startswith("409 Stream is taken: ")


async def test_after_a_crash_it_publishes_again(server: ServerProcess) -> None:
    url = f"{server.url}/whip/live"
    async with publishing("testsrc", url, *SMALL) as first:
        await described(server, is_live)
        first.kill()
        await first.wait()
        code, output, _ = await publish("testsrc", url, *SMALL, "--duration", "1")
    assert code == 0
    assert "frames" in output
    await server.logged("silent, and replaced by another publisher")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupting_ends_the_session_and_sums_up(
    server: ServerProcess, number: signal.Signals
) -> None:
    async with publishing("testsrc", f"{server.url}/whip/live", *SMALL) as process:
        await described(server, is_live)
        process.send_signal(number)
        code, output, errors = await ended(process)
    assert (code, errors) == (0, "")
    frames, _ = figures(output, "video")
    assert frames >= 1
    await server.wait_for_sessions(0)
    await server.logged("reason='deleted by the client'")


async def test_interrupting_twice_does_not_wait(server: ServerProcess) -> None:
    """A server that does not answer cannot keep it."""
    async with publishing("testsrc", f"{server.url}/whip/live", *SMALL) as process:
        await described(server, is_live)
        server.freeze()
        try:
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.2)  # the first must be taken before the second
            process.send_signal(signal.SIGINT)
            code, _, errors = await ended(process)
        finally:
            server.thaw()
    assert (code, errors) == (-signal.SIGINT, "")


async def test_a_server_that_stops() -> None:
    server = ServerProcess()
    await server.start()
    try:
        async with publishing("testsrc", f"{server.url}/whip/live", *SMALL) as process:
            await described(server, is_live)
            await server.terminate()
            code, output, errors = await ended(process)
    finally:
        await server.stop()
    assert code == 1
    assert errors == "whipbird publish: Connection lost: by the server\n"
    assert figures(output, "video")[0] >= 1


async def test_nobody_is_there(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    url = f"http://127.0.0.1:{free_port()}/whip/live"
    code, output, errors = await publish(str(path), url)
    assert (code, output) == (1, "")
    assert errors.startswith("whipbird publish: Cannot reach the server: 127.0.0.1")
    assert "Connection refused" in errors


async def test_what_is_no_media_file(tmp_path: Path) -> None:
    """The server is not even asked."""
    url = f"http://127.0.0.1:{free_port()}/whip/live"
    text = tmp_path / "a.txt"
    text.write_text("hello")
    for path, reason in (
        (text, "Invalid data"),
        (tmp_path / "missing.mp4", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        code, output, errors = await publish(str(path), url)
        assert (code, output) == (1, "")
        assert errors.startswith(f"whipbird publish: {path}: {reason}")
        assert errors.count("\n") == 1
    code, output, errors = await publish(str(text), url, "--json")
    assert (code, errors) == (1, "")
    result = json.loads(output)
    assert result["error"].startswith(f"{text}: Invalid data")
    assert (result["streams"], result["packets"]) == ([], 0)


async def test_a_file_that_breaks_off(server: ServerProcess, tmp_path: Path) -> None:
    """The existing part is sent."""
    path = write_media(tmp_path / "a.mkv", "libx264", frames=60)
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) // 2])
    code, output, errors = await publish(str(path), f"{server.url}/whip/live")
    assert code == 1
    assert errors.startswith(f"whipbird publish: {path}: it breaks off after ")
    assert 20 <= figures(output, "video")[0] <= 40
    await server.wait_for_sessions(0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("testsrc", "--loop"), "--loop is for files"),
        (("a.mp4", "--size", "320x180"), "--size and --rate are for testsrc"),
        (("a.mp4", "--rate", "15"), "--size and --rate are for testsrc"),
        (("testsrc", "--size", "33x32"), "33 is not an even number from 16 to 4096"),
        (("testsrc", "--size", "big"), "'big' is not a size like 1280x720"),
        (("testsrc", "--rate", "0"), "is not in the range 1<=x<=120"),
        (("testsrc", "--bitrate", "1"), "1 is not from 50k to 50M"),
        (("testsrc", "--bitrate", "much"), "'much' is not a bitrate like 2500k"),
        (("testsrc", "--duration", "0"), "is not in the range x>0"),
        (("testsrc", "--duration", "inf"), "inf is not a number of seconds"),
        (("testsrc", "--video-codec", "av1"), "'av1' is not one of 'h264', 'vp8'"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], reason: str) -> None:
    source, *options = arguments
    url = "http://127.0.0.1/whip/live"
    result = CliRunner().invoke(main, ["publish", source, url, *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr


def test_help_names_every_option() -> None:
    result = CliRunner().invoke(main, ["publish", "--help"])
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "publish [OPTIONS] FILE|testsrc URL" in text
    for default in ("that of the file, else h264", "2.5M", "1280x720", "30"):
        assert f"[default: {default}]" in text
    for option in ("loop", "duration", "video-codec", "bitrate", "token", "json"):
        assert f"--{option} " in text


def test_the_guide_has_every_option() -> None:
    options = {
        f"--{parameter.name}".replace("_", "-").replace("--as-json", "--json")
        for parameter in publish_command.params
        if isinstance(parameter, click.Option)
    }
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", GUIDE, re.MULTILINE))


async def test_the_examples_of_the_guide(server: ServerProcess, tmp_path: Path) -> None:
    picture = VideoFrame(1280, 720, "yuv420p")
    write_media(tmp_path / "talk.mp4", "libx264", "aac", frames=45, picture=picture)
    (tmp_path / "notes.txt").write_text("hello")
    examples = read_examples(GUIDE)
    assert len(examples) == 7
    for example in examples:
        command = example.command.replace("localhost:8080", f"127.0.0.1:{server.port}")
        program, subcommand, *arguments = shlex.split(command)
        assert (program, subcommand) == ("whipbird", "publish")
        _, output, errors = await publish(*arguments, cwd=tmp_path)
        output = (errors + output).replace(f"127.0.0.1:{server.port}", "localhost:8080")
        shown = pattern(example.shown)
        assert re.fullmatch(shown, output), f"{example.command}\n{output}"
