"""Packets to frames: whole ones, in order, from a key frame on."""

import pytest

from tests.rtp_packets import write_rtp
from tests.unit.recording.publisher import AUDIO, VIDEO, video_frames
from whipbird.media.frames import FrameAssembler, RtpFrame
from whipbird.media.framing import Framing
from whipbird.rtp.codecs import payload_format
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec

VP8 = VIDEO["libvpx"]
KEY, CONTINUED, OTHER = b"\x10" + bytes(11), b"\0more", b"\x10\1other"


class Assembly:
    """An assembler, and what became of the packets."""

    def __init__(self, codec: Codec = VP8, *, is_hasty: bool = True) -> None:
        self.frames: list[RtpFrame] = []
        self.broken = 0
        self.codec = codec
        self.assembler = FrameAssembler(
            self.frames.append, self._broke, is_hasty=is_hasty
        )
        self._sequence = 65530
        self._framing: dict[str, Framing] = {}

    def _broke(self) -> None:
        self.broken += 1

    def push(
        self,
        payload: bytes,
        timestamp: int,
        *,
        marker: bool = False,
        lost: bool = False,
    ) -> None:
        self._sequence += 1
        data = write_rtp(self._sequence, timestamp, payload=payload, marker=marker)
        packet = RtpPacket.parse(data)
        assert packet is not None
        if not lost:
            self._describe(packet)

    def _describe(self, packet: RtpPacket) -> None:
        """Let the codec say what is in it, as in an encoding."""
        video = payload_format(self.codec.name)
        if video is None:
            self._take(packet)
            return
        if self.codec.name not in self._framing:
            self._framing[self.codec.name] = Framing(video, {}, self._take)
        self._framing[self.codec.name].push(packet)

    def _take(self, packet: RtpPacket) -> None:
        self.assembler.push(packet, self.codec, self._sequence / 100)

    @property
    def timestamps(self) -> list[int]:
        return [frame.timestamp for frame in self.frames]


def test_packets_of_one_timestamp_are_a_frame() -> None:
    assembly = Assembly()
    assembly.push(KEY, 0)
    assembly.push(CONTINUED, 0, marker=True)
    assembly.push(OTHER, 3000, marker=True)
    key, other = assembly.frames
    assert key == RtpFrame(VP8, (KEY, CONTINUED), 0, True, 655.31)
    assert other == RtpFrame(VP8, (OTHER,), 3000, False, 655.33)
    assert (assembly.broken, assembly.assembler.left_out) == (0, 0)


def test_a_frame_without_a_marker_ends_with_the_next_one() -> None:
    assembly = Assembly()
    assembly.push(KEY, 0)
    assembly.push(OTHER, 3000)
    assert assembly.timestamps == [0]
    assembly.push(OTHER, 6000)
    assert assembly.timestamps == [0, 3000]


def test_markers_within_a_frame_do_not_end_it() -> None:
    """RFC 6184 section 5.1: a new timestamp begins a new access unit."""
    assembly = Assembly(is_hasty=False)
    assembly.push(KEY, 0, marker=True)
    assembly.push(CONTINUED, 0, marker=True)
    assembly.push(OTHER, 3000, marker=True)
    assert [frame.payloads for frame in assembly.frames] == [(KEY, CONTINUED)]
    assembly.assembler.flush()
    assert assembly.timestamps == [0, 3000]
    assembly.assembler.flush()
    assert assembly.timestamps == [0, 3000]


def test_a_last_frame_without_its_end_is_left_out() -> None:
    """A sender that sets markers has not sent the last packet of this frame yet."""
    assembly = Assembly(is_hasty=False)
    assembly.push(KEY, 0)
    assembly.push(CONTINUED, 0, marker=True)
    assembly.push(OTHER, 3000)
    assembly.assembler.finish()
    assert assembly.timestamps == [0]
    assert assembly.assembler.left_out == 1


def test_a_last_frame_with_its_end_is_passed_on() -> None:
    assembly = Assembly(is_hasty=False)
    assembly.push(KEY, 0, marker=True)
    assembly.push(OTHER, 3000)
    assembly.push(CONTINUED, 3000, marker=True)
    assembly.assembler.finish()
    assert assembly.timestamps == [0, 3000]


def test_the_last_frame_of_a_sender_without_markers_is_passed_on() -> None:
    assembly = Assembly(is_hasty=False)
    assembly.push(KEY, 0)
    assembly.push(OTHER, 3000)
    assembly.assembler.finish()
    assert assembly.timestamps == [0, 3000]
    assert assembly.assembler.left_out == 0


def test_padding_is_no_part_of_a_frame() -> None:
    assembly = Assembly()
    assembly.push(KEY, 0, marker=True)
    assembly.push(b"", 0)
    assembly.push(b"", 0)
    assembly.push(OTHER, 3000, marker=True)
    assert assembly.timestamps == [0, 3000]


def test_it_begins_with_a_key_frame() -> None:
    assembly = Assembly()
    assembly.push(OTHER, 0)
    assembly.push(CONTINUED, 0, marker=True)
    assembly.push(OTHER, 3000, marker=True)
    assembly.push(KEY, 6000, marker=True)
    assert assembly.timestamps == [6000]
    assert assembly.assembler.left_out == 2


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_gap_ends_all_up_to_a_key_frame(lost: int) -> None:
    """Whichever packet of the second frame is lost."""
    assembly = Assembly()
    assembly.push(KEY, 0, marker=True)
    assembly.push(OTHER, 3000, lost=lost == 1)
    assembly.push(CONTINUED, 3000, lost=lost == 2)
    assembly.push(CONTINUED, 3000, marker=True, lost=lost == 3)
    assembly.push(OTHER, 6000, marker=True)
    assembly.push(KEY, 9000, marker=True)
    assembly.push(OTHER, 12000, marker=True)
    assert assembly.timestamps == [0, 9000, 12000]
    assert assembly.broken == 1
    assert assembly.assembler.left_out == 2


def test_every_frame_of_an_encoder_comes_out() -> None:
    assembly = Assembly()
    frames = video_frames("libvpx")
    for number, frame in enumerate(frames):
        for index, payload in enumerate(frame.payloads):
            is_last = index == len(frame.payloads) - 1
            assembly.push(payload, 3000 * number, marker=is_last)
    assert [frame.payloads for frame in assembly.frames] == [
        frame.payloads for frame in frames
    ]
    assert [f.is_key for f in assembly.frames] == [f.is_key for f in frames]


def test_each_packet_of_sound_is_a_frame_and_gaps_do_no_harm() -> None:
    assembly = Assembly(AUDIO["opus"])
    assembly.push(b"one", 0)
    assembly.push(b"two", 960, lost=True)
    assembly.push(b"three", 1920)
    assembly.push(b"", 1920)
    assert [frame.payloads for frame in assembly.frames] == [(b"one",), (b"three",)]
    assert all(frame.is_key for frame in assembly.frames)
    assert assembly.broken == 0


def test_another_codec_begins_with_a_key_frame() -> None:
    assembly = Assembly()
    assembly.push(KEY, 0, marker=True)
    assembly.codec = VIDEO["libx264"]
    assembly.push(b"\x41\x9aother", 3000, marker=True)
    assembly.push(b"\x65\x88key", 6000, marker=True)
    assert [frame.codec.name for frame in assembly.frames] == ["vp8", "h264"]
    assert assembly.broken == 0
