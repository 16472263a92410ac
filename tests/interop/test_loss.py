"""Our own publisher over a lossy path: packets are retransmitted over RTX."""

import asyncio
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import Any

import pytest
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from pytest_aiohttp.plugin import AiohttpServer

from tests.media_files import nal_units
from tests.waiting import until
from whipbird.app import create_app
from whipbird.client import WhipClient
from whipbird.client.media import EncodedFrame, VideoCodec
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.config import Settings

from .described import described, layer_of
from .lossy_path import LossyPath
from .recorded_encoding import RecordedEncoding, record_encodings

TOKEN = "stream-key"

SECONDS = 3.0
# Nothing is lost after so many frames: nobody would know of the last packets.
LOSSY_FRAMES = 75


class RecordedPattern(Pattern):
    """A test pattern that keeps its video frames."""

    def __init__(self, codec: VideoCodec) -> None:
        super().__init__((640, 360), codec=codec, bitrate=2_000_000)
        self.video: list[bytes] = []

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        # None is left out where there is no time to encode it: it comes late.
        for frame in super().frames(lambda _: False):
            if frame.kind == "video" and frame.time < SECONDS:
                self.video.append(frame.data)
            yield frame


def frames_of(encoding: RecordedEncoding) -> list[bytes]:
    """The video frames that a server delivers, put together again."""
    codec = RTCRtpCodecParameters(f"video/{encoding.codec.name.upper()}", 90000)
    frames = dict.fromkeys(encoding.timestamps, b"")
    for packet in encoding.delivered:
        frames[packet.timestamp] += depayload(codec, packet.payload)
    return list(frames.values())


@pytest.mark.parametrize(
    ("codec", "loss"), [("H264", 0.02), ("H264", 0.10), ("VP8", 0.10)]
)
async def test_what_is_lost_is_sent_again(
    aiohttp_server: AiohttpServer,
    monkeypatch: pytest.MonkeyPatch,
    codec: VideoCodec,
    loss: float,
) -> None:
    encodings = record_encodings(monkeypatch)
    settings = Settings(token=TOKEN)  # type: ignore[arg-type]
    url = str((await aiohttp_server(create_app(settings))).make_url("/"))
    pattern = RecordedPattern(codec)

    async with (
        LossyPath(url.rstrip("/"), loss) as path,
        WhipClient(f"{path.url}/whip/lossy", token=TOKEN) as client,
    ):
        publication = Publication(pattern, client, SECONDS)
        await publication.connect()
        run = asyncio.create_task(publication.run())
        await until(lambda: len(encodings) == 2)
        video, audio = sorted(encodings, key=lambda encoding: not encoding.is_video)
        await until(lambda: video.frames >= LOSSY_FRAMES)
        path.relay.lose(0.0)
        await run
        sent = path.relay.there.sources

        def is_complete(stream: dict[str, Any]) -> bool:
            """Nothing is on its way any more, and nothing is waited for."""
            sounds, pictures = layer_of(stream, "audio"), layer_of(stream, "video")
            # Those that were retransmitted are packets of the source, too.
            heard = sounds["packets"] + sounds["lost"] - sounds["recovered"]
            return bool(
                heard == len(sent[audio.ssrc].first_sent)
                and pictures["frames"] == len(pattern.video)
                and not video.reception.missing
                and not audio.reception.missing
            )

        stream = await described(url, "lossy", is_complete, token=TOKEN)
    # Every frame is delivered, and is what was sent.
    assert video.gaps == 0
    assert len(pattern.video) == int(SECONDS * 30)
    units = nal_units if codec == "H264" else lambda data: [data]
    assert [units(f) for f in frames_of(video)] == [units(f) for f in pattern.video]
    # The number of lost packets is known exactly.
    report, lost = layer_of(stream, "video"), sent[video.ssrc].lost
    assert lost > 0
    assert (report["lost"], report["recovered"]) == (lost, lost)
    assert report["packets"] == len(sent[video.ssrc].first_sent) - lost
    # Sound comes again in the source itself. What takes too long is given up.
    report, lost = layer_of(stream, "audio"), sent[audio.ssrc].lost
    assert report["lost"] == lost
    given_up = report["lost"] - report["recovered"]
    assert len(audio.delivered) == len(sent[audio.ssrc].first_sent) - given_up
