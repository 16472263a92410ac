"""The numbers of frames where the source changes."""

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from whipbird.rtp.frame_numbers import Renumbering

FRAME = b"\x11\x02\x00"


def vp8(
    picture: int | None, base: int | None = None, key: int | None = None
) -> VpxPayloadDescriptor:
    """A descriptor, as another implementation writes and reads it."""
    return VpxPayloadDescriptor(
        1, 0, picture_id=picture, tl0picidx=base, tid=(1, 1), keyidx=key
    )


def applied(to: Renumbering, payload: bytes) -> bytes:
    packet = bytearray(b"head" + payload)
    to.apply(packet, 4)
    assert packet[:4] == b"head"
    return bytes(packet[4:])


def renumbered(
    to: Renumbering, descriptor: VpxPayloadDescriptor
) -> tuple[int | None, int | None, int | None]:
    data = applied(to, bytes(descriptor) + FRAME)
    found, rest = VpxPayloadDescriptor.parse(data)
    # Nothing else is touched.
    assert rest == FRAME
    assert found.tid == descriptor.tid
    return found.picture_id, found.tl0picidx, found.keyidx


def switch(
    to: Renumbering, first: VpxPayloadDescriptor, before: VpxPayloadDescriptor
) -> None:
    to.switch("vp8", bytes(first), bytes(before))


def test_the_first_source_is_left_alone() -> None:
    numbers = Renumbering()
    numbers.switch("vp8", bytes(vp8(5, 6, 7)), b"")
    assert not numbers.is_needed
    assert renumbered(numbers, vp8(6, 7, 7)) == (6, 7, 7)


def test_one_source_after_another() -> None:
    numbers = Renumbering()
    numbers.switch("vp8", bytes(vp8(500, 6, 7)), b"")
    switch(numbers, vp8(1000, 100, 30), before=vp8(520, 16, 8))
    assert numbers.is_needed
    assert renumbered(numbers, vp8(1000, 100, 30)) == (521, 17, 9)
    assert renumbered(numbers, vp8(1001, 100, 30)) == (522, 17, 9)
    # The next one goes on from what was sent, not from what had come.
    switch(numbers, vp8(0x7FFF, 255, 31), before=vp8(1001, 101, 31))
    assert renumbered(numbers, vp8(0x7FFF, 255, 31)) == (523, 19, 11)
    assert renumbered(numbers, vp8(0, 0, 0)) == (524, 20, 12)


def test_numbers_begin_again_after_the_largest() -> None:
    numbers = Renumbering()
    numbers.switch("vp8", bytes(vp8(0x7FF0, 250, 31)), b"")
    switch(numbers, vp8(300, 1, 1), before=vp8(0x7FFF, 255, 31))
    assert renumbered(numbers, vp8(300, 1, 1)) == (0, 0, 0)


def test_a_source_that_does_not_number() -> None:
    numbers = Renumbering()
    numbers.switch("vp8", bytes(vp8(500, 6, 7)), b"")
    switch(numbers, vp8(None), before=vp8(520, 16, 8))
    assert not numbers.is_needed
    switch(numbers, vp8(40, 50, 3), before=vp8(None))
    assert renumbered(numbers, vp8(40, 50, 3)) == (40, 50, 3)


def test_short_numbers() -> None:
    """Of 7 bits, which the other implementation does not write."""
    numbers = Renumbering()
    numbers.switch("vp8", b"\x90\x80\x64", b"")
    numbers.switch("vp8", b"\x90\x80\x03", b"\x90\x80\x7e")
    assert applied(numbers, b"\x90\x80\x03" + FRAME) == b"\x90\x80\x7f" + FRAME
    assert applied(numbers, b"\x90\x80\x04" + FRAME) == b"\x90\x80\x00" + FRAME


@pytest.mark.parametrize("codec", ["h264", "av1", "vp9"])
def test_another_codec_is_another_matter(codec: str) -> None:
    numbers = Renumbering()
    numbers.switch("vp8", bytes(vp8(500, 6, 7)), b"")
    numbers.switch(codec, b"\x80\x85\x00\x00", bytes(vp8(520, 16, 8)))
    assert not numbers.is_needed
    assert applied(numbers, b"\x80\x85\x00\x00") == b"\x80\x85\x00\x00"


def vp9(picture: int, base: int) -> bytes:
    """RFC 9628 section 4.2: I, L, B and E; a PictureID of 15 bits, TL0PICIDX."""
    return bytes([0xAC, 0x80 | picture >> 8, picture & 0xFF, 0x21, base]) + FRAME


def test_vp9() -> None:
    numbers = Renumbering()
    numbers.switch("vp9", vp9(0x1234, 9), b"")
    numbers.switch("vp9", vp9(3, 200), vp9(0x12FF, 20))
    assert applied(numbers, vp9(3, 200)) == vp9(0x1300, 21)
    assert applied(numbers, vp9(4, 201)) == vp9(0x1301, 22)


def test_flexible_mode_of_vp9() -> None:
    """There is no TL0PICIDX (F is set), and PictureID may be short."""
    numbers = Renumbering()
    numbers.switch("vp9", b"\xbc\x05\x21\x07", b"")
    numbers.switch("vp9", b"\xbc\x60\x21\x07", b"\xbc\x06\x21\x07")
    assert applied(numbers, b"\xbc\x60\x21\x07") == b"\xbc\x07\x21\x07"


@given(st.sampled_from(["vp8", "vp9"]), *[st.binary(max_size=8)] * 3)
def test_any_octets_will_do(
    codec: str, first: bytes, before: bytes, payload: bytes
) -> None:
    numbers = Renumbering()
    numbers.switch(codec, b"\xff\x80\x00\x00\x00\x00", b"")
    numbers.switch(codec, first, before)
    assert len(applied(numbers, payload)) == len(payload)
