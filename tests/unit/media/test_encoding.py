"""One encoding: its properties and its subscribers."""

from itertools import pairwise

import pytest

from tests.encoders import EncodedFrame, encode_video
from tests.rtp_packets import write_rtp
from tests.unit.media.watching import DELTA
from whipbird.media.encoding import (
    KEY_FRAME_INTERVAL,
    KEY_FRAME_USE,
    MAX_KEY_FRAME_BACKOFF,
    RATE_INTERVAL,
    RETURN_TIME,
    Encoding,
)
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.source_clock import share_offset
from whipbird.sdp.codecs import Codec

VP8 = Codec(96, "VP8/90000", feedback=("nack", "nack pli"))
H264 = Codec(103, "H264/90000", feedback=("nack", "nack pli"))
OPUS = Codec(111, "opus/48000/2")


class Source:
    """A sender of one encoding, with a clock of its own."""

    def __init__(self, codec: Codec) -> None:
        self.feedback_requests = 0
        self.encoding = Encoding(codec, None, self._send_feedback_soon)
        self.source = self.encoding.add_source(1, codec)
        self.now = self.encoding.last_packet_at
        self._codec = codec
        self._sequence = 0
        self._timestamp = 0

    def _send_feedback_soon(self) -> None:
        self.feedback_requests += 1

    def send(self, *payloads: bytes, lost: bool = False) -> None:
        """One frame, in so many packets."""
        for payload in payloads:
            self._sequence += 1
            if not lost:
                packet = RtpPacket.parse(
                    write_rtp(self._sequence, self._timestamp, 1, payload)
                )
                assert packet is not None
                self.source.receive(packet, self._codec, self.now)
        self._timestamp += self._codec.clock_rate // 30
        self.now += 1 / 30

    def play(self, frames: tuple[EncodedFrame, ...]) -> None:
        for frame in frames:
            self.send(*frame.payloads)

    def change(self, codec: Codec) -> None:
        self._codec = codec


async def test_video_is_described_by_its_packets() -> None:
    source = Source(VP8)
    encoding = source.encoding
    assert encoding.is_video
    assert (encoding.parameters, encoding.key_frame_interval) == (None, None)
    source.play(encode_video("libvpx", 320, 180, frames=7, key_interval=3))
    assert encoding.parameters is not None
    assert (encoding.parameters.width, encoding.parameters.height) == (320, 180)
    assert (encoding.frames, encoding.key_frames) == (7, 3)
    assert encoding.key_frame_interval == pytest.approx(3 / 30)


async def test_parameters_in_a_later_packet_of_the_key_frame() -> None:
    """H.264 may have an access unit delimiter before them, in a packet of its own."""
    source = Source(H264)
    frames = encode_video("libx264", 320, 180)
    assert frames[0].is_key
    source.send(b"\x09\xf0", *frames[0].payloads)
    assert source.encoding.key_frames == 1
    assert source.encoding.parameters is not None
    assert source.encoding.parameters.width == 320


async def test_rates_are_those_of_the_last_second() -> None:
    source = Source(VP8)
    encoding = source.encoding
    for _ in range(30):
        source.send(bytes(988), bytes(988))
    source.now += 0.001
    encoding.tick(source.now - 0.5)
    assert (encoding.bitrate, encoding.frame_rate) == (0, 0)
    encoding.tick(source.now)
    assert encoding.frame_rate == pytest.approx(30, rel=0.01)
    assert encoding.bitrate == pytest.approx(30 * 2 * 1000 * 8, rel=0.01)
    encoding.tick(source.now + RATE_INTERVAL)
    assert (encoding.bitrate, encoding.frame_rate) == (0, 0)


async def test_another_codec_in_the_middle() -> None:
    source = Source(VP8)
    source.play(encode_video("libvpx", 320, 180))
    source.change(H264)
    source.send(b"\x41\x9a")
    assert source.encoding.codec is H264
    assert source.encoding.parameters is None
    source.play(encode_video("libx264", 160, 90))
    assert source.encoding.parameters is not None
    assert source.encoding.parameters.width == 160


async def test_subscribers_come_and_go() -> None:
    source = Source(VP8)
    first: list[int] = []
    second: list[int] = []

    def once(packet: RtpPacket) -> None:
        first.append(packet.sequence)
        source.encoding.unsubscribe(once)

    def always(packet: RtpPacket) -> None:
        second.append(packet.sequence)

    source.encoding.subscribe(once)
    source.encoding.subscribe(always)
    source.send(b"a", b"b")
    assert (first, second) == ([1], [1, 2])


async def test_a_missing_packet_needs_feedback() -> None:
    source = Source(VP8)
    source.send(b"a")
    assert source.feedback_requests == 0
    source.send(b"b", lost=True)
    source.send(b"c")
    assert source.feedback_requests == 1


async def test_a_key_frame_is_wanted_until_it_comes() -> None:
    source = Source(VP8)
    encoding = source.encoding
    source.send(b"\x10\x01")
    assert not encoding.should_request_key_frame(source.now)
    encoding.request_key_frame()
    assert encoding.should_request_key_frame(source.now)
    assert not encoding.should_request_key_frame(source.now + KEY_FRAME_INTERVAL / 2)
    assert encoding.should_request_key_frame(source.now + KEY_FRAME_INTERVAL)
    source.play(encode_video("libvpx", 320, 180))
    assert not encoding.should_request_key_frame(source.now + 2 * KEY_FRAME_INTERVAL)


class TestLossWithoutNack:
    """Key frames are requested no more often than they help."""

    def requests(self, *, loss_after: float, seconds: float) -> list[float]:
        """When key frames are requested, of an encoder that sends them at once.

        Args:
            loss_after: seconds from each key frame to the next loss for good.
        """
        source = Source(Codec(96, "VP8/90000", feedback=("nack pli",)))
        encoding, found = source.encoding, []
        start = source.now
        lossy_at = start + 0.5
        while source.now < start + seconds:
            is_lost = source.now >= lossy_at
            source.send(DELTA, lost=is_lost)
            if is_lost:
                lossy_at = source.now + 60.0
            source.source.reception.missing.to_request(source.now, 0.1)
            source.source.release(source.now)
            if encoding.should_request_key_frame(source.now):
                found.append(source.now - start)
                source.send(KEY)
                lossy_at = source.now + loss_after
        return found

    async def test_key_frames_that_help(self) -> None:
        found = self.requests(loss_after=2 * KEY_FRAME_USE, seconds=20)
        gaps = [later - earlier for earlier, later in pairwise(found)]
        assert max(gaps) < 2 * KEY_FRAME_USE + 0.2

    async def test_key_frames_that_do_not_help(self) -> None:
        found = self.requests(loss_after=KEY_FRAME_USE / 5, seconds=40)
        gaps = [later - earlier for earlier, later in pairwise(found)]
        longest = MAX_KEY_FRAME_BACKOFF * KEY_FRAME_INTERVAL
        assert gaps[0] == pytest.approx(2 * KEY_FRAME_INTERVAL, abs=0.1)
        assert gaps[1:] == pytest.approx([longest] * len(gaps[1:]), abs=0.1)


async def test_audio_has_no_key_frames() -> None:
    source = Source(OPUS)
    encoding = source.encoding
    assert encoding.channels == 2
    encoding.request_key_frame()
    assert source.feedback_requests == 0
    # RFC 6716 section 3.1: the stereo bit is not set, then set.
    source.send(b"\xf8\xff")
    assert encoding.channels == 1
    source.send(b"\xfc\xff")
    assert encoding.channels == 2


class Two:
    """Two sources of one encoding, and what a subscriber gets."""

    def __init__(self, codec: Codec = VP8) -> None:
        self.encoding = Encoding(codec, None, lambda: None)
        self.codec = codec
        self.out: list[RtpPacket] = []
        self.encoding.subscribe(self.out.append)
        self.numbers = {1: (1000, 0), 2: (60_000, 2**31), 3: (5, 5)}
        self.sources = {1: self.encoding.add_source(1, codec)}
        self.now = self.encoding.last_packet_at

    def send(self, ssrc: int, count: int, *, key: bool = True) -> None:
        """Send frames of one packet each, the first one a key frame."""
        if ssrc not in self.sources:
            self.sources[ssrc] = self.encoding.add_source(ssrc, self.codec)
        for number in range(count):
            sequence, timestamp = self.numbers[ssrc]
            payload = KEY if key and number == 0 else b"\x10\x01other"
            packet = RtpPacket.parse(
                write_rtp(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload)
            )
            assert packet is not None
            self.sources[ssrc].receive(packet, self.codec, self.now)
            self.numbers[ssrc] = sequence + 1, timestamp + 3000
            self.now += 1 / 30

    def check(self, *expected: int) -> None:
        """What has come out: the sources of the packets, without a visible jump."""
        assert [packet.ssrc for packet in self.out] == list(expected)
        for before, after in pairwise(self.out):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            step = (after.timestamp - before.timestamp) & 0xFFFFFFFF
            assert 0 < step <= 90_000


NTP = 3_900_000_000
KEY = b"\x10\x00\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00"


async def test_sources_that_come_and_go_and_come_back() -> None:
    """An encoder changes its SSRC, and goes back to the first one."""
    two = Two()
    two.send(1, 30)
    two.send(2, 30)
    two.send(1, 30)
    two.send(3, 30)
    two.send(1, 30)
    two.check(*[1] * 30, *[2] * 30, *[1] * 30, *[3] * 30, *[1] * 30)
    assert two.encoding.epoch == 4


async def test_one_that_comes_back_for_a_moment() -> None:
    two = Two()
    two.send(1, 10)
    two.send(2, 10)
    two.send(1, 3)
    two.encoding.tick(two.now)
    assert len(two.out) == 20
    two.encoding.tick(two.now + RETURN_TIME)
    two.check(*[1] * 10, *[2] * 10, *[1] * 3)


async def test_two_that_send_at_the_same_time() -> None:
    """The newest one counts, for as long as it sends."""
    two = Two()
    two.send(1, 10)
    for number in range(100):
        two.send(2, 1, key=number == 0)
        two.send(1, 1, key=number % 30 == 0)
    two.check(*[1] * 10, *[2] * 100)


async def test_another_source_begins_with_a_key_frame() -> None:
    two = Two()
    two.send(1, 10)
    two.encoding.wants_key_frame = False
    two.send(2, 5, key=False)
    assert two.encoding.wants_key_frame
    assert two.encoding.wanted_from == 2
    # Meanwhile the other one goes on.
    two.send(1, 5, key=False)
    two.send(2, 5)
    two.check(*[1] * 15, *[2] * 5)
    two.send(1, 20, key=False)
    assert two.encoding.wants_key_frame
    two.send(1, 20)
    two.check(*[1] * 15, *[2] * 5, *[1] * 20)


async def test_sound_goes_on_with_the_first_packet() -> None:
    two = Two(OPUS)
    two.send(1, 10)
    two.send(2, 10)
    two.send(1, 10)
    two.check(*[1] * 10, *[2] * 10, *[1] * 10)


async def test_a_source_that_has_ended() -> None:
    two = Two()
    two.send(1, 5)
    two.send(2, 5)
    assert not two.encoding.remove_source(2)
    assert two.encoding.wants_key_frame
    two.send(1, 1)
    two.check(*[1] * 5, *[2] * 5, 1)
    assert two.encoding.remove_source(1)


async def test_what_all_sources_have_sent_is_counted_together() -> None:
    two = Two()
    two.send(1, 10)
    two.send(2, 20)
    two.encoding.remove_source(1)
    two.send(3, 5)
    assert two.encoding.totals.packets == 35
    assert two.encoding.totals.octets == sum(len(p.data) for p in two.out)


async def test_the_clock_of_a_source_is_that_of_its_packets() -> None:
    two = Two()
    two.send(1, 30)
    two.send(2, 30)
    packet = two.out[-1]
    assert two.encoding.anchor is None
    _, timestamp = two.numbers[2]
    reception, now = two.sources[2].reception, two.now - 1 / 30
    reception.sender_report(NTP << 32, (timestamp - 3000) & 0xFFFFFFFF, now)
    share_offset([reception.clock])
    anchor = two.encoding.anchor
    assert anchor is not None
    assert (anchor.sent, anchor.timestamp) == (NTP, packet.timestamp)
    assert anchor.moment == pytest.approx(now, abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "silence"), [(60, 0.4), (15, 0.4), (5, 0.8), (1, 2.0)]
)
async def test_silence_is_longer_than_between_frames(rate: int, silence: float) -> None:
    """Browsers send the largest layers no more when their network is too slow."""
    source = Source(VP8)
    for _ in range(60):
        source.send(KEY)
        source.now += 1 / rate - 1 / 30
        assert not source.encoding.is_silent(source.now)
    last = source.encoding.last_packet_at
    assert not source.encoding.is_silent(last + silence - 0.05)
    assert source.encoding.is_silent(last + silence + 0.05)
