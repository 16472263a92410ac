"""Clients of others watch a published stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise

import pytest
from aiohttp import web
from aiortc.rtp import RtcpPacket, RtcpSenderInfo, RtcpSrPacket
from pytest_aiohttp.plugin import AiohttpServer

from tests import offers
from tests.encoders import EncodedFrame, encode_opus, encode_video
from tests.interop.aiortc_viewer import AiortcViewer
from tests.interop.direct_publisher import H264, OPUS, PACE, VP8, Publisher
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.client import WhipClient
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.config import Settings
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason


def pictures(encoder: str, width: int, height: int) -> tuple[EncodedFrame, ...]:
    """A key frame and what follows, of few packets each."""
    return encode_video(encoder, width, height, frames=24, key_interval=1000)


@pytest.fixture
async def app() -> web.Application:
    return create_app(Settings())


@pytest.fixture
async def url(app: web.Application, aiohttp_server: AiohttpServer) -> str:
    return str((await aiohttp_server(app)).make_url("/whep/live"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def publish(app: web.Application, ssrc: int = 1000) -> Publisher:
    offer = parse_offer(offers.CHROMIUM_MEDIA)
    session, _ = await app[STORE].publish("live", offer, "-")
    return Publisher(session, ssrc)


def seen(viewer: AiortcViewer, size: tuple[int, int]) -> bool:
    return size in viewer.sizes()


def heard(viewer: AiortcViewer) -> bool:
    return len(viewer.frames["audio"]) >= 10


def assert_goes_on(packets: list[RtpPacket]) -> None:
    """Numbers without a gap, and times that never go back."""
    assert packets
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)]
    assert max(steps, default=0) < 90_000 * 10


@pytest.mark.parametrize(
    ("encoder", "codec"), [("libvpx", VP8), ("libx264", H264)], ids=["VP8", "H264"]
)
async def test_a_picture_at_once(
    app: web.Application, url: str, encoder: str, codec: int
) -> None:
    """From what is kept: the publisher sends no key frame again."""
    publisher = await publish(app)
    frames = pictures(encoder, 96, 64)
    await publisher.play(frames[:12], codec)
    async with AiortcViewer(url, ("video",)) as viewer:
        # aiortc takes a frame for complete when the next one begins.
        await until(lambda: len(viewer.frames["video"]) >= 11)
        await publisher.play(frames[12:], codec)
        await until(lambda: len(viewer.frames["video"]) >= 23)
        assert_goes_on(viewer.sent("video"))
        stamps = sorted({p.timestamp for p in viewer.sent("video")})
        # Kept packets are played quickly, new ones in real time.
        assert stamps[11] - stamps[0] == 11 * 3000 // 32
        assert [b - a for a, b in pairwise(stamps[11:])] == [3000] * 12
    (encoding,) = publisher.session.peer.tracks[1].encodings
    assert encoding.key_frames == 1


async def test_publishers_come_and_go(app: web.Application, url: str) -> None:
    """Other sources, sizes and codecs; the viewer stays and sees them all."""
    async with AiortcViewer(url, ("video",)) as viewer:
        for ssrc, encoder, codec, size in (
            (1000, "libvpx", VP8, (96, 64)),
            (2000, "libvpx", VP8, (160, 96)),
            (2000, "libx264", H264, (128, 64)),
            (3000, "libvpx", VP8, (64, 96)),
        ):
            publisher = await publish(app, ssrc)
            await publisher.play(pictures(encoder, *size), codec)
            await until(partial(seen, viewer, size))
            await publisher.session.end(EndReason.DELETED)
        assert viewer.sizes() == [(96, 64), (160, 96), (128, 64), (64, 96)]
        assert_goes_on(viewer.sent("video"))
        assert len({p.payload_type for p in viewer.sent("video")}) == 2


async def test_another_codec_in_the_middle(app: web.Application, url: str) -> None:
    async with AiortcViewer(url, ("video",)) as viewer:
        publisher = await publish(app)
        await publisher.play(pictures("libvpx", 96, 64))
        await publisher.play(pictures("libx264", 128, 64), H264)
        await until(lambda: viewer.sizes() == [(96, 64), (128, 64)])
        assert_goes_on(viewer.sent("video"))


@pytest.mark.parametrize("retransmissions", [True, False], ids=["RTX", "plain"])
async def test_what_is_lost_comes_again(
    app: web.Application, url: str, retransmissions: bool
) -> None:
    """Every fifth packet of what the viewer is sent first; no frame is missing.

    But not the very first one, which aiortc does not know to have been sent.
    """
    publisher = await publish(app)
    frames = pictures("libvpx", 96, 64)
    async with AiortcViewer(url, ("video",), retransmissions=retransmissions) as viewer:
        seen: set[int] = set()

        def lose(packet: RtpPacket) -> bool:
            is_first = packet.ssrc == viewer.ssrc("video")
            is_new = bool(seen) and packet.sequence not in seen
            seen.add(packet.sequence)
            return is_first and is_new and packet.sequence % 5 == 0

        viewer.loses = lose
        await publisher.play(frames)
        # The last ones only show that they are missing when others follow.
        await publisher.play(frames[:1] * 3)
        await until(lambda: len(viewer.frames["video"]) >= len(frames))
        again = [p for ssrc, ps in viewer.packets.items() for p in ps]
        others = {p.ssrc for p in again} - {viewer.ssrc("video")}
        assert len(others) == (1 if retransmissions else 0)
    assert app[STORE].count().total() == 1


async def test_picture_and_sound_are_in_time(app: web.Application, url: str) -> None:
    """The sender reports of a viewer relate audio and video as those of the publisher
    do, to 5 ms, wherever its timestamps begin. Here the sound is sent half a second
    before the picture that it belongs to.
    """
    publisher = await publish(app)
    frames, sounds = pictures("libvpx", 96, 64), encode_opus("mono")
    rates = {"audio": 48_000, "video": 90_000}
    starts = {"audio": 77_000, "video": 4_000_000_000}
    publisher.send(VP8, starts["video"], *frames[0].payloads)
    publisher.send(OPUS, starts["audio"], sounds[0])
    now = 3_900_000_000.0  # by the publisher's clock, in 2023
    publisher.report(VP8, now, starts["video"])
    publisher.report(OPUS, now + 0.75, starts["audio"] + 12_000)
    async with AiortcViewer(url) as viewer:
        for number in range(1, 6):
            publisher.send(
                VP8, starts["video"] + 3000 * number, *frames[number].payloads
            )
            publisher.send(OPUS, starts["audio"] + 480 * number, sounds[number])
            await asyncio.sleep(PACE)

        def moment(kind: str) -> float | None:
            """When the publisher's second frame was, as the viewer has it."""
            stamps = {p.timestamp for p in viewer.sent(kind)}
            reports = _reports(viewer, viewer.ssrc(kind))
            # The picture begins with what was kept, and all else with what is new.
            if len(stamps) < 5 or not reports:
                return None
            since = (reports[-1].rtp_timestamp - max(stamps)) & 0xFFFFFFFF
            since -= (since >> 31) << 32
            last = reports[-1].ntp_timestamp / (1 << 32) - since / rates[kind]
            return last - {"audio": 5 * 480, "video": 5 * 3000}[kind] / rates[kind]

        await until(lambda: moment("audio") and moment("video"))
        sound, picture = moment("audio"), moment("video")
        assert sound is not None
        assert picture is not None
        assert sound - picture == pytest.approx(0.5, abs=0.005)


def _reports(viewer: AiortcViewer, ssrc: int) -> list[RtcpSenderInfo]:
    packets = [packet for data in viewer.rtcp for packet in RtcpPacket.parse(data)]
    found = [p for p in packets if isinstance(p, RtcpSrPacket) and p.ssrc == ssrc]
    return [packet.sender_info for packet in found]


async def test_one_that_loses_everything_disturbs_nobody(
    app: web.Application, url: str, stack: AsyncExitStack
) -> None:
    publisher = await publish(app)
    deaf, quick = AiortcViewer(url, ("video",)), AiortcViewer(url, ("video",))
    for viewer in (deaf, quick):
        await stack.enter_async_context(viewer)
    deaf.loses = lambda packet: True
    frames = pictures("libvpx", 96, 64)
    await publisher.play(frames)
    await until(lambda: len(quick.frames["video"]) >= len(frames) - 1)
    assert deaf.frames["video"] == []
    assert_goes_on(quick.sent("video"))


async def test_a_publisher_over_the_network(url: str, stack: AsyncExitStack) -> None:
    """All the way: WHIP in, WHEP out, to one viewer before it and one after."""
    early = await stack.enter_async_context(AiortcViewer(url))
    client = WhipClient(url.replace("/whep/", "/whip/"))
    await stack.enter_async_context(client)
    pattern = Pattern((160, 96), 30, "VP8", 200_000)
    publication = Publication(pattern, client)
    await publication.connect()
    running = asyncio.create_task(publication.run())
    try:
        await until(lambda: len(early.frames["video"]) >= 10)
        late = await stack.enter_async_context(AiortcViewer(url))
        await until(lambda: len(late.frames["video"]) >= 10)
        for viewer in (early, late):
            assert viewer.sizes() == [(160, 96)]
            await until(partial(heard, viewer))
            assert_goes_on(viewer.sent("video"))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
