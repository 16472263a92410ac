"""Publishing to a server of the same process: what it gets, and how it ends."""

import asyncio
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from pytest_aiohttp.plugin import AiohttpServer

from tests.media_files import nal_units, packets_of, sized_nal_units, write_media
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.client import WhipClient, WhipError
from whipbird.client.media import EncodedFrame, MediaError, StreamInfo
from whipbird.client.media_file import MediaFile
from whipbird.client.pattern import Pattern
from whipbird.client.publish import Publication
from whipbird.config import Settings
from whipbird.rtc.probe import fall_silent
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec
from whipbird.sdp.role import PUBLISHER
from whipbird.sessions import EndReason, Session

SPS, PPS = 7, 8


class Received:
    """The media received by a server's session, by the name of the codec."""

    def __init__(self, session: Session, client: WhipClient) -> None:
        self.packets: dict[str, list[RtpPacket]] = {}
        routes = session.peer.connection.rtp_routes
        for codec in _codecs(client):
            if codec.payload_type in routes and codec.name != "rtx":
                packets = self.packets.setdefault(codec.name, [])
                take = routes[codec.payload_type]
                routes[codec.payload_type] = self._recorded(packets, take)

    def _recorded(
        self, packets: list[RtpPacket], take: Callable[[bytes], None]
    ) -> Callable[[bytes], None]:
        def record(data: bytes) -> None:
            packet = RtpPacket.parse(data)
            assert packet is not None
            packets.append(packet)
            take(data)

        return record

    def frames(self, codec: str) -> list[bytes]:
        """The frames of a codec, put together again."""
        parameters = RTCRtpCodecParameters(
            mimeType=f"video/{codec.upper()}", clockRate=90000, payloadType=0
        )
        frames: dict[int, bytes] = {}
        for packet in self.packets[codec]:
            part = depayload(parameters, packet.payload)
            frames[packet.timestamp] = frames.get(packet.timestamp, b"") + part
        return list(frames.values())


def _codecs(client: WhipClient) -> list[Codec]:
    """The lines of the answer."""
    found = []
    for line in client.answer.splitlines():
        if line.startswith("a=rtpmap:"):
            number, _, rtpmap = line.removeprefix("a=rtpmap:").partition(" ")
            found.append(Codec(int(number), rtpmap))
    return found


@pytest.fixture
async def app() -> web.Application:
    return create_app(Settings())


@pytest.fixture
async def url(app: web.Application, aiohttp_server: AiohttpServer) -> str:
    return str((await aiohttp_server(app)).make_url("/whip/live"))


def session_of(app: web.Application, client: WhipClient) -> Session:
    assert client.location is not None
    session = app[STORE].get(PUBLISHER, "live", client.location.name)
    assert session is not None
    return session


async def publish(
    app: web.Application, url: str, source: Any, duration: float | None = None
) -> tuple[Received, Publication]:
    """Publish a source to its end."""
    async with WhipClient(url) as client:
        publication = Publication(source, client, duration)
        await publication.connect()
        received = Received(session_of(app, client), client)
        async with asyncio.timeout(30):
            await publication.run()
        report = await publication.report()
        sent = report.packets
        await until(lambda: sum(map(len, received.packets.values())) == sent)
    return received, publication


async def test_h264_and_opus_arrive_octet_by_octet(
    app: web.Application, url: str, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264", "libopus")
    received, publication = await publish(app, url, MediaFile(str(path)))
    assert set(received.packets) == {"h264", "opus"}
    frames = received.frames("h264")
    in_file = packets_of(path, "video")
    assert len(frames) == len(in_file) == 15
    for number, (frame, packet) in enumerate(zip(frames, in_file, strict=True)):
        units = nal_units(frame)
        assert ({u[0] & 0x1F for u in units} >= {SPS, PPS}) == (number % 5 == 0)
        kept = [unit for unit in units if unit[0] & 0x1F not in (SPS, PPS)]
        assert kept == [unit.rstrip(b"\0") for unit in sized_nal_units(packet)]
    assert [p.payload for p in received.packets["opus"]] == packets_of(path, "audio")
    report = await publication.report()
    assert [s.frames for s in report.streams] == [15, len(packets_of(path, "audio"))]
    octets = sum(len(p.payload) for some in received.packets.values() for p in some)
    assert report.octets == octets
    assert report.seconds >= 0.5


async def test_vp8_and_opus_arrive_octet_by_octet(
    app: web.Application, url: str, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "a.webm", "libvpx", "libopus")
    received, _ = await publish(app, url, MediaFile(str(path)))
    assert set(received.packets) == {"vp8", "opus"}
    assert received.frames("vp8") == packets_of(path, "video")
    assert [p.payload for p in received.packets["opus"]] == packets_of(path, "audio")


async def test_aac_arrives_as_opus(
    app: web.Application, url: str, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "a.mkv", "libx264", "aac")
    received, _ = await publish(app, url, MediaFile(str(path)))
    assert len(received.frames("h264")) == 15
    assert len(received.packets["opus"]) >= 25


@pytest.mark.parametrize(
    ("name", "audio", "codec"),
    [("a.ogg", "libopus", "opus"), ("a.wav", "pcm_mulaw", "pcmu")],
)
async def test_sound_alone(
    app: web.Application, url: str, tmp_path: Path, name: str, audio: str, codec: str
) -> None:
    rate, layout = (8000, "mono") if codec == "pcmu" else (48000, "stereo")
    path = write_media(tmp_path / name, None, audio, layout=layout, sample_rate=rate)
    received, _ = await publish(app, url, MediaFile(str(path)))
    assert set(received.packets) == {codec}
    payloads = b"".join(p.payload for p in received.packets[codec])
    assert payloads == b"".join(packets_of(path, "audio"))


async def test_pictures_alone(app: web.Application, url: str, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    received, _ = await publish(app, url, MediaFile(str(path)))
    assert len(received.frames("h264")) == 15


async def test_timestamps_on_the_wire(
    app: web.Application, url: str, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "a.mp4", "libx264")
    received, _ = await publish(app, url, MediaFile(str(path)))
    stamps = list(dict.fromkeys(p.timestamp for p in received.packets["h264"]))
    assert [(s - stamps[0]) % 2**32 for s in stamps] == [n * 3000 for n in range(15)]
    last = {p.timestamp: p for p in received.packets["h264"]}
    assert all(packet.marker for packet in last.values())


async def test_a_duration(app: web.Application, url: str, tmp_path: Path) -> None:
    """Exactly the frames that begin before the end are sent, with repetitions."""
    path = write_media(tmp_path / "a.mp4", "libx264", "libopus")
    source = MediaFile(str(path), repeat=True)
    received, publication = await publish(app, url, source, duration=1.1)
    frames = received.frames("h264")
    # The sound at the end of the file is a little longer than the pictures.
    assert 31 <= len(frames) <= 33
    assert 54 <= len(received.packets["opus"]) <= 56
    assert (await publication.report()).seconds >= 1.1


async def test_the_test_pattern(app: web.Application, url: str) -> None:
    pattern = Pattern((64, 64), 30)
    received, publication = await publish(app, url, pattern, duration=0.5)
    assert len(received.packets["opus"]) == 25
    assert len(received.frames("h264")) == 15 - pattern.skipped
    assert (await publication.report()).damaged == 0


async def test_a_request_for_a_key_frame(app: web.Application, url: str) -> None:
    """The server's PLI comes to the encoder."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Watched(Pattern):
        def request_key_frame(self) -> None:
            super().request_key_frame()
            loop.call_soon(asked.set)

    async with WhipClient(url) as client:
        publication = Publication(Watched((64, 64), 30), client)
        await publication.connect()
        running = asyncio.create_task(publication.run())
        receivers = session_of(app, client).peer.tracks
        [video] = [r for r in receivers if r.kind == "video"]
        # A key frame that is on its way would be what is requested.
        await until(lambda: video.encodings and video.encodings[0].frames > 3)
        video.encodings[0].request_key_frame()
        async with asyncio.timeout(30):
            await asked.wait()
        running.cancel()
        await asyncio.wait([running])


async def test_a_server_that_ends_the_session(app: web.Application, url: str) -> None:
    async with WhipClient(url) as client:
        publication = Publication(Pattern((64, 64), 30), client)
        await publication.connect()
        running = asyncio.create_task(publication.run())
        session = session_of(app, client)
        await until(lambda: publication._outgoing["video"].track.frames > 3)
        await session.peer.close()
        async with asyncio.timeout(30):
            with pytest.raises(WhipError, match="Connection lost: by the server"):
                await running
        report = await publication.report()
        assert report.packets > 3


async def test_a_server_that_refuses(aiohttp_server: AiohttpServer) -> None:
    server = await aiohttp_server(create_app(Settings()))
    async with WhipClient(str(server.make_url("/whip/a:b"))) as client:
        publication = Publication(Pattern((64, 64), 30), client)
        with pytest.raises(WhipError, match="404 Not a stream name"):
            await publication.connect()
        assert (await publication.report()).packets == 0


async def refusing(
    aiohttp_server: AiohttpServer, *refusals: tuple[int, dict[str, str]]
) -> tuple[str, list[str]]:
    """A server that refuses in these ways, one after the other.

    Returns:
        The endpoint, and the offers that it gets.
    """
    offered: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        status, headers = refusals[len(offered)]
        offered.append(await request.text())
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_post("/whip/live", refuse)
    return str((await aiohttp_server(app)).make_url("/whip/live")), offered


async def test_a_name_that_is_taken_is_asked_for_twice(
    aiohttp_server: AiohttpServer,
) -> None:
    taken = (409, {"Retry-After": "1"})
    url, offered = await refusing(aiohttp_server, taken, taken, taken)
    waits: list[tuple[int | None, float]] = []
    async with WhipClient(url) as client:
        publication = Publication(Pattern((64, 64), 30), client)
        with pytest.raises(WhipError, match="409"):
            await publication.connect(lambda why, s: waits.append((why.status, s)))
    assert waits == [(409, 1.0)]
    # The same encoder, so the same offer.
    assert len(offered) == 2
    assert offered[0] == offered[1]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (409, {}),
        (409, {"Retry-After": "3600"}),
        (409, {"Retry-After": "soon"}),
        (409, {"Retry-After": "Mon, 30 Nov 2026 00:00:00 GMT"}),
        (503, {"Retry-After": "1"}),
        (429, {"Retry-After": "1"}),
    ],
)
async def test_other_refusals_are_final(
    aiohttp_server: AiohttpServer, status: int, headers: dict[str, str]
) -> None:
    url, offered = await refusing(aiohttp_server, (status, headers))
    async with WhipClient(url) as client:
        publication = Publication(Pattern((64, 64), 30), client)
        with pytest.raises(WhipError) as caught:
            await publication.connect()
    assert caught.value.status == status
    assert len(offered) == 1


async def test_one_who_comes_after_a_publisher_that_has_vanished(
    app: web.Application, url: str
) -> None:
    async with WhipClient(url) as gone:
        await Publication(Pattern((64, 64), 30), gone).connect()
        session = session_of(app, gone)
        fall_silent(gone.peer)
        async with WhipClient(url) as client:
            await Publication(Pattern((64, 64), 30), client).connect()
            stream = app[STORE].streams.get("live")
            assert stream is not None
            assert stream.source is session_of(app, client).peer
    assert session.reason is EndReason.SILENT


async def test_a_server_that_takes_only_a_part(
    app: web.Application, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with WhipClient(url) as client:
        request = client.http.request

        async def without_audio(*args: Any, **kwargs: Any) -> Any:
            response, answer = await request(*args, **kwargs)
            video, audio = answer.split("m=audio")
            return response, f"{video}m=audio" + audio.replace("recvonly", "inactive")

        monkeypatch.setattr(client.http, "request", without_audio)
        publication = Publication(Pattern((64, 64), 30), client)
        with pytest.raises(WhipError, match=r"did not accept the audio \(opus\)"):
            await publication.connect()
        monkeypatch.undo()


class Large:
    """A source of three frames of VP8 with more packets than aiortc can send again."""

    name = "large"
    damaged = skipped = 0
    streams = (StreamInfo("video", "VP8", "", True),)
    # The first octets say key frame, 64x64 (RFC 6386 section 9.1).
    frame = b"\x10\0\0\x9d\x01\x2a\x40\0\x40\0" + bytes(300_000)

    def frames(self, _: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        for number in range(3):
            yield EncodedFrame("video", self.frame, number * 45000, 45000, 90000)

    def request_key_frame(self) -> None:
        """All are."""


async def test_lost_packets_are_sent_again(
    app: web.Application, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the first ones of a large key frame."""
    lost = range(5, 25)
    async with WhipClient(url) as client:
        publication = Publication(Large(), client)
        await publication.connect()
        connection = client.peer.connection
        send = connection.send_rtp
        count = 0

        def send_some(data: bytes) -> None:
            nonlocal count
            count += 1
            if count not in lost:
                send(data)

        monkeypatch.setattr(connection, "send_rtp", send_some)
        running = asyncio.create_task(publication.run())
        [receiver] = session_of(app, client).peer.tracks
        await until(lambda: receiver.encodings)
        received = receiver.encodings[0].reception
        await until(lambda: received.recovered == len(lost))
        async with asyncio.timeout(30):
            await running
        report = await publication.report()
        # A key frame may be requested again before it arrives.
        assert report.retransmitted >= len(lost)
        await until(lambda: received.packets + received.recovered == report.packets)


class Broken:
    """A source that breaks off."""

    name = "broken"
    damaged = skipped = 0
    streams = (StreamInfo("audio", "opus", "", True),)
    closed = False

    def frames(self, _: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        try:
            for number in range(5):
                yield EncodedFrame("audio", b"\xfc\0\0", number * 960, 960, 48000)
            raise MediaError("it breaks off")
        finally:
            self.closed = True

    def request_key_frame(self) -> None:
        """There are none."""


async def test_a_source_that_breaks_off(app: web.Application, url: str) -> None:
    """The frames before the break are sent in real time."""
    source = Broken()
    async with WhipClient(url) as client:
        publication = Publication(source, client)
        await publication.connect()
        with pytest.raises(MediaError, match="it breaks off"):
            async with asyncio.timeout(30):
                await publication.run()
        report = await publication.report()
    assert (report.packets, source.closed) == (5, True)
    assert report.seconds >= 0.1


async def test_giving_up_leaves_nothing_behind(app: web.Application, url: str) -> None:
    before = asyncio.all_tasks()
    async with WhipClient(url) as client:
        publication = Publication(Pattern((64, 64), 30), client)
        await publication.connect()
        running = asyncio.create_task(publication.run())
        await until(lambda: publication._outgoing["video"].track.frames > 3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        session = session_of(app, client)
    assert app[STORE].get(PUBLISHER, "live", session.id) is None
    await until(lambda: asyncio.all_tasks() <= before)
