"""Retransmissions (RFC 4588), beside aiortc's writing of them."""

from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from tests.rtp_packets import write_rtp
from whipbird.rtp.extensions import find_extension
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtx import RtxStream, unwrap


def retransmission(payload: bytes, padding: int = 0) -> RtpPacket:
    packet = RtpPacket.parse(
        write_rtp(
            9,
            77,
            0xAAAA,
            payload,
            payload_type=97,
            marker=True,
            csrcs=[5],
            extension=(0xBEDE, b"\x10\x42\0\0"),
            padding=padding,
        )
    )
    assert packet is not None
    return packet


def test_original() -> None:
    original = unwrap(retransmission(b"\xfe\xdcoriginal"), 96, 0xBBBB)
    assert original is not None
    assert original.data == write_rtp(
        0xFEDC,
        77,
        0xBBBB,
        b"original",
        marker=True,
        csrcs=[5],
        extension=(0xBEDE, b"\x10\x42\0\0"),
    )
    assert find_extension(original, 1) == b"\x42"


def test_padding_is_left_out() -> None:
    padded = unwrap(retransmission(b"\x00\x01abc", padding=3), 96, 1)
    plain = unwrap(retransmission(b"\x00\x01abc"), 96, 1)
    assert padded is not None
    assert plain is not None
    assert padded.data == plain.data


def test_original_without_payload() -> None:
    original = unwrap(retransmission(b"\x00\x07"), 96, 1)
    assert original is not None
    assert original.sequence == 7
    assert original.payload == b""


def test_written_packets_are_read() -> None:
    """Each has a number of its own, the same one for no two copies."""
    stream = RtxStream(0xAAAA, 0xFFFF)
    data = write_rtp(
        7, 77, 1, b"original", marker=True, extension=(0xBEDE, b"\x10\x42\0\0")
    )
    copies = [RtpPacket.parse(stream.wrap(data, 20, 97)) for _ in range(3)]
    for number, copy in zip((0xFFFF, 0, 1), copies, strict=True):
        assert copy is not None
        assert (copy.ssrc, copy.payload_type, copy.sequence) == (0xAAAA, 97, number)
        original = unwrap(copy, 96, 1)
        assert original is not None
        assert original.data == data


def test_nothing_in_it() -> None:
    assert unwrap(retransmission(b"", padding=200), 96, 1) is None
    assert unwrap(retransmission(b"\x01", padding=1), 96, 1) is None


@given(
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=50),
    marker=st.booleans(),
)
def test_of_aiortc(sequence: int, timestamp: int, payload: bytes, marker: bool) -> None:
    data = write_rtp(sequence, timestamp, 0x1234, payload, marker=marker)
    theirs = aiortc_rtp.wrap_rtx(
        aiortc_rtp.RtpPacket.parse(data),
        payload_type=97,
        sequence_number=1,
        ssrc=0x9999,
    )
    packet = RtpPacket.parse(theirs.serialize())
    assert packet is not None
    original = unwrap(packet, 96, 0x1234)
    assert original is not None
    assert original.data == data


@given(st.binary(min_size=12, max_size=60), st.integers(0, 127))
def test_any_octets(data: bytes, payload_type: int) -> None:
    packet = RtpPacket.parse(b"\x80" + data[1:])
    assert packet is not None
    original = unwrap(packet, payload_type, 3)
    if original is None:
        assert len(packet.payload) < 2
    else:
        assert original.payload_type == payload_type
        assert original.payload == packet.payload[2:]
