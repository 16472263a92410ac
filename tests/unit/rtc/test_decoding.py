"""Decoded frames: for who asks, from a key frame on, and not for longer."""

import asyncio
import threading
from collections.abc import AsyncIterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame

from tests import offers
from tests.unit.rtc.media import Rig, rig, rtp
from tests.waiting import until
from whipbird.rtc import decoding
from whipbird.rtc.decoding import LazyTrack
from whipbird.rtc.receiver import Receiver
from whipbird.rtp.missing import RequestPolicy
from whipbird.sdp.offer import parse_offer

VP8, OPUS, G722, AV1 = 96, 111, 9, 45
LIMIT = 30.0


class Encoder:
    """Video as it is sent: each frame in one packet."""

    def __init__(self) -> None:
        self._context: Any = av.CodecContext.create("libvpx", "w")
        self._context.width, self._context.height = 160, 90
        self._context.pix_fmt = "yuv420p"
        self._context.time_base = Fraction(1, 30)
        self._context.options = {"deadline": "realtime", "lag-in-frames": "0"}
        self.count = 0

    def encode(self, *, key: bool = False) -> bytes:
        frame = av.VideoFrame(160, 90, "yuv420p")
        frame.pts = self.count
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        self.count += 1
        [packet] = self._context.encode(frame)
        return b"\x10" + bytes(packet)


@pytest.fixture
async def made() -> AsyncIterator[Rig]:
    made = rig(parse_offer(offers.CHROMIUM_MEDIA))
    yield made
    await made.stop()


def track_of(receiver: Receiver) -> LazyTrack:
    track = receiver.track
    assert isinstance(track, LazyTrack)
    return track


def push(made: Rig, encoder: Encoder, *, key: bool = False) -> None:
    n = encoder.count
    payload = encoder.encode(key=key)
    # Timestamps that wrap after a while.
    made.push(rtp(VP8, n, 0xFFFFF000 + 3000 * n, payload=payload, marker=True))


def decoders() -> list[str]:
    return [t.name for t in threading.enumerate() if "decoder" in t.name]


def pts(frame: Frame) -> int:
    """When a frame is to be shown; it must say so."""
    assert frame.pts is not None
    return frame.pts


async def test_a_video_is_decoded_from_a_key_frame_on(made: Rig) -> None:
    encoder = Encoder()
    track = track_of(made.receivers[1])
    for _ in range(3):
        push(made, encoder)
    assert not decoders()
    assert not track.is_decoding
    reading = asyncio.create_task(track.recv())
    await until(lambda: made.receivers[1].media.encodings[0].wants_key_frame)
    push(made, encoder)
    push(made, encoder, key=True)
    async with asyncio.timeout(LIMIT):
        first = await reading
        for _ in range(3):
            push(made, encoder)
        times = [pts(first)] + [pts(await track.recv()) for _ in range(3)]
    assert isinstance(first, av.VideoFrame)
    assert (first.width, first.height) == (160, 90)
    assert [b - a for a, b in pairwise(times)] == [3000] * 3


async def test_decoding_stops_when_nobody_reads(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "IDLE_LIMIT", 0.05)
    encoder = Encoder()
    track = track_of(made.receivers[1])
    push(made, encoder)
    encoding = made.receivers[1].media.encodings[0]

    async def read() -> None:
        reading = asyncio.create_task(track.recv())
        await until(lambda: encoding.wants_key_frame)
        push(made, encoder, key=True)
        async with asyncio.timeout(LIMIT):
            await reading

    await read()
    assert track.is_decoding
    await until(lambda: not track.is_decoding)
    await until(lambda: not decoders())
    assert encoding._subscribers == ()
    # ... and begins again.
    await read()


async def test_after_a_gap_it_goes_on_at_a_key_frame(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = RequestPolicy(max_requests=1, max_delay=0.03)
    monkeypatch.setattr("whipbird.media.source.PICTURES", impatient)
    encoder = Encoder()
    track = track_of(made.receivers[1])
    push(made, encoder)
    reading = asyncio.create_task(track.recv())
    await until(lambda: track.is_decoding)
    push(made, encoder, key=True)
    async with asyncio.timeout(LIMIT):
        first = await reading
        encoder.encode()  # and lost
        push(made, encoder)
        encoding = made.receivers[1].media.encodings[0]
        await until(lambda: encoding.wants_key_frame)
        push(made, encoder, key=True)
        second = await track.recv()
    assert pts(second) - pts(first) == 3 * 3000


async def test_audio_is_decoded_packet_by_packet(made: Rig) -> None:
    track = track_of(made.receivers[0])
    made.push(rtp(G722, 1, 0, payload=bytes(160)))
    reading = asyncio.create_task(track.recv())
    await until(lambda: track.is_decoding)
    made.push(rtp(G722, 2, 160, payload=bytes(160)))
    async with asyncio.timeout(LIMIT):
        frame = await reading
    assert isinstance(frame, av.AudioFrame)
    assert frame.sample_rate == 16000


async def test_a_codec_without_a_decoder(made: Rig) -> None:
    made.push(rtp(AV1, 1))
    with pytest.raises(MediaStreamError):
        await track_of(made.receivers[1]).recv()


async def test_a_track_on_which_nothing_comes(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whipbird.rtc.receiver.FIRST_PACKET_TIMEOUT", 0.02)
    with pytest.raises(MediaStreamError):
        await track_of(made.receivers[1]).recv()


async def test_the_end_of_the_session_ends_the_track(made: Rig) -> None:
    track = track_of(made.receivers[1])
    push(made, Encoder())
    reading = asyncio.create_task(track.recv())
    await until(lambda: track.is_decoding)
    await made.receivers[1].stop()
    with pytest.raises(MediaStreamError):
        await reading
    with pytest.raises(MediaStreamError):
        await track.recv()
    await until(lambda: not decoders())


async def test_what_cannot_be_decoded_is_passed_over(made: Rig) -> None:
    encoder = Encoder()
    track = track_of(made.receivers[1])
    push(made, encoder)
    reading = asyncio.create_task(track.recv())
    await until(lambda: track.is_decoding)
    for payload in (b"\x10\x00\x9d\x01\x2a", b"\x10\x00", b"\x90", b""):
        n = encoder.count
        encoder.count += 1
        made.push(rtp(VP8, n, 3000 * n, payload=payload, marker=True))
    push(made, encoder, key=True)
    async with asyncio.timeout(LIMIT):
        await reading
