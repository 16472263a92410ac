"""The commands of the FFmpeg guide, run by a real ``ffmpeg``, as they stand."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop.described import described, layer_of
from tests.server import ROOT
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.sessions import EndReason
from whipbird.transport.ice import consent, full_agent

GUIDE = ROOT / "docs/guides/ffmpeg.md"
TOKEN = "c3RyZWFtLWtleQ"  # the guide's


def _commands() -> Iterator[object]:
    """The code blocks that publish, each with the heading it stands under."""
    heading = ""
    for line in re.split(r"(?m)^(?=#+ |```)", GUIDE.read_text()):
        if line.startswith("#"):
            heading = line.splitlines()[0].strip("# ")
        elif line.startswith("```sh\n") and "-f whip" in line:
            yield pytest.param(line.removeprefix("```sh\n"), id=heading)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands find ``ffmpeg``, and the files that they name."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    folder = tmp_path_factory.mktemp("ffmpeg")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    for name, options in (("movie", ()), ("no-b-frames", ("-bf", "0"))):
        subprocess.run(
            (
                *(folder / "ffmpeg", "-loglevel", "error"),
                *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=10"),
                *("-f", "lavfi", "-i", "sine=duration=10"),
                *("-c:v", "libx264", "-preset", "ultrafast", *options),
                *("-g", "30", "-c:a", "aac", folder / f"{name}.mp4"),
            ),
            check=True,
            timeout=60,
        )
    return folder


@pytest.fixture
def short_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent that expires after 4 seconds instead of 30."""
    monkeypatch.setattr(consent, "CONSENT_INTERVAL", 0.5)
    monkeypatch.setattr(full_agent, "CONSENT_LIFETIME", 4.0)


@pytest.mark.usefixtures("short_consent")
async def test_it_goes_on_although_it_answers_no_checks(
    aiohttp_server: AiohttpServer, folder: Path
) -> None:
    """Once it sends it reads no STUN: its packets are its consent, while they come."""
    app = create_app(Settings())
    server = str((await aiohttp_server(app)).make_url("/"))
    process = await asyncio.create_subprocess_exec(
        *(folder / "ffmpeg", "-re", "-loglevel", "warning", "-i", "no-b-frames.mp4"),
        *("-c:v", "copy", "-an", "-f", "whip", f"{server}whip/long"),
        cwd=folder,
    )
    try:
        # Of 300 in 10 seconds.
        await described(
            server,
            "long",
            lambda stream: (layer_of(stream, "video")["frames"] or 0) > 240,
            token=TOKEN,
            limit=60,
        )
        [session] = app[STORE]._sessions.values()
        ice = session.peer.connection.transport.ice
        # The last answer came while they connected.
        assert ice.checks_sent - ice.responses_received > 8
        process.send_signal(signal.SIGSTOP)
        await until(lambda: session.reason is not None)
    finally:
        process.kill()
        await process.wait()
    assert session.reason is EndReason.CONSENT_LOST


@pytest.mark.parametrize("command", list(_commands()))
async def test_a_command_of_the_guide_publishes(
    aiohttp_server: AiohttpServer, folder: Path, command: str
) -> None:
    app = create_app(Settings(token=SecretStr(TOKEN) if TOKEN in command else None))
    server = str((await aiohttp_server(app)).make_url("/"))
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euc", command),
        cwd=folder,
        env=os.environ
        | {"PATH": f"{folder}:{os.environ['PATH']}", "WHIP": f"{server}whip/guide"},
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        await described(
            server,
            "guide",
            lambda stream: layer_of(stream, "video")["width"],
            lambda stream: layer_of(stream, "video")["frame_rate"],
            token=TOKEN,
        )
        [session] = app[STORE]._sessions.values()
        encodings = [e for r in session.peer.tracks for e in r.encodings]
        assert [e.reception.lost for e in encodings] == [0] * len(encodings)
        async with asyncio.timeout(20):
            await shell.communicate(b"q")
    finally:
        if shell.returncode is None:
            os.killpg(shell.pid, signal.SIGKILL)
            await shell.wait()
    assert shell.returncode == 0
    assert session.reason is EndReason.DELETED
