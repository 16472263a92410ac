"""GStreamer's elements that speak WHIP and WHEP themselves, each with each.

``whipsink`` and ``whepsrc`` take and give RTP; ``whipclientsink`` and ``whepclientsrc``
encode and decode, and offer RTX, RED and ULPFEC. They are looked for among the plugins
that GStreamer finds, in ``GST_PLUGIN_PATH``, too.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.interop.described import Condition, described, layer_of
from tests.interop.lossy_path import LossyPath
from tests.server import ServerProcess

TOKEN = "gstreamer-token"
RATE = 15
SIZE = (320, 180)

# Pictures: four seconds, two groups of them.
ENOUGH = 4 * RATE

# Seconds, for what takes some of them on a machine that is not busy.
LIMIT = 60.0
pytestmark = pytest.mark.timeout(6 * LIMIT)

# Payload types: of whipclientsink, and of whepclientsrc.
VIDEO = 96
H264, VP8_RTX, OPUS_RTX = 97, 104, 108

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


def whepclientsrc(url: str, options: str = "") -> str:
    return (
        f"whepclientsrc name=whep stun-server=NULL {options}"
        f" signaller::whep-endpoint={url} signaller::auth-token={TOKEN}"
        + _decoded("whep.video_0 ! videoconvert", "video")
        + _decoded("whep.audio_0 ! audioconvert", "audio")
    )


def _decoded(source: str, name: str) -> str:
    return f" {source} ! identity name={name} ! fakesink sync=false async=false"


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
        """End it as its user does, if it still plays; it ends its session then."""
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT):
            assert await self._process.wait() == 0


Publisher = Callable[[str, str], str]
Play = Callable[[str], Awaitable[Playing]]


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


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess("--token", TOKEN)
    try:
        await server.start()
        yield server
        # All have ended their sessions.
        await server.wait_for_sessions(0)
    finally:
        await server.stop()


@pytest_asyncio.fixture
async def play(
    gstreamer_rust: Sequence[str], server: ServerProcess
) -> AsyncIterator[Play]:
    """Plays pipelines, and stops them all at the end."""
    async with AsyncExitStack() as stack:
        all_playing: list[Playing] = []

        async def begin(pipeline: str) -> Playing:
            new = await stack.enter_async_context(playing(gstreamer_rust, pipeline))
            all_playing.append(new)
            return new

        yield begin
        for one in reversed(all_playing):
            await one.stop()


async def video_of(server: ServerProcess, condition: Condition) -> dict[str, Any]:
    """The picture's description, when the stream's meets a condition."""
    stream = await described(
        f"{server.url}/", "live", condition, token=TOKEN, limit=LIMIT
    )
    return layer_of(stream, "video")


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize("sink", [whipsink, whipclientsink])
async def test_who_comes_first_and_who_comes_late(
    server: ServerProcess, play: Play, sink: Publisher, codec: str
) -> None:
    """Both viewers, one of each kind, decode picture and sound."""
    whep = f"{server.url}/whep/live"
    first = await play(whepsrc(whep))
    await server.wait_for_sessions(1, LIMIT)
    await play(sink(f"{server.url}/whip/live", codec))
    await video_of(server, lambda stream: _is_as_sent(stream, codec))
    await first.counts(video=ENOUGH, audio=ENOUGH)
    late = await play(whepclientsrc(whep))
    await late.counts(video=ENOUGH, audio=ENOUGH)
    video = await video_of(server, lambda stream: stream["tracks"])
    assert video["lost"] == 0


def _is_as_sent(stream: dict[str, Any], codec: str) -> bool:
    """Whether a stream is described as what is published."""
    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    return (
        (video["codec"], video["width"], video["height"]) == (codec, *SIZE)
        and video["frames"] >= ENOUGH
        and (audio["codec"], audio["channels"]) == ("opus", 2)
    )


async def test_the_next_publisher(server: ServerProcess, play: Play) -> None:
    """Viewers go on with it, in the same session."""
    whep = f"{server.url}/whep/live"
    viewers = [await play(source(whep)) for source in (whepsrc, whepclientsrc)]
    await server.wait_for_sessions(2, LIMIT)
    seen = 0
    for sink in (whipclientsink, whipsink):
        publisher = await play(sink(f"{server.url}/whip/live", "VP8"))
        seen += ENOUGH
        for viewer in viewers:
            counts = await viewer.counts(video=seen, audio=seen)
        await publisher.stop()
        await server.wait_for_sessions(2, LIMIT)
        seen = counts["video"]


async def test_a_codec_that_is_not_offered(server: ServerProcess, play: Play) -> None:
    """Its sound is heard alone, until there is a picture that fits."""
    whip, whep = f"{server.url}/whip/live", f"{server.url}/whep/live"
    viewer = await play(whepclientsrc(whep, 'video-codecs="<VP8>"'))
    await server.wait_for_sessions(1, LIMIT)
    publisher = await play(whipclientsink(whip, "H264"))
    heard = await viewer.counts(audio=3 * ENOUGH)
    assert heard["video"] == 0
    await publisher.stop()
    await server.wait_for_sessions(1, LIMIT)
    await play(whipclientsink(whip, "VP8"))
    await viewer.counts(video=ENOUGH, audio=heard["audio"] + ENOUGH)


# Of H.264, whepclientsrc offers no RTX: the same packets come again.
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_what_is_lost_is_sent_again(
    server: ServerProcess, play: Play, codec: str
) -> None:
    """By the publisher over RTX, and to the viewer, who asks for some of it."""
    async with LossyPath(server.url) as there, LossyPath(server.url) as back:
        publisher = await play(whipclientsink(f"{there.url}/whip/live", codec))
        viewer = await play(whepclientsrc(f"{back.url}/whep/live"))
        await viewer.counts(video=ENOUGH, audio=ENOUGH)
        for path in (there, back):
            path.relay.lose(0.1)
        await viewer.counts(video=3 * ENOUGH)
        for path in (there, back):
            path.relay.lose(0.0)
        await viewer.counts(video=4 * ENOUGH)
        video = await video_of(server, _is_repaired)
        for each in (viewer, publisher):
            await each.stop()
        [lost] = (
            source.lost
            for source in there.relay.there.sources.values()
            if source.payload_type == VIDEO
        )
        assert video["lost"] == lost
        sent = {s.payload_type: s for s in back.relay.back.sources.values()}
        assert sent[OPUS_RTX].first_sent
        assert sent[VP8_RTX].first_sent if codec == "VP8" else sent[H264].again


def _is_repaired(stream: dict[str, Any]) -> bool:
    """Whether all came again, but for what a publisher that stands still forgets."""
    video = layer_of(stream, "video")
    return bool(video["lost"]) and bool(video["recovered"] >= 0.9 * video["lost"])
