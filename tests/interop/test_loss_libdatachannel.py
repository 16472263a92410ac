"""libdatachannel over a path that loses packets: it sends them again as they were."""

from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import create_app
from whipbird.config import Settings

from .described import described, layer_of
from .encoded_media import FRAMES, single
from .libdatachannel import Publisher, install
from .lossy_path import LossyPath
from .recorded_encoding import record_encodings

TOKEN = "stream-key"

# Nothing is lost after so many frames: nobody would know of the last packets.
LOSSY_FRAMES = 75


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return install(request.config.cache)


@pytest.mark.parametrize("loss", [0.02, 0.10])
async def test_what_is_lost_is_sent_again(
    aiohttp_server: AiohttpServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    library: Path,
    loss: float,
) -> None:
    encodings = record_encodings(monkeypatch)
    settings = Settings(token=TOKEN)  # type: ignore[arg-type]
    url = str((await aiohttp_server(create_app(settings))).make_url("/"))
    media = single("H264", 320, 180)

    def is_complete(stream: dict[str, Any]) -> bool:
        video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
        return bool(
            video["frames"] == FRAMES
            and video["lost"] == video["recovered"]
            and audio["packets"] + audio["lost"] - audio["recovered"]
            == len(media.audio)
        )

    async with (
        LossyPath(url.rstrip("/"), loss) as path,
        Publisher(
            library, tmp_path, f"{path.url}/whip/lossy", TOKEN, media
        ) as publisher,
    ):
        await publisher.connect()
        await until(lambda: len(encodings) >= 2)
        video, audio = sorted(
            encodings[-2:], key=lambda encoding: not encoding.is_video
        )
        await until(lambda: video.frames >= LOSSY_FRAMES)
        path.relay.lose(0.0)
        await publisher.sent()
        stream = await described(url, "lossy", is_complete, token=TOKEN)
        assert await publisher.end() == 200
        sent = path.relay.there.sources
    # Every frame is delivered, each packet once and in its place.
    assert video.gaps == 0
    assert len(video.timestamps) == FRAMES
    assert len(video.delivered) == len(sent[video.ssrc].first_sent)
    # What is requested before a later packet has come was never missing.
    report, lost = layer_of(stream, "video"), sent[video.ssrc].lost
    assert 0 < report["recovered"] == report["lost"] <= lost
    # Sound comes again, too. What takes too long is given up.
    report, lost = layer_of(stream, "audio"), sent[audio.ssrc].lost
    assert report["lost"] <= lost
    given_up = report["lost"] - report["recovered"]
    assert len(audio.delivered) == len(media.audio) - given_up
