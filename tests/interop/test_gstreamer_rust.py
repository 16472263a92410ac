"""GStreamer's elements that speak WHIP and WHEP themselves, each with each.

``whipsink`` and ``whepsrc`` take and give RTP; ``whipclientsink`` and ``whepclientsrc``
encode and decode, and offer RTX, RED and ULPFEC. They are looked for among the plugins
that GStreamer finds, in ``GST_PLUGIN_PATH``, too.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.interop.described import described, layer_of
from tests.server import ServerProcess

TOKEN = "gstreamer-token"
RATE = 15
SIZE = (320, 180)

# Pictures: four seconds, two groups of them.
ENOUGH = 4 * RATE

# Seconds, for what takes some of them on a machine that is not busy.
LIMIT = 60.0

PICTURE = (
    f"videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={SIZE[0]},"
    f"height={SIZE[1]},framerate={RATE}/1 ! queue"
)
TONE = (
    "audiotestsrc is-live=true volume=0.1 ! audio/x-raw,rate=48000,channels=2 ! queue"
)

# The encoders for whipsink. The other one makes its own.
ENCODERS = {
    "H264": "x264enc name=video tune=zerolatency speed-preset=ultrafast key-int-max=30"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
    "H265": "x265enc name=video tune=zerolatency speed-preset=ultrafast key-int-max=30"
    " ! rtph265pay config-interval=-1 aggregate-mode=zero-latency",
    "VP8": "vp8enc name=video deadline=1 keyframe-max-dist=30 ! rtpvp8pay",
    "VP9": "vp9enc name=video deadline=1 cpu-used=8 keyframe-max-dist=30 ! rtpvp9pay",
}


def whipsink(url: str, codec: str) -> str:
    """Its codecs are those of the caps in front of it."""
    rtp = f"application/x-rtp,media=video,encoding-name={codec},payload=96"
    return (
        f"whipsink name=whip whip-endpoint={url} auth-token={TOKEN}"
        f" {PICTURE} ! {ENCODERS[codec]} ! {rtp} ! whip."
        f" {TONE} ! opusenc name=audio ! rtpopuspay"
        " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! whip."
    )


def whipclientsink(url: str, codec: str) -> str:
    return (
        f"whipclientsink name=whip stun-server=NULL signaller::whip-endpoint={url}"
        f" signaller::auth-token={TOKEN} video-caps=video/x-{codec.lower()}"
        f" {PICTURE} ! identity name=video ! whip.video_0"
        f" {TONE} ! identity name=audio ! whip.audio_0"
    )


def whepsrc(url: str) -> str:
    """With the codecs that it offers by default: the first section is the sound."""
    return (
        f"whepsrc name=whep whep-endpoint={url} auth-token={TOKEN}"
        + _decoded("whep.src_1 ! decodebin", "video")
        + _decoded("whep.src_0 ! decodebin", "audio")
    )


def whepclientsrc(url: str) -> str:
    return (
        f"whepclientsrc name=whep stun-server=NULL signaller::whep-endpoint={url}"
        f" signaller::auth-token={TOKEN}"
        + _decoded("whep.video_0 ! videoconvert", "video")
        + _decoded("whep.audio_0 ! audioconvert", "audio")
    )


def _decoded(source: str, name: str) -> str:
    return f" {source} ! identity name={name} ! fakesink sync=false"


Publisher = Callable[[str, str], str]
Viewer = Callable[[str], str]


class Playing:
    """A pipeline that plays, with elements ``video`` and ``audio`` to count at."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def counts(self, **least: int) -> dict[str, int]:
        """Wait until as many buffers have left each of these elements.

        Returns:
            How many have left each element.
        """
        assert self._process.stdout is not None
        async with asyncio.timeout(LIMIT):
            while True:
                line = await self._process.stdout.readline()
                assert line, "it has ended"
                counts: dict[str, int] = json.loads(line)
                if all(counts[name] >= count for name, count in least.items()):
                    return counts

    async def stop(self) -> None:
        """End it as its user does; it ends its session then."""
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT):
            assert await self._process.wait() == 0


@asynccontextmanager
async def playing(command: Sequence[str], pipeline: str) -> AsyncIterator[Playing]:
    process = await asyncio.create_subprocess_exec(
        *(*command, pipeline, "--count", "video", "audio"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Playing(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.timeout(6 * LIMIT)
@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize("sink", [whipsink, whipclientsink])
async def test_who_comes_first_and_who_comes_late(
    gstreamer_rust: Sequence[str], sink: Publisher, codec: str
) -> None:
    """Both viewers, one of each kind, decode picture and sound."""
    server = ServerProcess("--token", TOKEN)
    await server.start()
    try:
        whip, whep = f"{server.url}/whip/live", f"{server.url}/whep/live"
        async with AsyncExitStack() as stack:

            async def play(pipeline: str) -> Playing:
                return await stack.enter_async_context(
                    playing(gstreamer_rust, pipeline)
                )

            first = await play(whepsrc(whep))
            await server.wait_for_sessions(1, LIMIT)
            publisher = await play(sink(whip, codec))
            await described(
                f"{server.url}/",
                "live",
                lambda stream: _is_as_sent(stream, codec),
                token=TOKEN,
                limit=LIMIT,
            )
            await first.counts(video=ENOUGH, audio=ENOUGH)
            late = await play(whepclientsrc(whep))
            await late.counts(video=ENOUGH, audio=ENOUGH)
            stream = await described(
                f"{server.url}/", "live", lambda stream: stream["tracks"], token=TOKEN
            )
            for kind in ("video", "audio"):
                assert layer_of(stream, kind)["lost"] == 0
            for each in (late, first, publisher):
                await each.stop()
        await server.wait_for_sessions(0)
    finally:
        await server.stop()


def _is_as_sent(stream: dict[str, Any], codec: str) -> bool:
    """Whether a stream is described as what is published."""
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    return (
        (video["codec"], video["width"], video["height"]) == (codec, *SIZE)
        and video["frames"] >= ENOUGH
        and (audio["codec"], audio["channels"]) == ("opus", 2)
    )
