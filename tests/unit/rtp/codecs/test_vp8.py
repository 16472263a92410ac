from fractions import Fraction

import pytest
from aiortc.codecs.vpx import Vp8Encoder, VpxPayloadDescriptor
from av.packet import Packet

from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import check_key_frames, parameters_of
from whipbird.rtp.codecs import Content, VideoParameters, vp8

# RFC 6386 section 9.1: the tag of a shown key frame of version 0, the start code,
# 640 x 360, and the beginning of the first partition.
KEY_FRAME = bytes.fromhex("10 02 00 9d 01 2a 80 02 68 01 00 00")
OTHER_FRAME = bytes.fromhex("11 02 00 9d 01 2a 80 02 68 01 00 00")

DESCRIPTORS = [
    VpxPayloadDescriptor(1, 0),
    VpxPayloadDescriptor(1, 0, picture_id=5),
    VpxPayloadDescriptor(1, 0, tl0picidx=17),
    VpxPayloadDescriptor(1, 0, tid=(0, 1)),
    VpxPayloadDescriptor(1, 0, keyidx=31),
    VpxPayloadDescriptor(1, 0, picture_id=0x7FFF, tl0picidx=255, tid=(3, 1), keyidx=3),
]


@pytest.mark.parametrize("size", [(176, 144), (175, 143), (641, 361)])
def test_libvpx(size: tuple[int, int]) -> None:
    frames = encode_video("libvpx", *size)
    check_key_frames(vp8, frames)
    assert parameters_of(vp8, frames) == {
        VideoParameters(*size, profile="Profile 0", bit_depth=8, chroma="4:2:0")
    }


def test_aiortcs_packetizer() -> None:
    for frame in encode_video("libvpx", 178, 98):
        packet = Packet(frame.data)
        packet.pts, packet.time_base = 0, Fraction(1, 30)
        payloads, _ = Vp8Encoder().pack(packet)
        assert (vp8.content(payloads[0]) is Content.KEY_PICTURE) == frame.is_key
        contents = {vp8.content(payload) for payload in payloads[1:]}
        assert contents <= {Content.PICTURE}


def test_libvpx_names_its_profile() -> None:
    frames = encode_video("libvpx", 176, 144, options=(("profile", "3"),))
    assert {found.profile for found in parameters_of(vp8, frames)} == {"Profile 3"}


@pytest.mark.parametrize("descriptor", DESCRIPTORS, ids=repr)
def test_every_descriptor_is_passed_over(descriptor: VpxPayloadDescriptor) -> None:
    assert vp8.content(bytes(descriptor) + KEY_FRAME) is Content.KEY_PICTURE
    assert vp8.content(bytes(descriptor) + OTHER_FRAME) is not Content.KEY_PICTURE
    assert vp8.read_parameters(bytes(descriptor) + OTHER_FRAME) is None
    assert vp8.read_parameters(bytes(descriptor) + KEY_FRAME) == VideoParameters(
        640, 360, profile="Profile 0", bit_depth=8, chroma="4:2:0"
    )


def test_a_picture_id_may_have_seven_bits() -> None:
    assert vp8.content(b"\x90\x80\x7f" + KEY_FRAME) is Content.KEY_PICTURE
    assert vp8.content(b"\x90\x80\x7f" + OTHER_FRAME) is not Content.KEY_PICTURE


def test_reserved_bits_of_the_extension_say_nothing() -> None:
    assert vp8.content(b"\x90\x8f\x05" + KEY_FRAME) is Content.KEY_PICTURE
    assert vp8.content(b"\x90\x0f" + KEY_FRAME) is Content.KEY_PICTURE
    assert vp8.content(b"\x90\x8f\x05" + OTHER_FRAME) is not Content.KEY_PICTURE


def test_the_shortest_key_frame() -> None:
    payload = b"\x10" + KEY_FRAME[:10]
    assert vp8.content(payload) is Content.KEY_PICTURE
    found = vp8.read_parameters(payload)
    assert found is not None
    assert (found.width, found.height) == (640, 360)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x10",
        # S is not set; another partition; both.
        b"\x00" + KEY_FRAME,
        b"\x11" + KEY_FRAME,
        b"\x07" + KEY_FRAME,
    ],
    ids=bytes.hex,
)
def test_where_no_key_frame_starts(payload: bytes) -> None:
    assert vp8.content(payload) is not Content.KEY_PICTURE
    assert vp8.read_parameters(payload) is None


def test_a_frame_that_need_not_be_kept_can_be_a_key_frame() -> None:
    # N (non-reference) and the reserved bits say nothing.
    assert vp8.content(b"\x78" + KEY_FRAME) is Content.KEY_PICTURE


def test_the_scale_is_no_part_of_the_size() -> None:
    header = KEY_FRAME[:6] + bytes.fromhex("80 42 68 c1") + bytes(2)
    found = vp8.read_parameters(b"\x10" + header)
    assert found is not None
    assert (found.width, found.height) == (640, 360)


@pytest.mark.parametrize(
    "header",
    [
        KEY_FRAME.replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b"),
        KEY_FRAME.replace(b"\x80\x02", b"\x00\x00"),
    ],
    ids=["start code", "empty"],
)
def test_what_no_key_frame_can_say(header: bytes) -> None:
    assert vp8.read_parameters(b"\x10" + header) is None


def test_a_header_cut_off_by_a_long_descriptor() -> None:
    payload = bytes(DESCRIPTORS[-1]) + KEY_FRAME[:9]
    assert len(payload) > 11
    assert vp8.read_parameters(payload) is None
