"""Reports and requests of media receivers."""

import struct

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    pack_remb_fci,
)
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.rtcp import MAX_PACKETS, write_nack, write_sdes
from whipbird.rtp.rtcp_requests import (
    MAX_LOST,
    Estimate,
    KeyFrameRequest,
    Nack,
    Reported,
    parse_requests,
)


def block(ssrc: int, fraction: int, lost: int) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=fraction,
        packets_lost=lost,
        highest_sequence=7,
        jitter=8,
        lsr=9,
        dlsr=10,
    )


def test_reports() -> None:
    report = RtcpRrPacket(ssrc=1, reports=[block(5, 64, 3), block(6, 0, -2)])
    expected = [Reported(5, 0.25, 3, 7, 9, 10), Reported(6, 0.0, -2, 7, 9, 10)]
    assert parse_requests(bytes(report)) == expected
    information = RtcpSenderInfo(
        ntp_timestamp=1, rtp_timestamp=2, packet_count=3, octet_count=4
    )
    both = RtcpSrPacket(ssrc=1, sender_info=information, reports=report.reports)
    assert parse_requests(bytes(both)) == expected


def test_a_compound_packet() -> None:
    data = b"".join(
        [
            bytes(RtcpRrPacket(ssrc=1, reports=[])),
            write_sdes(1, "somebody"),
            bytes(
                RtcpRtpfbPacket(
                    fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=5, lost=[1, 2, 17, 90]
                )
            ),
            bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=5)),
            bytes(
                RtcpPsfbPacket(
                    fmt=RTCP_PSFB_FIR,
                    ssrc=1,
                    media_ssrc=0,
                    fci=b"\0\0\0\6\1\0\0\0" + b"\0\0\0\7\1\0\0\0",
                )
            ),
            bytes(
                RtcpPsfbPacket(
                    fmt=RTCP_PSFB_APP,
                    ssrc=1,
                    media_ssrc=0,
                    fci=pack_remb_fci(2_500_000, [5, 6]),
                )
            ),
        ]
    )
    *requests, estimate = parse_requests(data)
    assert requests == [
        Nack(5, (1, 2, 17, 90)),
        KeyFrameRequest(5),
        KeyFrameRequest(6),
        KeyFrameRequest(7),
    ]
    assert isinstance(estimate, Estimate)
    assert estimate.bitrate == pytest.approx(2_500_000, rel=1e-4)


@given(st.sets(st.integers(0, 400), min_size=1), st.integers(0, 0xFFFF))
def test_what_is_asked_for_is_what_is_read(lost: set[int], start: int) -> None:
    sequences = tuple((start + n) & 0xFFFF for n in sorted(lost))
    assert parse_requests(write_nack(1, 2, sequences)) == [Nack(2, sequences)]


@given(st.binary(max_size=80))
def test_nothing_is_ever_raised(data: bytes) -> None:
    parse_requests(data)
    for packet_type in (200, 201, 205, 206):
        for count in (1, 4, 15, 31):
            header = bytes([0x80 | count, packet_type, 0, len(data) // 4])
            parse_requests(header + data)


def test_what_is_read_of_one_datagram_is_bounded() -> None:
    """A peer can repeat it: each request costs more to answer than to send."""
    whole = b"".join(write_nack(1, ssrc, [1]) for ssrc in range(60))
    assert len(parse_requests(whole)) == MAX_PACKETS
    items = b"\x00\x01\xff\xff" * 320
    head = struct.pack("!BBHII", 0x81, 205, 2 + len(items) // 4, 1, 2)
    (request,) = parse_requests(head + items)
    assert isinstance(request, Nack)
    assert len(request.sequences) == MAX_LOST
    # Of all NACKs of a datagram together.
    few = struct.pack("!BBHII", 0x81, 205, 2 + 20, 1, 2) + items[:80]
    requests = parse_requests(few * MAX_PACKETS)
    assert sum(len(r.sequences) for r in requests if isinstance(r, Nack)) == MAX_LOST
