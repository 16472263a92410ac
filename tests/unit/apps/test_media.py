"""Streams of applications, and applications that read streams."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise

import av
import pytest

from tests.unit.apps.conftest import Host, Serve
from tests.unit.apps.pictures import TONE, brightness_of, picture, sound
from tests.waiting import until
from whipbird import Application, EncodedFrame, Server, Source, SourceClosed, Stream
from whipbird.apps.encoded import MAX_FRAMES
from whipbird.streams import StreamTaken

pytestmark = pytest.mark.virtual_time

RATE = 30


async def nothing(_stream: Stream) -> None:
    """The handler of an application that only publishes."""


def publisher(host: Host) -> Server:
    """The server, as the last application has it."""
    return host.applications._served[-1].server


async def show(
    source: Source,
    count: int,
    *,
    brightness: int = 100,
    with_sound: bool = False,
    size: tuple[int, int] = (64, 48),
) -> None:
    """Send pictures for some frames, in real time."""
    now = asyncio.get_running_loop().time
    for _ in range(count):
        await source.send(picture(brightness, size=size))
        if with_sound:
            for i in range(2):
                await source.send(sound(now() + i / 60, 800))
        await asyncio.sleep(1 / RATE)


async def test_pictures_and_sound_come_through(serve: Serve) -> None:
    pictures: list[av.VideoFrame] = []
    samples: list[float] = []

    async def look(stream: Stream) -> None:
        track = stream.track("video")
        assert track is not None
        async for frame in track.video(latest=False):
            pictures.append(frame)
        assert track.codec == "vp8"
        assert track.size == (64, 48)

    async def listen(stream: Stream) -> None:
        track = stream.track("audio")
        assert track is not None
        async for frame in track.audio(rate=16000, samples=1600):
            assert (frame.sample_rate, frame.samples) == (16000, 1600)
            samples.extend(frame.to_ndarray()[0].tolist())

    host = await serve(
        Application(on_stream=look), Application(on_stream=listen), Application()
    )
    async with await publisher(host).publish("live", audio="opus") as source:
        began = asyncio.get_running_loop().time()
        await show(source, 30, brightness=180, with_sound=True)
    await until(lambda: len(pictures) > 25 and len(samples) >= 8000)
    assert {(p.width, p.height) for p in pictures} == {(64, 48)}
    assert all(abs(brightness_of(p) - 180) < 20 for p in pictures[5:])
    times = [p.time for p in pictures]
    assert abs(times[0] - began) < 0.5
    steps = [b - a for a, b in pairwise(times)]
    assert all(abs(step - 1 / RATE) < 0.01 for step in steps)
    # The tone crosses zero twice in each period.
    middle = samples[3200:6400]
    crossings = sum(a < 0 <= b for a, b in pairwise(middle))
    assert abs(crossings - TONE * 0.2) < 3


async def reading(
    host: Host,
    read: Callable[[Stream], Awaitable[None]],
    frames: int,
    codec: str = "vp8",
    size: tuple[int, int] = (64, 48),
) -> None:
    """Publish, and read with a function until the stream has ended."""
    server = publisher(host)
    async with await server.publish("live", video=codec) as source:
        task = asyncio.ensure_future(read(server.stream("live")))
        await asyncio.sleep(0)
        await show(source, frames, size=size)
    await asyncio.wait_for(task, 60)


async def test_size_rate_and_format_are_chosen(serve: Serve) -> None:
    seen: list[av.VideoFrame] = []

    async def read(stream: Stream) -> None:
        (track,) = stream.tracks
        async for frame in track.video(size=(32, 24), rate=5, pixels="rgb24"):
            seen.append(frame)

    host = await serve(Application())
    await reading(host, read, 60)
    assert 8 <= len(seen) <= 11
    assert seen[0].to_ndarray().shape == (24, 32, 3)


@pytest.mark.parametrize("latest", [True, False])
async def test_a_slow_reader_gets_the_newest_or_all(serve: Serve, latest: bool) -> None:
    times: list[float] = []

    async def read(stream: Stream) -> None:
        (track,) = stream.tracks
        async for frame in track.video(latest=latest):
            times.append(frame.time)
            await asyncio.sleep(0.2)

    host = await serve(Application())
    await reading(host, read, 45)
    if latest:
        assert 6 <= len(times) <= 10
    else:
        assert len(times) >= 43


async def test_who_is_far_behind_goes_on_with_a_key_frame(serve: Serve) -> None:
    """Memory is bounded, and what is left out is counted."""
    frames: list[EncodedFrame] = []
    go_on = asyncio.Event()

    async def read(stream: Stream) -> None:
        (track,) = stream.tracks
        async for frame in track.packets():
            frames.append(frame)
            await go_on.wait()

    host = await serve(Application())
    server = publisher(host)
    async with await server.publish("live") as source:
        task = asyncio.ensure_future(read(server.stream("live")))
        await asyncio.sleep(0)
        await show(source, MAX_FRAMES + 60)
        (track,) = server.stream("live").tracks
        (reader,) = track._readers
        assert 300 <= reader.left_out < MAX_FRAMES + 40
        go_on.set()
    await asyncio.wait_for(task, 60)
    assert frames[0].is_key
    assert frames[1].is_key
    assert len(frames) < 60


async def test_nothing_is_decoded_for_nobody(serve: Serve) -> None:
    def decoders() -> int:
        names = [t.name for t in threading.enumerate()]
        return sum(name.startswith("application") for name in names)

    async def read(stream: Stream) -> None:
        (track,) = stream.tracks
        async for _ in track.video():
            assert decoders() == 1
            break

    host = await serve(Application())
    await reading(host, read, 10)
    await until(lambda: decoders() == 0)


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "h265", "av1"])
async def test_packets_are_passed_on_as_they_are(serve: Serve, codec: str) -> None:
    shades: list[float] = []
    same: list[bool] = []

    async def look(stream: Stream) -> None:
        (track,) = stream.tracks
        async for frame in track.video(latest=False):
            shades.append(brightness_of(frame))

    async def copy(stream: Stream) -> None:
        (track,) = stream.tracks
        async with await stream.server.publish("copy", video=codec) as out:
            async for packet in track.packets():
                assert packet.codec == codec
                same.append(packet.is_key)
                await out.send(packet)

    host = await serve(Application(streams="copy", on_stream=look), Application())
    await reading(host, copy, 30, codec, (64, 64))
    assert len(same) >= 28
    assert same[0]
    await until(lambda: len(shades) >= 26)
    assert all(abs(shade - 100) < 20 for shade in shades)


async def test_a_stream_of_an_application_is_a_stream(serve: Serve) -> None:
    host = await serve(Application())
    server = publisher(host)
    source = await server.publish("live", audio="opus")
    await show(source, 40, with_sound=True)
    assert [str(stream) for stream in server.streams] == ["live"]
    published = host.store.streams.get("live")
    assert published is not None
    stats = published.stats(0)
    assert stats.state == "connected"
    assert {t.kind: len(t.encodings) for t in stats.tracks} == {"video": 1, "audio": 1}
    video = stats.tracks[0].encodings[0]
    assert abs(video.frame_rate - RATE) < 5
    assert video.key_frames == 1
    assert all(e.anchor is not None for t in source.tracks for e in t.encodings)
    await source.close()
    assert not server.streams


async def test_a_name_has_one_publisher(serve: Serve) -> None:
    host = await serve(Application())
    server = publisher(host)
    source = await server.publish("live")
    with pytest.raises(StreamTaken):
        await server.publish("live")
    # However long it sends nothing: it is known to be there.
    await asyncio.sleep(60)
    with pytest.raises(StreamTaken):
        await server.publish("live")
    host.store.streams.takeover = lambda _: True
    other = await server.publish("live")
    with pytest.raises(SourceClosed):
        await source.send(picture(100))
    await source.close()
    assert server.stream("live").is_live
    await other.send(picture(100))
    await other.close()
    await other.close()
    assert not server.streams


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a b", {}),
        ("", {}),
        ("live", {"video": "h266"}),
        ("live", {"video": None}),
        ("live", {"audio": "vp8"}),
        ("live", {"video": "opus"}),
    ],
)
async def test_what_cannot_be_published(
    serve: Serve, name: str, codecs: dict[str, str | None]
) -> None:
    host = await serve(Application())
    with pytest.raises(ValueError, match=r"name|codecs|or both"):
        await publisher(host).publish(name, **codecs)  # type: ignore[arg-type]
    assert not publisher(host).streams


async def test_what_the_stream_has_no_track_for(serve: Serve) -> None:
    host = await serve(Application())
    async with await publisher(host).publish("live") as source:
        with pytest.raises(ValueError, match="no audio"):
            await source.send(sound(0.0))
        with pytest.raises(ValueError, match="no h264"):
            await source.send(EncodedFrame("h264", b"\0\0\0\1\x65", 0.0, True))


async def test_an_application_does_not_follow_itself(serve: Serve) -> None:
    followed: list[str] = []

    async def follow(stream: Stream) -> None:
        followed.append(stream.name)
        async with await stream.server.publish(f"{stream.name}-more"):
            await asyncio.sleep(1)

    host = await serve(Application(on_stream=follow), Application())
    async with await publisher(host).publish("live"):
        await until(lambda: len(publisher(host).streams) == 2)
    await until(lambda: not publisher(host).streams)
    assert followed == ["live"]


@pytest.mark.expects_fault
async def test_a_fault_leaves_the_stream_alone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_stream: Stream) -> None:
        raise LookupError

    host = await serve(Application(on_stream=fail), Application())
    async with await publisher(host).publish("live") as source:
        await until(lambda: host.applications.stats[0].errors == 1)
        await source.send(picture(100))
    (error,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "on_stream of live" in error.getMessage()


async def test_streams_of_applications_that_start_before(serve: Serve) -> None:
    """An application is told of them, but not before its own start."""
    told: list[str] = []

    class First(Application):
        async def start(self, server: Server) -> None:
            await server.publish("live")
            await asyncio.sleep(1)

    class Second(Application):
        async def start(self, server: Server) -> None:
            told.append("start")

        async def on_stream(self, stream: Stream) -> None:
            told.append(stream.name)

    host = await serve(First(), Second())
    await until(lambda: len(told) == 2)
    assert told == ["start", "live"]
    await host.applications.close()
    assert told == ["start", "live"]


def staying(ended: list[str]) -> Application:
    """An application whose handlers of streams go on until they are ended."""

    async def stay(stream: Stream) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(stream.name)

    return Application(on_stream=stay)


async def test_handlers_of_streams_end_with_them(serve: Serve) -> None:
    ended: list[str] = []

    host = await serve(staying(ended), Application())
    async with await publisher(host).publish("live"):
        await asyncio.sleep(0)
        assert not ended
    await until(lambda: ended)


async def test_handlers_of_streams_end_with_the_server(serve: Serve) -> None:
    """Also those of a stream that another application still publishes."""
    ended: list[str] = []

    host = await serve(Application(), staying(ended))
    server = host.applications._served[0].server
    await server.publish("live")
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    await host.applications.close()
    assert ended == ["live"]
    assert asyncio.get_running_loop().time() - began < 1


async def test_tracks_have_their_kind(serve: Serve) -> None:
    host = await serve(Application())
    async with await publisher(host).publish("live"):
        (track,) = publisher(host).stream("live").tracks
        with pytest.raises(TypeError):
            await anext(aiter(track.audio()))


async def test_tasks_of_the_server_end_with_it(serve: Serve) -> None:
    class Clock(Application):
        async def start(self, server: Server) -> None:
            server.create_task(self.run(server))

        async def run(self, server: Server) -> None:
            async with await server.publish("clock") as source:
                while True:
                    await show(source, 1)

    host = await serve(Clock())
    await until(lambda: publisher(host).streams)
    await host.applications.close()
    assert not publisher(host).streams
