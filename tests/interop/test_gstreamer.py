"""GStreamer's webrtcbin, from Debian's packages: it trickles, and its key is RSA."""

import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import SecretStr
from pytest_aiohttp.plugin import AiohttpServer

from tests.interop.described import described, has_rates, layer_of
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.rtc import Peer
from whipbird.sessions import EndReason, SessionStore

TOKEN = "gstreamer-token"
RATE = 30
PICTURES = 8 * RATE
KEY_FRAME_SECONDS = 2

# The expected description: the codec, and its profile or channels.
VIDEO = {
    "vp8": ("VP8", "Profile 0"),
    "h264": ("H264", "Constrained Baseline"),
    "vp9": ("VP9", "Profile 0"),
    "h265": ("H265", "Main"),
}
AUDIO = {"opus": ("opus", 2), "pcmu": ("PCMU", 1), "pcma": ("PCMA", 1)}


@dataclass(frozen=True, slots=True)
class Publication:
    """GStreamer's media, by the name of the video codec."""

    video: str
    audio: str
    options: tuple[str, ...] = ()


# Two at a time, to save time.
@pytest.mark.parametrize(
    "publications",
    [
        (Publication("vp8", "opus"), Publication("h264", "opus", ("--rtx",))),
        (Publication("vp9", "pcma", ("--rtx",)), Publication("h265", "pcmu")),
    ],
    ids=lambda publications: "-".join(p.video for p in publications),
)
async def test_every_frame_arrives(
    aiohttp_server: AiohttpServer,
    gstreamer: Sequence[str],
    publications: tuple[Publication, ...],
) -> None:
    app = create_app(Settings(token=SecretStr(TOKEN)))
    server = str((await aiohttp_server(app)).make_url("/"))
    async with asyncio.TaskGroup() as tasks:
        for publication in publications:
            tasks.create_task(_publish(gstreamer, publication, server, app[STORE]))


async def _publish(
    gstreamer: Sequence[str], publication: Publication, server: str, store: SessionStore
) -> None:
    """Publish, and compare what the server says with what GStreamer has sent."""
    name = publication.video
    process = await asyncio.create_subprocess_exec(
        *(*gstreamer, f"{server}whip/{name}", "--token", TOKEN),
        *("--video", name, "--audio", publication.audio, *publication.options),
        *("--frames", str(PICTURES)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(40):
            connected = json.loads(await process.stdout.readline())
        await described(
            server,
            name,
            lambda stream: _is_as_sent(stream, publication),
            *has_rates(RATE, KEY_FRAME_SECONDS),
            token=TOKEN,
        )
        async with asyncio.timeout(20):
            encoded = json.loads(await process.stdout.readline())["frames"]
        # An encoder may leave out a picture in which little moves.
        assert PICTURES / 2 < encoded <= PICTURES
        await described(
            server,
            name,
            lambda stream: layer_of(stream, "video")["frames"] == encoded,
            token=TOKEN,
        )
        stream = store.streams.get(name)
        assert stream is not None
        [session] = (s for s in store._sessions.values() if s.peer is stream.source)
        _check_connection(session.peer, connected)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert session.reason is EndReason.DELETED
    assert store.streams.get(name) is None
    _check_account(session.peer, encoded)


def _is_as_sent(stream: dict[str, Any], publication: Publication) -> bool:
    """Whether a stream is described as what is published."""
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    return (
        (video["codec"], video["profile"]) == VIDEO[publication.video]
        and (video["width"], video["height"]) == (640, 360)
        and (audio["codec"], audio["channels"]) == AUDIO[publication.audio]
    )


def _check_connection(peer: Peer, connected: dict[str, Any]) -> None:
    """It was trickle ICE, and DTLS with an RSA certificate."""
    assert connected["candidates"] > 0
    ssl = peer.connection.transport.dtls._ssl
    assert ssl is not None
    certificate = ssl.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    assert isinstance(certificate.public_key(), RSAPublicKey)


def _check_account(peer: Peer, encoded: int) -> None:
    """Nothing is lost, nothing came twice, all of it was received."""
    encodings = {r.kind: e for r in peer.tracks for e in r.encodings}
    for encoding in encodings.values():
        assert encoding.reception.lost == 0
        assert encoding.reception.duplicates == 0
    assert encodings["video"].frames == encoded
    assert encodings["audio"].reception.packets > 0
