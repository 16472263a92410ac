"""Tests of applications as others write them: virtual time, no network, no pytest."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.unit.apps.pictures import brightness_of, picture, sound
from whipbird import Application, Channel, Session, Stream
from whipbird.testing import Stage, run


async def later(channel: Channel, data: str | bytes) -> None:
    await asyncio.sleep(3600)
    await channel.send(data)


def test_an_hour_takes_no_time() -> None:
    async def scenario() -> float:
        async with Stage(Application(channels="later", on_message=later)) as stage:
            client = await stage.connect("room")
            channel = await client.open("later")
            began = asyncio.get_running_loop().time()
            channel.send("tea")
            assert await channel.receive(4000) == "tea"
            return asyncio.get_running_loop().time() - began

    began = time.monotonic()
    took = run(scenario())
    assert 3600 < took < 3601
    assert time.monotonic() - began < 60


def test_what_never_comes_is_told() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            client = await stage.connect("room")
            channel = await client.open("echo")
            channel.send("echoed")
            assert await channel.receive() == "echoed"
            with pytest.raises(TimeoutError):
                await channel.receive(5)
            await channel.close()
            await channel.closed()

    run(scenario())


def test_a_publisher_and_a_viewer() -> None:
    """Pictures, sound and messages, through an application and past it."""
    shades: list[float] = []
    kinds: list[str] = []

    class Brighten(Application):
        streams = "live"

        async def on_session(self, session: Session) -> None:
            kinds.append(f"{session.kind} {[t.kind for t in session.tracks]}")

        async def on_stream(self, stream: Stream) -> None:
            track = stream.track("video")
            assert track is not None
            async with await stream.server.publish("brighter") as out:
                async for frame in track.video():
                    shades.append(brightness_of(frame))
                    await out.send(picture(200, frame.time))

    async def scenario() -> list[float]:
        seen: list[float] = []
        async with Stage(Brighten()) as stage:
            viewer = await stage.watch("brighter")
            listener = await stage.watch("live", video=False, audio=True)
            publisher = await stage.publish("live", audio=True)
            publisher.messages.send("hello")
            assert await listener.messages.receive() == "hello"

            async def show() -> None:
                for _ in range(60):
                    await publisher.send(picture(60))
                    await publisher.send(sound(asyncio.get_running_loop().time(), 1600))
                    await asyncio.sleep(1 / 30)

            showing = asyncio.ensure_future(show())
            async for heard in listener.audio():
                assert heard.sample_rate == 48000
                break
            async for frame in viewer.video():
                seen.append(brightness_of(frame))
                if len(seen) == 10:
                    break
            await showing
            await publisher.close()
            assert await publisher.ended() == "closed by the peer"
        return seen

    seen = run(scenario())
    assert kinds == ["viewer []", "publisher ['video', 'audio']"]
    assert len(shades) >= 10
    assert all(abs(shade - 60) < 20 for shade in shades)
    assert all(abs(shade - 200) < 20 for shade in seen)


async def test_it_works_in_real_time_too(tmp_path: Path) -> None:
    async def keep(stream: Stream) -> None:
        await stream.record()

    async with Stage(Application(on_stream=keep), folder=tmp_path) as stage:
        publisher = await stage.publish("live")
        for _ in range(20):
            await publisher.send(picture(60))
            await asyncio.sleep(0.02)
        await publisher.close()
        await publisher.ended()
        assert await stage.server.stream("live").stop_recording() is True
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("live_*.webm")))
