"""Report blocks (RFC 3550 section 6.4.1), as our own receiver and aiortc write them."""

import pytest
from aiortc.rtp import (
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
)
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.report_blocks import parse_report_blocks
from whipbird.rtp.rtcp import ReportBlock, write_receiver_report, write_sdes

BLOCKS = [
    ReportBlock(7, 255, -1, 0xFFFFFFFF, 3, 0x12345678, 65536),
    ReportBlock(0xFFFFFFFF, 0, 0x7FFFFF, 1, 0, 0, 0),
]


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_what_our_own_receiver_writes(count: int) -> None:
    blocks = (BLOCKS * 20)[:count]
    data = write_receiver_report(1, blocks) + write_sdes(1, "name")
    assert list(parse_report_blocks(data)) == blocks


def test_what_aiortc_writes() -> None:
    """In sender reports, too: behind what the sender says of itself."""
    info = RtcpReceiverInfo(
        ssrc=7,
        fraction_lost=255,
        packets_lost=-1,
        highest_sequence=0xFFFFFFFF,
        jitter=3,
        lsr=0x12345678,
        dlsr=65536,
    )
    sender = RtcpSenderInfo(1, 2, 3, 4)
    for report in (
        RtcpRrPacket(ssrc=1, reports=[info]),
        RtcpSrPacket(ssrc=1, sender_info=sender, reports=[info]),
    ):
        assert list(parse_report_blocks(bytes(report))) == BLOCKS[:1]


def test_blocks_that_are_cut_off() -> None:
    data = bytearray(write_receiver_report(1, BLOCKS))
    # It says that there are three.
    data[0] += 1
    assert list(parse_report_blocks(bytes(data))) == BLOCKS
    # The packet is shorter than it says.
    assert list(parse_report_blocks(bytes(data[:-4]))) == []


@given(st.binary(max_size=200))
def test_any_octets(data: bytes) -> None:
    for packet_type in (200, 201):
        list(parse_report_blocks(bytes((0x9F, packet_type)) + data))
