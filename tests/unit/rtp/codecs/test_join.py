"""The payloads of a frame's packets, joined to what a decoder and a file want."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rtp.codecs.frames import ENCODERS, frames_of
from whipbird.rtp.bits import BitstreamError
from whipbird.rtp.codecs import payload_format


def join(name: str, *payloads: bytes) -> bytes:
    codec = payload_format(name)
    assert codec is not None
    return codec.join(payloads)


def units(stream: bytes) -> list[bytes]:
    return [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]


@pytest.mark.parametrize("name", ["h264", "h265"])
def test_nal_units_are_those_of_the_encoder(name: str) -> None:
    for frame in frames_of(name):
        assert units(join(name, *frame.payloads)) == units(frame.data)


@pytest.mark.parametrize("name", ["vp8", "vp9"])
def test_frames_are_those_of_the_encoder(name: str) -> None:
    for frame in frames_of(name):
        assert join(name, *frame.payloads) == frame.data


def test_temporal_units_are_those_of_the_encoder_without_delimiters() -> None:
    for frame in frames_of("av1"):
        assert frame.data[:2] == b"\x12\0"
        assert join("av1", *frame.payloads) == frame.data[2:]


@pytest.mark.parametrize("name", ENCODERS)
def test_a_missing_packet_is_noticed(name: str) -> None:
    """The first, one in the middle (where that can be seen), the last."""
    payloads = frames_of(name)[0].payloads
    assert len(payloads) > 3
    if name not in ("h264", "h265"):
        # There the first is a whole unit of its own: the parameter sets.
        with pytest.raises(BitstreamError):
            join(name, *payloads[1:])
    with pytest.raises(BitstreamError):
        join(name, *payloads[2:])
    if name != "vp8":
        with pytest.raises(BitstreamError):
            join(name, *payloads[:-1])


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=60)
@given(data=st.data())
def test_anything_is_joined_or_refused(name: str, data: st.DataObject) -> None:
    payloads = list(frames_of(name)[0].payloads[:4])
    at = data.draw(st.integers(0, len(payloads) - 1))
    payloads[at] = data.draw(
        st.binary(max_size=12) | st.integers(1, 12).map(lambda n: payloads[at][:n])
    )
    with suppress(BitstreamError):
        join(name, *payloads)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_packet_without_a_payload_is_refused(name: str) -> None:
    first = frames_of(name)[0].payloads[0]
    for payloads in ((b"",), (first, b"")):
        with pytest.raises(BitstreamError):
            join(name, *payloads)


def test_a_frame_of_vp8_has_a_packet() -> None:
    with pytest.raises(BitstreamError):
        join("vp8")


def test_aggregated_nal_units() -> None:
    """RFC 6184 section 5.7.1, RFC 7798 section 4.4.2."""
    stap = b"\x78\0\4\x67abc\0\3\x68de"
    assert join("h264", stap, b"\x65fgh") == (
        b"\0\0\0\1\x67abc\0\0\0\1\x68de\0\0\0\1\x65fgh"
    )
    aggregation = b"\x60\1\0\4\x40\1ab\0\4\x42\1cd"
    assert join("h265", aggregation) == b"\0\0\0\1\x40\1ab\0\0\0\1\x42\1cd"


@pytest.mark.parametrize(
    ("name", "payloads"),
    [
        ("h264", [b"\x7c\x05ab"]),  # the middle of a fragmented unit
        ("h264", [b"\x7c\x85ab"]),  # ... its beginning, and no end
        ("h264", [b"\x7c\x85ab", b"\x67abc"]),  # ... and another unit
        ("h264", [b"\x7a\0\0\0"]),  # MTAP16
        ("h265", [b"\x62\1\x13ab"]),
        ("h265", [b"\x62\1\x93ab"]),
        ("h265", [b"\x64\1ab"]),  # PACI
        ("av1", [b"\x50\x0a\x01"]),  # goes on in a packet that is not there
        ("av1", [b"\x10"]),
        ("vp9", [b"\x08ab"]),
        ("vp8", [b"\x10ab", b"\x10cd"]),
    ],
)
def test_what_is_not_one_frame(name: str, payloads: list[bytes]) -> None:
    with pytest.raises(BitstreamError):
        join(name, *payloads)


def test_the_header_of_a_fragmented_unit_is_put_together() -> None:
    """RFC 6184 section 5.8: F and NRI of the indicator, the type of the header."""
    assert join("h264", b"\x7c\x85ab", b"\x7c\x45cd") == b"\0\0\0\1\x65abcd"
    # RFC 7798 section 4.4.3.
    assert join("h265", b"\x62\1\x93ab", b"\x62\1\x53cd") == b"\0\0\0\1\x26\1abcd"


def test_of_spatial_layers_only_the_lowest_is_joined() -> None:
    """Decoders of files show each layer as a picture of its own."""
    first, second = b"\x82" + bytes(299), b"\x86" + bytes(9)
    # RFC 9628 section 4.2: L and F; B, E; the second layer's SID is 1.
    packets = (
        b"\x38\0" + first[:200],
        b"\x34\0" + first[200:],
        b"\x3c\2" + second,
    )
    assert join("vp9", *packets) == first
    with pytest.raises(BitstreamError):
        join("vp9", packets[2])


@pytest.mark.parametrize("kind", [0, 30, 31])
def test_reserved_units_are_left_out(kind: int) -> None:
    """RFC 6184 section 5.2: receivers ignore them."""
    reserved = bytes([0x60 | kind]) + b"ab"
    joined = b"\0\0\0\1\x65fgh"
    assert join("h264", b"\x65fgh", reserved) == joined
    assert join("h264", reserved, b"\x65fgh") == joined
    stap = b"\x78\0\3" + reserved + b"\0\4\x65fgh"
    assert join("h264", stap) == joined


def test_an_obu_that_is_shorter_than_its_header_is_refused() -> None:
    with pytest.raises(BitstreamError):
        join("av1", b"\x10\x04")


def test_obus_get_their_sizes() -> None:
    """AV1 section 5.3; what RTP leaves out, and what may come with a size."""
    # W is 3: a delimiter, a sequence header with a size, the first part of a frame.
    first = b"\x78\x01\x10\x04\x0a\x02ab" + b"\x30" + b"c" * 150
    second = b"\x90" + b"d" * 50
    frame = b"\x32" + b"\xc8\x01" + b"c" * 150 + b"d" * 50
    assert join("av1", first, second) == b"\x0a\x02ab" + frame
