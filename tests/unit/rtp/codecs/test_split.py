"""Frames split into the payloads of their packets, as receivers put them together."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rtp.codecs.frames import ENCODERS, frames_of
from whipbird.rtp.bits import BitstreamError
from whipbird.rtp.codecs import Content, VideoPayloadFormat, payload_format
from whipbird.rtp.packet import MAX_PAYLOAD

_START_CODE = b"\0\0\0\1"


def format_of(name: str) -> VideoPayloadFormat:
    found = payload_format(name)
    assert found is not None
    return found


@pytest.mark.parametrize("size", [40, 300, MAX_PAYLOAD])
@pytest.mark.parametrize("name", ENCODERS)
def test_frames_come_back_as_they_were(name: str, size: int) -> None:
    codec = format_of(name)
    for number, frame in enumerate(frames_of(name), 0x7FFC):
        payloads = codec.split(frame.data, size, number)
        assert max(map(len, payloads)) <= size
        # As FFmpeg's packetizer has it, whose parts are others.
        assert codec.join(payloads) == codec.join(frame.payloads)


@pytest.mark.parametrize("name", ENCODERS)
def test_receivers_know_key_frames(name: str) -> None:
    codec = format_of(name)
    for frame in frames_of(name):
        contents = [codec.content(p) for p in codec.split(frame.data, MAX_PAYLOAD, 1)]
        assert (Content.KEY_PICTURE in contents) == frame.is_key
        assert contents.count(Content.KEY_PICTURE) <= 1


@pytest.mark.parametrize("name", ["vp8", "vp9"])
def test_pictures_are_numbered(name: str) -> None:
    """RFC 7741 section 4.2, RFC 9628 section 4.2: PictureID wraps at 15 bits."""
    codec = format_of(name)
    found = []
    for number, frame in enumerate(frames_of(name)[:3], 0x7FFF):
        for payload in codec.split(frame.data, MAX_PAYLOAD, number):
            picture = codec.frame_numbers(payload, 0)[0]
            assert picture is not None
            found.append(picture.value)
    assert list(dict.fromkeys(found)) == [0x7FFF, 0, 1]


def test_vp9_says_which_pictures_are_predicted() -> None:
    """RFC 9628 section 4.2: browsers take a picture without P for a key frame."""
    for frame in frames_of("vp9"):
        for payload in format_of("vp9").split(frame.data, MAX_PAYLOAD, 1):
            assert bool(payload[0] & 0x40) != frame.is_key


def test_av1_says_where_a_sequence_begins() -> None:
    """RTP payload section 4.4: N, in the first packet."""
    for frame in frames_of("av1"):
        first, *others = format_of("av1").split(frame.data, MAX_PAYLOAD, 1)
        assert bool(first[0] & 0x08) == frame.is_key
        assert not any(payload[0] & 0x08 for payload in others)


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        *((name, b"") for name in ENCODERS),
        ("h264", b"no start code"),
        ("h265", b"\0\0\1"),
        ("av1", b"\x12\0"),  # a temporal delimiter
        ("av1", b"\x32\x05ab"),
        ("av1", b"\x32\xff\xff"),
        ("av1", b"\x04"),
    ],
)
def test_what_is_no_frame(name: str, frame: bytes) -> None:
    with pytest.raises(BitstreamError):
        format_of(name).split(frame, MAX_PAYLOAD, 1)


@pytest.mark.parametrize("name", ENCODERS)
@given(frame=st.binary(max_size=60), size=st.integers(8, 40))
def test_anything_is_split_or_refused(name: str, frame: bytes, size: int) -> None:
    with suppress(BitstreamError):
        payloads = format_of(name).split(frame, size, 1)
        assert payloads
        assert max(map(len, payloads)) <= size


def assembled(payloads: list[bytes]) -> list[bytes]:
    """The NAL units of payloads in mode 1 of RFC 6184, fragments put together."""
    units: list[bytes] = []
    for payload in payloads:
        if payload[0] & 0x1F != 28:
            units.append(payload)
            continue
        indicator, header = payload[0], payload[1]
        if header & 0x80:
            units.append(bytes((indicator & 0xE0 | header & 0x1F,)))
        units[-1] += payload[2:]
    return units


@pytest.mark.parametrize("size", [1, 1180, 1181, 2000, 2357, 2358, 50_000])
def test_nal_units_are_fragmented_and_come_back(size: int) -> None:
    # Without zeros there are no start codes in it.
    body = bytes(random.Random(size).choices(range(1, 256), k=size))
    units = [b"\x67sps", b"\x68pps", b"\x65" + body]
    frame = b"".join(_START_CODE + unit for unit in units[:2]) + b"\0\0\1" + units[2]
    payloads = format_of("h264").split(frame, 1180, 0)
    assert assembled(payloads) == units
    assert max(map(len, payloads)) <= 1180
    flags = [payload[1] & 0xC0 for payload in payloads if payload[0] & 0x1F == 28]
    assert flags == [0x80, *[0] * (len(flags) - 2), 0x40][: len(flags)]
