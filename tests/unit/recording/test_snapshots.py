"""A picture is made of a key frame, when it is asked for, and not too often."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from io import BytesIO

import av
import pytest

from tests.encoders import EncodedFrame
from tests.unit.recording.publisher import (
    AUDIO,
    VIDEO,
    Publisher,
    opus_packets,
    video_frames,
)
from tests.waiting import until
from whipbird.media.encoding import Encoding
from whipbird.media.frames import RtpFrame
from whipbird.recording import snapshots as module
from whipbird.recording.snapshots import NoPicture, NoVideo, Snapshots
from whipbird.rtp.packet import RtpPacket
from whipbird.streams import Stream

pytestmark = pytest.mark.virtual_time


class Kept:
    """Keeps what an encoding gives out, from its last key frame on."""

    def __init__(self) -> None:
        self.packets: list[RtpPacket] = []

    def follow(self, encoding: Encoding) -> None:
        def take(packet: RtpPacket) -> None:
            if packet.is_random_access_point:
                self.packets.clear()
            self.packets.append(packet)

        encoding.subscribe(take)

    def __call__(self, stream: Stream, encoding: Encoding) -> Sequence[RtpPacket]:
        return self.packets


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def snapshots(kept: Kept) -> AsyncIterator[Snapshots]:
    made = Snapshots(kept)
    yield made
    await made.close()


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Decode a picture."""
    assert jpeg[:3] == b"\xff\xd8\xff"
    with av.open(BytesIO(jpeg), "r") as container:
        (frame,) = container.decode(video=0)
        return frame.width, frame.height


def play(publisher: Publisher, frames: Sequence[EncodedFrame]) -> None:
    for frame in frames:
        publisher.send_frame(frame.payloads)


def play_kept(publisher: Publisher, kept: Kept, frames: Sequence[EncodedFrame]) -> None:
    """Play, and keep it all."""
    publisher.send_frame(frames[0].payloads)
    kept.follow(publisher.encoding("video"))
    play(publisher, frames)


@pytest.mark.parametrize("encoder", VIDEO)
async def test_a_kept_key_frame_becomes_a_picture(
    snapshots: Snapshots, kept: Kept, encoder: str
) -> None:
    publisher = Publisher(VIDEO[encoder])
    play_kept(publisher, kept, video_frames(encoder)[:5])
    encoding = publisher.encoding("video")
    encoding.wants_key_frame = False
    picture = await snapshots.take(publisher.stream())
    assert size_of(picture) == (192, 108)
    assert not encoding.wants_key_frame
    await publisher.rig.stop()


async def test_large_pictures_are_made_smaller(
    snapshots: Snapshots, kept: Kept
) -> None:
    publisher = Publisher(VIDEO["libx264"])
    frames = video_frames("libx264", width=1600, height=900, frames=1)
    play_kept(publisher, kept, frames)
    assert size_of(await snapshots.take(publisher.stream())) == (1280, 720)
    await publisher.rig.stop()


async def test_a_key_frame_is_asked_for_when_none_was_kept(
    snapshots: Snapshots,
) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    frames = video_frames("libvpx")
    play(publisher, frames[:5])
    encoding = publisher.encoding("video")
    encoding.wants_key_frame = False
    asked = asyncio.create_task(snapshots.take(publisher.stream()))
    await until(lambda: encoding.wants_key_frame)
    play(publisher, frames[5:11])
    assert size_of(await asked) == (192, 108)
    assert encoding._subscribers == ()
    await publisher.rig.stop()


async def test_an_old_key_frame_is_the_last_resort(
    snapshots: Snapshots, kept: Kept
) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    frames = video_frames("libvpx")
    publisher.send_frame(frames[0].payloads)
    kept.follow(publisher.encoding("video"))
    publisher.send_frame(frames[0].payloads, ticks=11 * 90000)
    await asyncio.sleep(11)
    publisher.send_frame(frames[1].payloads)
    encoding = publisher.encoding("video")
    encoding.wants_key_frame = False
    assert size_of(await snapshots.take(publisher.stream())) == (192, 108)
    assert encoding.wants_key_frame
    await publisher.rig.stop()


async def test_a_picture_is_made_once_for_all_who_ask_and_is_good_for_a_while(
    snapshots: Snapshots, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    decode = module._decode

    def count(frame: RtpFrame) -> bytes:
        nonlocal made
        made += 1
        return decode(frame)

    monkeypatch.setattr(module, "_decode", count)
    publisher = Publisher(VIDEO["libvpx"])
    play_kept(publisher, kept, video_frames("libvpx")[:5])
    stream = publisher.stream()
    pictures = await asyncio.gather(*(snapshots.take(stream) for _ in range(5)))
    pictures.append(await snapshots.take(stream))
    assert len(set(pictures)) == 1
    assert made == 1
    # Nothing is kept of a stream that nobody asks for.
    await until(lambda: not snapshots._pictures)
    await snapshots.take(stream)
    assert made == 2
    await publisher.rig.stop()


async def test_who_goes_away_leaves_the_others_waiting(snapshots: Snapshots) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    frames = video_frames("libvpx")
    play(publisher, frames[:2])
    stream = publisher.stream()
    gone, waiting = (asyncio.create_task(snapshots.take(stream)) for _ in range(2))
    await until(lambda: publisher.encoding("video")._subscribers)
    gone.cancel()
    await asyncio.wait({gone})
    play(publisher, frames[10:12])
    assert size_of(await waiting) == (192, 108)
    await publisher.rig.stop()


async def test_there_is_no_picture(snapshots: Snapshots, kept: Kept) -> None:
    sound = Publisher(audio=AUDIO["opus"])
    sound.send_sound(opus_packets()[0], 960)
    with pytest.raises(NoVideo):
        await snapshots.take(sound.stream())
    publisher = Publisher(VIDEO["libvpx"])
    with pytest.raises(NoPicture, match="No video packet"):
        await snapshots.take(publisher.stream())
    play(publisher, video_frames("libvpx")[1:3])
    with pytest.raises(NoPicture, match="has not sent a key frame"):
        await snapshots.take(publisher.stream())
    # A key frame without parameter sets.
    other = Publisher(VIDEO["libx264"])
    frame = video_frames("libx264")[0]
    other.send_frame(frame.payloads[1:])
    kept.follow(other.encoding("video"))
    other.send_frame(frame.payloads[1:])
    with pytest.raises(NoPicture, match="cannot be decoded"):
        await snapshots.take(other.stream())
    for each in (sound, publisher, other):
        await each.rig.stop()


async def test_pictures_that_would_fill_the_memory_are_not_decoded(
    snapshots: Snapshots, kept: Kept
) -> None:
    publisher = Publisher(VIDEO["libvpx"])
    frame = video_frames("libvpx")[0]
    payload = bytearray(frame.payloads[0])
    at = payload.index(b"\x9d\x01\x2a") + 3
    payload[at : at + 4] = b"\xff\x3f\xff\x3f"
    huge = replace(frame, payloads=(bytes(payload), *frame.payloads[1:]))
    play_kept(publisher, kept, [huge])
    with pytest.raises(NoPicture, match="too large"):
        await snapshots.take(publisher.stream())
    await publisher.rig.stop()
