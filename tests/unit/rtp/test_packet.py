"""RTP packets, beside aiortc's reading of them."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import rtp_packet, write_rtp
from whipbird.rtp.packet import RtpPacket


def test_plain() -> None:
    data = write_rtp(
        0x1234, 0xFEDCBA98, 0xDEADBEEF, b"\x01\x02", payload_type=111, marker=True
    )
    packet = RtpPacket.parse(data)
    assert packet is not None
    assert packet.data is data
    assert packet.payload_type == 111
    assert packet.marker is True
    assert packet.sequence == 0x1234
    assert packet.timestamp == 0xFEDCBA98
    assert packet.ssrc == 0xDEADBEEF
    assert (packet.payload_offset, packet.payload_end) == (12, 14)
    assert packet.payload == b"\x01\x02"


def test_csrcs_extension_and_padding() -> None:
    packet = RtpPacket.parse(
        write_rtp(
            payload=b"abc",
            csrcs=[1, 2, 3],
            extension=(0xBEDE, bytes(8)),
            padding=5,
        )
    )
    assert packet is not None
    assert packet.payload_offset == 12 + 12 + 4 + 8
    assert packet.payload == b"abc"


def test_extension_of_more_than_a_kilobyte() -> None:
    packet = RtpPacket.parse(write_rtp(extension=(0x1000, bytes(4 * 0x0102))))
    assert packet is not None
    assert packet.payload == b"payload"


def test_nothing_behind_the_header() -> None:
    packet = RtpPacket.parse(write_rtp(payload=b"", extension=(0xBEDE, b"")))
    assert packet is not None
    assert packet.payload == b""


def test_highest_payload_type_without_marker() -> None:
    packet = RtpPacket.parse(write_rtp(payload_type=127))
    assert packet is not None
    assert (packet.payload_type, packet.marker) == (127, False)


def test_padding_only() -> None:
    packet = RtpPacket.parse(write_rtp(payload=b"", padding=255))
    assert packet is not None
    assert packet.payload == b""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(write_rtp(payload=b"")[:-1], id="header too short"),
        pytest.param(b"\x40" + write_rtp()[1:], id="version 1"),
        pytest.param(b"\xc0" + write_rtp()[1:], id="version 3"),
        pytest.param(b"\x8f" + write_rtp()[1:], id="CSRCs missing"),
        pytest.param(b"\x90" + write_rtp(payload=b"abc")[1:], id="no extension"),
        pytest.param(
            write_rtp(payload=b"", extension=(0xBEDE, bytes(8)))[:-1],
            id="extension too short",
        ),
        pytest.param(b"\xa0" + write_rtp(payload=b"\0")[1:], id="padding of 0"),
        pytest.param(b"\xa0" + write_rtp(payload=b"\2")[1:], id="padding too long"),
    ],
)
def test_malformed(data: bytes) -> None:
    assert RtpPacket.parse(data) is None


@given(
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=40),
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15),
    words=st.none() | st.integers(0, 10),
    padding=st.integers(0, 255),
)
def test_as_aiortc(
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    payload_type: int,
    marker: bool,
    csrcs: list[int],
    words: int | None,
    padding: int,
) -> None:
    data = write_rtp(
        sequence,
        timestamp,
        ssrc,
        payload,
        payload_type=payload_type,
        marker=marker,
        csrcs=csrcs,
        extension=None if words is None else (0xBEDE, bytes(4 * words)),
        padding=padding,
    )
    packet = RtpPacket.parse(data)
    theirs = aiortc_rtp.RtpPacket.parse(data)
    assert packet is not None
    assert packet.sequence == theirs.sequence_number == sequence
    assert packet.timestamp == theirs.timestamp == timestamp
    assert packet.ssrc == theirs.ssrc == ssrc
    assert packet.payload_type == theirs.payload_type == payload_type
    assert packet.marker == bool(theirs.marker) == marker
    assert packet.payload == theirs.payload == payload


def test_moved() -> None:
    """All but the timestamp stays, and the packet itself too."""
    packet = rtp_packet(7)
    packet.timestamp = 2**32 - 10
    packet.is_random_access_point = True
    moved = packet.moved(30)
    assert (packet.timestamp, moved.timestamp) == (2**32 - 10, 20)
    for name in RtpPacket.__slots__:
        if name != "timestamp":
            assert getattr(moved, name) == getattr(packet, name)


@given(st.binary(max_size=60))
def test_any_octets(data: bytes) -> None:
    """Taken and refused as by aiortc, with another kind of extension in them or not."""
    packet = RtpPacket.parse(data)
    try:
        theirs = aiortc_rtp.RtpPacket.parse(data)
    except ValueError:
        # aiortc also refuses packets whose extension elements are malformed.
        if packet is not None:
            assert data[0] & 0x10
        return
    assert packet is not None
    assert packet.payload == theirs.payload


def test_repr() -> None:
    assert repr(rtp_packet(7)) == (
        "RtpPacket(payload_type=96, marker=False, sequence=7, timestamp=0, "
        "ssrc=0x11223344, 7 octets)"
    )
