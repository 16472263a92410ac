"""The choice of the encoding of a track that is recorded, and its replacement."""

from itertools import groupby

import pytest

from tests.encoders import EncodedFrame
from tests.unit.recording.publisher import (
    VIDEO,
    Publisher,
    Source,
    video_frames,
)
from tests.waiting import until
from whipbird.media.encoding import Encoding
from whipbird.media.frames import RtpFrame
from whipbird.recording.sources import TrackSource, largest
from whipbird.rtp import extensions
from whipbird.sdp.simulcast import Rid, Simulcast

pytestmark = pytest.mark.virtual_time

RID = 10


class Simulcaster:
    """Publishes two encodings, and collects the frames passed on."""

    def __init__(self) -> None:
        simulcast = Simulcast((Rid("low"), Rid("high")), "low;high")
        self.publisher = Publisher(
            VIDEO["libvpx"], simulcast=simulcast, extensions=((RID, extensions.RID),)
        )
        self.low = Source(11, 96, 0, 0, {RID: b"low"})
        self.high = Source(12, 96, 9999, 0, {RID: b"high"})
        self.frames: list[tuple[str | None, RtpFrame]] = []
        (receiver,) = self.publisher.rig.tracks
        self.source = TrackSource(receiver, self._take)
        self._sent = {"low": 0, "high": 0}

    def _take(self, frame: RtpFrame, encoding: Encoding) -> None:
        self.frames.append((encoding.rid, frame))

    def send(self, *, low: bool = False, high: bool = False, count: int = 1) -> None:
        """Send the next frames of some encodings; every tenth is a key frame."""
        for _ in range(count):
            if low:
                frames = video_frames("libvpx", width=96, height=54)
                self.publisher.send_frame(self._next("low", frames), self.low)
            if high:
                self.publisher.send_frame(
                    self._next("high", video_frames("libvpx")), self.high
                )

    def _next(self, name: str, frames: tuple[EncodedFrame, ...]) -> tuple[bytes, ...]:
        number = self._sent[name]
        self._sent[name] = number + 1
        return frames[number % len(frames)].payloads

    @property
    def rids(self) -> list[str | None]:
        return list(dict.fromkeys(rid for rid, _ in self.frames))

    async def until_followed(self, rid: str) -> None:
        """Call follow() repeatedly, until an encoding is awaited or passed on."""

        def is_followed() -> bool:
            self.source.follow()
            feed = self.source._next or self.source._reader
            return feed is not None and feed.encoding.rid == rid

        await until(is_followed)

    async def stop(self) -> None:
        self.source.stop()
        await self.publisher.rig.stop()


async def test_the_largest_encoding_is_waited_for() -> None:
    """The smallest one is mostly the first that comes."""
    sender = Simulcaster()
    sender.send(low=True)
    sender.send(low=True, high=True)
    assert sender.source.encoding is None
    await sender.until_followed("high")
    encoding = sender.source.encoding
    assert encoding is not None
    assert encoding.wants_key_frame
    sender.send(low=True, high=True, count=20)
    assert sender.rids == ["high"]
    assert sender.frames[0][1].is_key
    await sender.stop()


async def test_an_encoding_that_falls_silent_gives_way_at_a_key_frame() -> None:
    sender = Simulcaster()
    sender.send(low=True, high=True, count=2)
    await sender.until_followed("high")
    sender.send(low=True, high=True, count=10)

    def falls_silent() -> bool:
        sender.send(low=True)
        sender.source.follow()
        return sender.rids == ["high", "low"]

    await until(falls_silent)
    first = next(frame for rid, frame in sender.frames if rid == "low")
    assert first.is_key
    # It comes back, and is there for a while.
    sender.send(low=True, high=True)
    sender.source.follow()
    assert sender.source._next is None

    def comes_back() -> bool:
        sender.send(low=True, high=True)
        sender.source.follow()
        return sender.frames[-1][0] == "high"

    await until(comes_back)
    changes = [key for key, _ in groupby(rid for rid, _ in sender.frames)]
    assert changes == ["high", "low", "high"]
    await sender.stop()


async def test_an_encoding_that_has_gone_gives_way_at_once() -> None:
    sender = Simulcaster()
    sender.send(low=True, high=True, count=2)
    await sender.until_followed("high")
    sender.send(low=True, high=True, count=10)
    (receiver,) = sender.publisher.rig.tracks
    receiver.forget((sender.high.ssrc,))
    assert sender.source._next is not None
    sender.send(low=True, count=20)
    assert sender.rids == ["high", "low"]
    await sender.stop()


async def test_the_largest_of_those_that_are_not_silent() -> None:
    sender = Simulcaster()
    (receiver,) = sender.publisher.rig.tracks
    assert largest(receiver) is None
    sender.send(low=True, high=True, count=2)
    found = largest(receiver)
    assert found is not None
    assert found.rid == "high"

    def high_is_silent() -> bool:
        sender.send(low=True)
        live = largest(receiver)
        return live is not None and live.rid == "low"

    await until(high_is_silent)
    await sender.stop()


async def test_an_encoder_that_was_started_again() -> None:
    """Without simulcast the newest source counts, from its key frame on."""
    publisher = Publisher(VIDEO["libvpx"])
    frames: list[bool] = []
    (receiver,) = publisher.rig.tracks
    source = TrackSource(receiver, lambda frame, _: frames.append(frame.is_key))
    sent = video_frames("libvpx")
    # Nobody misses what comes before the first key frame.
    for frame in sent[7:]:
        publisher.send_frame(frame.payloads)
        assert source.left_out == 0
    frames.clear()
    for frame in sent[:12]:
        publisher.send_frame(frame.payloads)
    new = Source(77, 96, 5, 5)
    for frame in sent[5:15]:
        publisher.send_frame(frame.payloads, new)
    source.stop()
    assert frames == [f.is_key for f in (sent[-1], *sent[:12], *sent[10:15])]
    # Nor what comes before that of the new encoder: nobody could decode it.
    assert source.left_out == 0
    assert all(encoding._subscribers == () for encoding in receiver.encodings)
    await publisher.rig.stop()
