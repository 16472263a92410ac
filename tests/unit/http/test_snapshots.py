"""A picture of a stream over HTTP."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    opus_packets,
    video_frames,
)
from whipbird.http.problems import problem_middleware
from whipbird.http.snapshots import SnapshotResource
from whipbird.recording.snapshots import Snapshots
from whipbird.rtp.packet import RtpPacket
from whipbird.streams import Streams

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def publishers() -> AsyncIterator[list[Publisher]]:
    made = [Publisher(VIDEO["libvpx"]), Publisher(audio=AUDIO["opus"])]
    yield made
    for publisher in made:
        await publisher.rig.stop()


@pytest.fixture
async def client(
    aiohttp_client: AiohttpClient, publishers: list[Publisher]
) -> AsyncIterator[Client]:
    video, sound = publishers
    kept: list[RtpPacket] = []
    frames = video_frames("libvpx")
    video.send_frame(frames[0].payloads)
    video.encoding("video").subscribe(kept.append)
    video.send_frame(frames[0].payloads)
    sound.send_sound(opus_packets()[0], 960)
    streams = Streams()
    for name, publisher in (("live", video), ("radio", sound)):
        streams.publish(publisher.stream(name))
    streams.publish(Publisher(VIDEO["libvpx"]).stream("silent"))
    snapshots = Snapshots(lambda stream, _: kept if stream.name == "live" else [])
    app = web.Application(middlewares=[problem_middleware])
    SnapshotResource(streams, snapshots).add_to(app)
    yield await aiohttp_client(app)
    await snapshots.close()


async def test_a_picture(client: Client) -> None:
    response = await client.get("/live/snapshot.jpg")
    assert response.status == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert (await response.read())[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    ("stream", "status", "title"),
    [
        ("other", 404, "No such stream"),
        ("radio", 404, "No video"),
        ("silent", 503, "No picture"),
    ],
)
async def test_no_picture(client: Client, stream: str, status: int, title: str) -> None:
    response = await client.get(f"/{stream}/snapshot.jpg")
    assert response.status == status
    problem = await response.json(content_type="application/problem+json")
    assert problem["title"] == title
    assert ("Retry-After" in response.headers) == (status == 503)
