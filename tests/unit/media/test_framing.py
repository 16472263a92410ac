"""Access units: their beginning, key frames, and the parameter sets that they need."""

import pytest

from tests.rtp_packets import write_rtp
from whipbird.media.framing import MAX_HELD, MAX_SET_OCTETS, MAX_SETS, Framing
from whipbird.rtp.codecs import payload_format
from whipbird.rtp.packet import RtpPacket

SPS, OTHER_SPS = b"\x67\x42\x00\x1f\x8c\x8d", b"\x67\x42\x00\x1f\x8c\x99"
PPS, SECOND_PPS = b"\x68\xce\x3c\x80", b"\x68\x5e\x3c\x80"
IDR, LATER_IDR_SLICE = b"\x65\x88\x84\x00", b"\x65\x12\x84\x00"
SLICE, INTRA_SLICE = b"\x41\x9a\x02\x04", b"\x41\x88\x84\x00"
AUD, SEI, RECOVERY = b"\x09\x10", b"\x06\x05\x01\x00\x80", b"\x06\x06\x01\x84\x80"

Sets = dict[tuple[int, int], bytes]


def stap_a(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2) + unit for unit in units)


class Stream:
    """Packets through a framing, in order."""

    def __init__(self, codec: str = "h264", offered: Sets | None = None) -> None:
        self.out: list[RtpPacket] = []
        found = payload_format(codec)
        assert found is not None
        self.framing = Framing(found, offered or {}, self.out.append)
        self._sequence = 0
        self._timestamp = 0

    def frame(self, *payloads: bytes, markers: str = "last") -> None:
        """Send an access unit; markers: on the last packet, on all, or on none."""
        for index, payload in enumerate(payloads):
            is_last = index == len(payloads) - 1
            marker = markers == "all" or (markers == "last" and is_last)
            self.push(payload, marker=marker)
        self._timestamp += 3000

    def push(self, payload: bytes, *, marker: bool = False) -> RtpPacket:
        self._sequence += 1
        data = write_rtp(self._sequence, self._timestamp, 1, payload, marker=marker)
        packet = RtpPacket.parse(data)
        assert packet is not None
        self.framing.push(packet)
        return packet

    def pad(self) -> None:
        """Send padding, as senders do to probe the bandwidth."""
        self._timestamp -= 3000
        self.push(b"")
        self._timestamp += 3000

    def take(self) -> list[tuple[bytes, bool]]:
        """What came out since the last call: payloads, and whether each is a start."""
        out = [(p.payload, p.is_random_access_point) for p in self.out]
        self.out.clear()
        return out


class TestKeyFrames:
    def test_a_decoder_can_start_at_the_first_packet_of_a_key_frame(self) -> None:
        stream = Stream()
        stream.frame(stap_a(SPS, PPS), IDR, LATER_IDR_SLICE)
        stream.frame(SLICE, SLICE)
        assert stream.take() == [
            *((stap_a(SPS, PPS), True), (IDR, False), (LATER_IDR_SLICE, False)),
            *((SLICE, False), (SLICE, False)),
        ]

    def test_parameter_sets_before_other_pictures_begin_nothing(self) -> None:
        """An encoder may repeat them each second, and key frames each eight."""
        stream = Stream()
        stream.frame(AUD, SPS, PPS, SEI, SLICE)
        assert stream.take() == [(u, False) for u in (AUD, SPS, PPS, SEI, SLICE)]

    @pytest.mark.parametrize("unit", [(RECOVERY, SLICE), (INTRA_SLICE,)])
    def test_intra_refresh(self, unit: tuple[bytes, ...]) -> None:
        """H.264 section D.2.8; and pictures of slices of type I with their sets."""
        stream = Stream()
        stream.frame(SPS, PPS, *unit)
        assert [starts for _, starts in stream.take()] == [True] + [False] * (
            1 + len(unit)
        )

    def test_an_intra_picture_alone_is_no_start(self) -> None:
        stream = Stream()
        stream.frame(SPS, PPS)
        stream.frame(INTRA_SLICE)
        assert not any(starts for _, starts in stream.take())

    def test_pictures(self) -> None:
        """Parameter sets with a timestamp of their own are no picture."""
        stream = Stream()
        stream.frame(SPS, PPS)
        stream.frame(SPS, PPS, IDR)
        stream.pad()
        assert [p.has_picture for p in stream.out] == [False] * 4 + [True, False]


class TestParameterSets:
    def test_those_that_came_once_are_put_before_each_key_frame(self) -> None:
        stream = Stream()
        stream.frame(SPS, PPS, IDR)
        stream.frame(SLICE)
        stream.take()
        stream.frame(IDR, LATER_IDR_SLICE)
        stream.frame(SLICE)
        assert stream.take() == [
            *((SPS, True), (PPS, False), (IDR, False), (LATER_IDR_SLICE, False)),
            (SLICE, False),
        ]

    def test_they_are_packets_of_the_same_frame(self) -> None:
        stream = Stream()
        stream.frame(SPS, PPS)
        stream.frame(IDR)
        first, second, idr = stream.out[-3:]
        for added in (first, second):
            assert (added.timestamp, added.ssrc) == (idr.timestamp, idr.ssrc)
            assert (added.payload_type, added.marker) == (idr.payload_type, False)
            assert added.sequence == -1

    def test_nothing_is_added_where_nothing_is_missing(self) -> None:
        stream = Stream()
        for _ in range(3):
            stream.frame(stap_a(AUD, SPS, PPS), IDR)
            stream.frame(stap_a(SPS, PPS, IDR))
            stream.frame(SLICE)
        assert all(packet.sequence >= 0 for packet in stream.out)

    def test_those_of_sdp(self) -> None:
        stream = Stream(offered={(7, 0): SPS, (8, 0): PPS})
        stream.frame(IDR)
        assert stream.take() == [(SPS, True), (PPS, False), (IDR, False)]

    def test_newer_ones_replace_older_ones(self) -> None:
        stream = Stream(offered={(7, 0): SPS, (8, 0): PPS})
        stream.frame(OTHER_SPS, PPS, IDR)
        stream.take()
        stream.frame(IDR)
        assert [payload for payload, _ in stream.take()] == [OTHER_SPS, PPS, IDR]

    def test_one_of_several_is_missing(self) -> None:
        """A set may be needed to read the next one: all follow those that came."""
        stream = Stream()
        stream.frame(SPS, PPS, SECOND_PPS, IDR)
        stream.take()
        stream.frame(AUD, SPS, PPS, IDR)
        payloads = [payload for payload, _ in stream.take()]
        assert payloads == [AUD, SPS, PPS, SPS, PPS, SECOND_PPS, IDR]

    def test_a_delimiter_stays_in_front(self) -> None:
        """H.264 section 7.4.1.2.3."""
        stream = Stream(offered={(7, 0): SPS, (8, 0): PPS})
        stream.frame(AUD, SEI, IDR)
        assert stream.take() == [
            *((AUD, True), (SPS, False), (PPS, False), (SEI, False), (IDR, False))
        ]

    def test_h265(self) -> None:
        vps = b"\x40\x01\x0c\x01"
        pps = b"\x44\x01\xc1\x72\xb4\x62"
        idr, trail = b"\x26\x01\xaf\x09\x40", b"\x02\x01\xd0\x09"
        stream = Stream("h265", {(32, 0): vps, (34, 0): pps})
        stream.frame(trail)
        stream.frame(idr)
        assert stream.take() == [
            *((trail, False), (vps, True), (pps, False), (idr, False))
        ]

    def test_av1(self) -> None:
        header, key = b"\x08\x01\x02\x03", b"\x30\x10\x00\x00"
        inter = b"\x30\x30\x00\x00"
        stream = Stream("av1")
        stream.frame(b"\x28\x04" + header + key)
        stream.frame(b"\x10" + inter)
        stream.take()
        # N before an inter frame, with the header; then a key frame without any.
        stream.frame(b"\x28\x04" + header + inter)
        stream.frame(b"\x10" + key)
        assert stream.take() == [
            (b"\x28\x04" + header + inter, False),
            *((b"\x18" + header, True), (b"\x10" + key, False)),
        ]

    def test_what_a_peer_can_repeat_is_bounded(self) -> None:
        stream = Stream()
        for number in range(5 * MAX_HELD):
            # ue(v) with seven bits: ids from 127 on.
            identifier = (number + 128).to_bytes(2)
            stream.push(b"\x68" + bytes([0x01]) + identifier + bytes(300))
        assert len(stream.framing._held) < MAX_HELD
        sets = stream.framing._sets
        assert len(sets) <= MAX_SETS
        assert sum(map(len, sets.values())) <= MAX_SET_OCTETS


class TestMarkers:
    """RFC 6184 section 5.1: the marker is a hint."""

    def test_right_ones_stay(self) -> None:
        stream = Stream()
        stream.frame(SPS, PPS, IDR, LATER_IDR_SLICE)
        stream.frame(SLICE)
        stream.pad()
        assert [p.marker for p in stream.out] == [False] * 3 + [True, True, False]

    def test_wrong_ones_are_taken_out(self) -> None:
        stream = Stream()
        for _ in range(2):
            stream.frame(SPS, PPS, IDR, LATER_IDR_SLICE, markers="all")
            stream.frame(SLICE, SLICE, markers="all")
        assert not any(packet.marker for packet in stream.out)

    def test_none_at_all(self) -> None:
        stream = Stream()
        stream.frame(SPS, PPS, IDR, markers="none")
        stream.frame(SLICE, markers="none")
        assert [starts for _, starts in stream.take()] == [True, False, False, False]
