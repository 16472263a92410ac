"""One encoding: its properties and its subscribers."""

import pytest

from tests.encoders import EncodedFrame, encode_video
from tests.rtp_packets import write_rtp
from whipbird.rtc.received_encoding import KEY_FRAME_INTERVAL, RATE_INTERVAL, Encoding
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec

VP8 = Codec(96, "VP8/90000", feedback=("nack", "nack pli"))
H264 = Codec(103, "H264/90000", feedback=("nack", "nack pli"))
OPUS = Codec(111, "opus/48000/2")


class Source:
    """A sender of one encoding, with a clock of its own."""

    def __init__(self, codec: Codec) -> None:
        self.feedback_requests = 0
        self.encoding = Encoding(1, codec, None, self._send_feedback_soon)
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
                self.encoding.receive(packet, self._codec, self.now)
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
    packet = RtpPacket.parse(write_rtp())
    assert packet is not None
    assert encoding.starts_key_frame(packet)
