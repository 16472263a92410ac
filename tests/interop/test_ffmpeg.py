"""FFmpeg's own WHIP muxer, through PyAV: it has no candidates and does not trickle."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop import ffmpeg_publisher
from tests.interop.certificate import write_certificate
from tests.interop.described import described, has_rates, layer_of
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.rtc import Peer
from whipbird.sessions import EndReason, Session, SessionStore

pytestmark = pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)

TOKEN = "ffmpeg-token"
SECONDS = 10
FRAMES = SECONDS * ffmpeg_publisher.RATE


@dataclass(frozen=True, slots=True)
class Publication:
    """FFmpeg's options, and the expected description by the server."""

    name: str
    flags: str
    width: int
    height: int
    encoder_profile: str
    profile: str


# FFmpeg is the DTLS server unless it is told otherwise.
PASSIVE = Publication("passive", "", 1280, 720, "baseline", "Constrained Baseline")
ACTIVE = Publication("active", "dtls_active", 640, 360, "high", "High")


async def test_every_frame_arrives_in_both_dtls_roles(
    aiohttp_server: AiohttpServer, tmp_path: Path
) -> None:
    app = create_app(Settings(token=SecretStr(TOKEN)))
    server = await aiohttp_server(app)
    certificate = write_certificate(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        for publication in (PASSIVE, ACTIVE):
            url = str(server.make_url("/"))
            tasks.create_task(_publish(publication, url, app[STORE], certificate))


async def _publish(
    publication: Publication,
    server: str,
    store: SessionStore,
    certificate: tuple[Path, Path],
) -> None:
    """Publish, and compare what the server says with what FFmpeg has sent."""
    name = publication.name
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, ffmpeg_publisher.__file__, f"{server}whip/{name}"),
        *("--token", TOKEN),
        *("--cert", str(certificate[0]), "--key", str(certificate[1])),
        *("--flags", publication.flags, "--profile", publication.encoder_profile),
        *("--width", str(publication.width), "--height", str(publication.height)),
        *("--frames", str(FRAMES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await described(
            server,
            name,
            lambda stream: _is_as_sent(stream, publication),
            *has_rates(ffmpeg_publisher.RATE, ffmpeg_publisher.KEY_FRAME_SECONDS),
            token=TOKEN,
        )
        async with asyncio.timeout(SECONDS + 40):
            sent = json.loads(await process.stdout.readline())
        # All frames are out: what is on its way still comes while FFmpeg waits.
        await described(
            server,
            name,
            lambda stream: layer_of(stream, "video")["frames"] == FRAMES,
            token=TOKEN,
        )
        session, peer = _session(store, name)
        async with asyncio.timeout(20):
            await process.communicate(b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert sent["video"] == FRAMES
    assert session.reason is EndReason.DELETED
    # The muxer keeps the last sound back until its end: only then all has been sent.
    _check_account(peer, sent)
    assert store.streams.get(name) is None


def _is_as_sent(stream: dict[str, Any], publication: Publication) -> bool:
    """Whether a stream is described as what is published."""
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    return (
        video["codec"] == "H264"
        and video["profile"] == publication.profile
        and (video["width"], video["height"]) == (publication.width, publication.height)
        and audio["codec"] == "opus"
        and audio["channels"] == 2
    )


def _session(store: SessionStore, name: str) -> tuple[Session, Peer]:
    stream = store.streams.get(name)
    assert stream is not None
    [session] = (s for s in store._sessions.values() if s.peer is stream.source)
    return session, session.peer


def _check_account(peer: Peer, sent: dict[str, int]) -> None:
    """Nothing is lost, nothing came twice, all of it was received."""
    encodings = {r.kind: e for r in peer.tracks for e in r.encodings}
    for encoding in encodings.values():
        assert encoding.reception.lost == 0
        assert encoding.reception.duplicates == 0
    assert encodings["video"].frames == FRAMES
    assert encodings["audio"].reception.packets == sent["audio"]
