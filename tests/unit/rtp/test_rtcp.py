"""RTCP: what is written is read by aiortc to the same values, and the reverse."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.rtcp import (
    MAX_BLOCKS,
    Bye,
    ReportBlock,
    SenderReport,
    parse_rtcp,
    write_feedback,
    write_fir,
    write_nack,
    write_pli,
    write_receiver_report,
    write_remb,
    write_sdes,
)

UINT32 = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.builds(
    ReportBlock,
    ssrc=UINT32,
    fraction_lost=st.integers(0, 255),
    packets_lost=st.integers(-(1 << 23), (1 << 23) - 1),
    highest_sequence=UINT32,
    jitter=UINT32,
    last_report=UINT32,
    delay=UINT32,
)


def as_aiortc(block: ReportBlock) -> aiortc_rtp.RtcpReceiverInfo:
    return aiortc_rtp.RtcpReceiverInfo(
        ssrc=block.ssrc,
        fraction_lost=block.fraction_lost,
        packets_lost=block.packets_lost,
        highest_sequence=block.highest_sequence,
        jitter=block.jitter,
        lsr=block.last_report,
        dlsr=block.delay,
    )


def read_psfb(data: bytes) -> aiortc_rtp.RtcpPsfbPacket:
    (packet,) = aiortc_rtp.RtcpPacket.parse(data)
    assert isinstance(packet, aiortc_rtp.RtcpPsfbPacket)
    return packet


@given(UINT32, st.lists(BLOCKS, max_size=70))
def test_receiver_report(sender_ssrc: int, blocks: list[ReportBlock]) -> None:
    packets = aiortc_rtp.RtcpPacket.parse(write_receiver_report(sender_ssrc, blocks))
    assert len(packets) == max(1, -(-len(blocks) // MAX_BLOCKS))
    reports = []
    for packet in packets:
        assert isinstance(packet, aiortc_rtp.RtcpRrPacket)
        assert packet.ssrc == sender_ssrc
        reports += packet.reports
    assert reports == [as_aiortc(block) for block in blocks]


@pytest.mark.parametrize(
    ("lost", "written"), [(1 << 30, (1 << 23) - 1), (-(1 << 30), -(1 << 23))]
)
def test_lost_is_limited(lost: int, written: int) -> None:
    """RFC 3550 appendix A.3: 24 bits, signed."""
    data = write_receiver_report(1, [ReportBlock(2, 0, lost, 0, 0, 0, 0)])
    (packet,) = aiortc_rtp.RtcpPacket.parse(data)
    assert isinstance(packet, aiortc_rtp.RtcpRrPacket)
    assert packet.reports[0].packets_lost == written


@given(UINT32, st.text(max_size=63))
def test_sdes(ssrc: int, cname: str) -> None:
    data = write_sdes(ssrc, cname)
    assert len(data) % 4 == 0
    assert data[-1] == 0
    (packet,) = aiortc_rtp.RtcpPacket.parse(data)
    assert isinstance(packet, aiortc_rtp.RtcpSdesPacket)
    (chunk,) = packet.chunks
    assert chunk.ssrc == ssrc
    assert chunk.items == [(1, cname.encode())]


def test_nack() -> None:
    # RFC 4585 section 6.2.1: bit i of the BLP, counted from the least significant, is
    # packet PID + i + 1.
    data = write_nack(0x01020304, 0x05060708, [10, 11, 26, 27, 0xFFFF, 0, 15])
    assert data.hex(" ", 4) == ("81cd0005 01020304 05060708 000a8001 001b0000 ffff8001")


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 3000), min_size=1))
def test_nack_is_read_back(start: int, offsets: set[int]) -> None:
    sequences = [(start + offset) & 0xFFFF for offset in sorted(offsets)]
    (packet,) = aiortc_rtp.RtcpPacket.parse(write_nack(1, 2, sequences))
    assert isinstance(packet, aiortc_rtp.RtcpRtpfbPacket)
    assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (1, 1, 2)
    # aiortc does not wrap what the bit mask says.
    assert [lost & 0xFFFF for lost in packet.lost] == sequences


def test_pli() -> None:
    assert write_pli(0x01020304, 0x05060708).hex(" ", 4) == "81ce0002 01020304 05060708"
    packet = read_psfb(write_pli(1, 2))
    assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (1, 1, 2)
    assert packet.fci == b""


def test_fir() -> None:
    # RFC 5104 section 4.3.1.1: the media source is 0, the target in the entry.
    data = write_fir(0x01020304, 0x05060708, 0x1FE)
    assert data.hex(" ", 4) == "84ce0004 01020304 00000000 05060708 fe000000"
    packet = read_psfb(data)
    assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (4, 0x01020304, 0)


def test_remb() -> None:
    # 139487 times 2 to the 6th, of one source.
    data = write_remb(1, 8_927_168, [0x4874ED16])
    assert data.hex(" ", 4) == ("8fce0005 00000001 00000000 52454d42 011a20df 4874ed16")


@given(
    st.integers(0, (1 << 18) - 1),
    st.integers(0, 30),
    st.lists(UINT32, max_size=255),
)
def test_remb_is_read_back(mantissa: int, exponent: int, ssrcs: list[int]) -> None:
    packet = read_psfb(write_remb(7, mantissa << exponent, ssrcs))
    assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (15, 7, 0)
    assert aiortc_rtp.unpack_remb_fci(packet.fci) == (mantissa << exponent, ssrcs)


@given(st.integers(0, 1 << 40))
def test_remb_is_rounded_down(bitrate: int) -> None:
    read, _ = aiortc_rtp.unpack_remb_fci(read_psfb(write_remb(1, bitrate, [])).fci)
    assert read <= bitrate < read * (1 + 2**-17) + 1


@given(
    UINT32,
    st.integers(0, (1 << 64) - 1),
    UINT32,
    UINT32,
    UINT32,
    st.lists(BLOCKS, max_size=3),
    st.lists(UINT32, max_size=31),
)
def test_compound(
    ssrc: int,
    ntp_timestamp: int,
    rtp_timestamp: int,
    packets: int,
    octets: int,
    blocks: list[ReportBlock],
    gone: list[int],
) -> None:
    """A sender report, a packet of no interest, and a BYE, written by aiortc."""
    info = aiortc_rtp.RtcpSenderInfo(ntp_timestamp, rtp_timestamp, packets, octets)
    data = (
        bytes(aiortc_rtp.RtcpSrPacket(ssrc, info, [as_aiortc(b) for b in blocks]))
        + write_sdes(ssrc, "someone")
        + bytes(aiortc_rtp.RtcpByePacket(gone))
    )
    assert parse_rtcp(data) == [
        SenderReport(ssrc, ntp_timestamp, rtp_timestamp, packets, octets),
        Bye(tuple(gone)),
    ]


@pytest.mark.parametrize("length", range(9))
def test_feedback_is_filled_up(length: int) -> None:
    """RFC 3550 section 6.4.1: the last octet of padding holds its length."""
    information = b"x" * length
    data = write_feedback(206, 9, 1, 2, information)
    padding = -length % 4
    assert len(data) == 12 + length + padding
    assert bool(data[0] & 0x20) == (padding > 0)
    assert data[12 + length :] == (b"", b"\1", b"\0\2", b"\0\0\3")[padding]
    packet = read_psfb(data)
    assert (packet.fmt, packet.fci) == (9, information)


BYE = bytes.fromhex("81cb0001 00000007")


def test_a_bye_of_nobody() -> None:
    assert parse_rtcp(bytes.fromhex("80cb0000 a0cb0001 00000004")) == [Bye(())] * 2


def test_padding_and_reason_of_a_bye() -> None:
    padded = bytes.fromhex("a1cb0003 00000007 03627965 00000004")
    assert parse_rtcp(padded) == [Bye((7,))]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes.fromhex("41cb0001 00000007"), id="version"),
        pytest.param(bytes.fromhex("81cb0009 00000007"), id="length"),
        pytest.param(bytes.fromhex("82cb0001 00000007"), id="count of a BYE"),
        pytest.param(bytes.fromhex("80c80001 00000007"), id="sender report too short"),
        pytest.param(bytes.fromhex("a1cb0001 00000000"), id="padding of 0"),
        pytest.param(bytes.fromhex("a1cb0001 00000005"), id="padding too long"),
        pytest.param(bytes.fromhex("a1cb0001 00000004"), id="nothing but padding"),
        pytest.param(bytes.fromhex("a0cb0000"), id="no room for padding"),
        pytest.param(b"\x81\xcb", id="header"),
    ],
)
def test_malformed(data: bytes) -> None:
    """Packets before the malformed one are parsed, those after it are not."""
    assert parse_rtcp(BYE + data + BYE) == [Bye((7,))]
    assert parse_rtcp(data) == []


@given(st.binary(max_size=100))
def test_any_octets(data: bytes) -> None:
    for packet in parse_rtcp(data) + parse_rtcp(b"\x81\xc8\x00\x06" + data):
        assert isinstance(packet, SenderReport | Bye)
