"""Streams of applications in every codec, as viewers see and hear them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import av
import numpy as np
import pytest

from tests.unit.apps.pictures import brightness_of, picture, sound
from tests.unit.apps.test_codecs import surround_packets
from tests.waiting import until
from whipbird import EncodedFrame, Source
from whipbird.apps import picture_encoder
from whipbird.apps.picture_encoder import NoEncoder, PictureEncoder
from whipbird.apps.track import _Resampler
from whipbird.testing import Stage, run

VIDEO = ("vp8", "vp9", "h264", "h265", "av1")
SIZE, LARGER = (128, 96), (162, 98)


def on_stage(
    scenario: Callable[[Stage], Coroutine[Any, Any, None]],
) -> None:
    async def play() -> None:
        async with Stage() as stage:
            await scenario(stage)

    run(play())


@pytest.mark.parametrize("codec", VIDEO)
def test_viewers_see_each_codec(codec: str) -> None:
    """Without delay, from a new key frame on, and after a change of the size."""
    count = 12

    async def show(out: Source, brightness: int, size: tuple[int, int]) -> None:
        for _ in range(count):
            await out.send(picture(brightness, size=size))
            await asyncio.sleep(1 / 30)

    async def scenario(stage: Stage) -> None:
        first: list[tuple[tuple[int, int], float]] = []
        async with await stage.server.publish("live", video=codec) as out:
            viewer = await stage.watch("live")

            async def look() -> None:
                async for frame in viewer.video():
                    first.append(((frame.width, frame.height), brightness_of(frame)))

            looking = asyncio.ensure_future(look())
            await show(out, 60, SIZE)
            await show(out, 200, LARGER)
            (track,) = stage.server.stream("live").tracks
            assert (track.codec, track.size) == (codec, LARGER)
            late = await stage.watch("live")
            showing = asyncio.ensure_future(show(out, 100, LARGER))
            async for frame in late.video():
                assert (frame.width, frame.height) == LARGER
                break
            await showing
            await asyncio.sleep(1)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert len(first) >= 3 * count - 1
        shades = {size: [b for s, b in first if s == size] for size in (SIZE, LARGER)}
        assert len(shades[SIZE]) + len(shades[LARGER]) == len(first)
        assert shades[SIZE][-1] == pytest.approx(60, abs=20)
        assert shades[LARGER][count - 2] == pytest.approx(200, abs=20)
        assert shades[LARGER][-1] == pytest.approx(100, abs=20)

    on_stage(scenario)


@pytest.mark.parametrize("codec", ["opus", "pcmu", "pcma", "g722"])
def test_viewers_hear_each_codec(codec: str) -> None:
    async def scenario(stage: Stage) -> None:
        publishing = stage.server.publish("live", video=None, audio=codec)
        async with await publishing as out:
            viewer = await stage.watch("live", video=False, audio=True)
            heard: list[np.ndarray] = []

            async def listen() -> None:
                async for frame in viewer.audio():
                    heard.append(frame.to_ndarray()[0])

            listening = asyncio.ensure_future(listen())
            for number in range(25):
                await out.send(sound(number / 50))
                await asyncio.sleep(0.02)
            await asyncio.sleep(1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        samples = np.concatenate(heard)
        assert 20000 < len(samples) <= 24960
        assert 7000 < np.abs(samples[len(samples) // 2 :]).max() < 13000

    on_stage(scenario)


def test_encoded_surround_sound_is_passed_on() -> None:
    async def scenario(stage: Stage) -> None:
        publishing = stage.server.publish("live", video=None, audio="multiopus")
        async with await publishing as out:
            (track,) = stage.server.stream("live").tracks
            packets = surround_packets()

            async def send() -> None:
                for number, packet in enumerate(packets):
                    await out.send(EncodedFrame("multiopus", packet, number / 50, True))
                    await asyncio.sleep(0.02)

            sending = asyncio.ensure_future(send())
            async for frame in track.audio(layout="5.1"):
                assert frame.layout.nb_channels == 6
                break
            await sending
            with pytest.raises(NoEncoder, match="no encoder for multiopus"):
                await out.send(sound(0.0))

    on_stage(scenario)


def test_an_encoder_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded frames need none."""
    encoders = {**picture_encoder._ENCODERS, "vp9": {"libmissing": {}, "libother": {}}}
    monkeypatch.setattr(picture_encoder, "_ENCODERS", encoders)

    async def scenario(stage: Stage) -> None:
        async with await stage.server.publish("live", video="vp9") as out:
            said = r"no encoder for vp9 \(libmissing or libother\): publish another"
            with pytest.raises(NoEncoder, match=said):
                await out.send(picture(100))
            await out.send(EncodedFrame("vp9", b"\x82" + bytes(99), 0.0, True))

    on_stage(scenario)


def test_a_frame_that_cannot_be_is_refused_and_the_stream_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        async with await stage.server.publish("live", video="h264") as out:
            with pytest.raises(ValueError, match="no frame of h264: There is no NAL"):
                await out.send(EncodedFrame("h264", b"no frame", 0.0, True))
            await out.send(picture(100))
            (track,) = stage.server.stream("live").tracks
            assert track.codec == "h264"

    on_stage(scenario)


def test_a_copy_of_a_phones_stream_is_rotated_as_it_is() -> None:
    """Key frames say it, and others when it has changed."""
    key_frame = bytes.fromhex("10 02 00 9d 01 2a 80 02 68 01") + bytes(9)
    turns = [0, 90, 90, 270, 0, 180]

    async def scenario(stage: Stage) -> None:
        rotations: list[int] = []
        async with await stage.server.publish("live") as out:
            (track,) = stage.server.stream("live").tracks

            async def read() -> None:
                async for packet in track.packets():
                    rotations.append(packet.rotation)

            reading = asyncio.ensure_future(read())
            await asyncio.sleep(0)
            for number, rotation in enumerate(turns):
                at = number / 30
                await out.send(
                    EncodedFrame("vp8", key_frame, at, True, rotation=rotation)
                )
                await asyncio.sleep(1 / 30)
        await reading
        assert rotations == turns

    on_stage(scenario)


def test_an_encoder_has_one_picture_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although nobody waits for the first any more; the next one is a key frame."""
    at_work: list[bool] = []
    go_on = threading.Event()
    encode = PictureEncoder.encode

    def slowly(
        encoder: PictureEncoder, frame: av.VideoFrame, ticks: int, *, is_key: bool
    ) -> list[tuple[int, bytes]]:
        at_work.append(is_key)
        assert go_on.wait(60)
        made = encode(encoder, frame, ticks, is_key=is_key)
        at_work.remove(is_key)
        return made

    monkeypatch.setattr(PictureEncoder, "encode", slowly)

    async def scenario(stage: Stage) -> None:
        async with await stage.server.publish("live") as out:
            first = asyncio.ensure_future(out.send(picture(100)))
            await until(lambda: at_work == [False])
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            second = asyncio.ensure_future(out.send(picture(100)))
            await asyncio.sleep(0.1)
            assert at_work == [False]
            go_on.set()
            await second
            (track,) = stage.server.stream("live").tracks
            assert track.codec == "vp8"

    async def play() -> None:
        async with Stage() as stage:
            await scenario(stage)

    asyncio.run(play())


def test_the_kind_of_sound_may_change() -> None:
    """In what an application sends, and in what it reads."""

    async def scenario(stage: Stage) -> None:
        publishing = stage.server.publish("live", video=None, audio="opus")
        async with await publishing as out:
            (track,) = stage.server.stream("live").tracks
            total = 0

            async def listen() -> None:
                nonlocal total
                async for frame in track.audio(rate=48000):
                    total += frame.samples

            listening = asyncio.ensure_future(listen())
            await asyncio.sleep(0)
            for number in range(30):
                kind = ("s16", "mono", 48000), ("fltp", "stereo", 44100)
                format_, layout, rate = kind[number // 10 % 2]
                samples = np.zeros((1, rate // 50), np.int16)
                frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
                frame.sample_rate = rate
                if format_ == "fltp":
                    (frame,) = av.AudioResampler(format_, layout).resample(frame)
                frame.pts = None
                await out.send(frame)
                await asyncio.sleep(0.02)
            await asyncio.sleep(1)
        await listening
        # But for what encoders and resamplers keep of each kind.
        assert 24 * 960 <= total <= 30 * 960

    on_stage(scenario)


async def test_a_resampler_for_sound_that_changes() -> None:
    resampler = _Resampler(16000, "mono", None)
    for rate, layout in ((48000, "stereo"), (8000, "mono"), (48000, "stereo")):
        for _ in range(3):
            count = rate // 50 * (2 if layout == "stereo" else 1)
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, count), np.int16), "s16", layout
            )
            frame.sample_rate = rate
            made = resampler.resample(frame)
            assert {(f.sample_rate, f.layout.name) for f in made} <= {(16000, "mono")}
