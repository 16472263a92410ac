from collections.abc import Sequence

import pytest

from tests.bit_writer import BitWriter
from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import check_key_frames, parameters_of
from whipbird.rtp.codecs import Content, VideoParameters, vp9


def write_frame(
    *,
    profile: int = 0,
    color: str = "010 0",
    frame_type: str = "0",
    show_existing: str = "0",
    sync_code: int = 0x498342,
    size: tuple[int, int] = (640, 360),
) -> bytes:
    """The beginning of an uncompressed header (VP9 section 6.2)."""
    writer = BitWriter().flags("10").write(profile & 1, 1).write(profile >> 1, 1)
    writer.flags("0" if profile == 3 else "").flags(show_existing + frame_type + "10")
    writer.write(sync_code, 24).flags(color)
    return writer.write(size[0] - 1, 16).write(size[1] - 1, 16).octets() + bytes(8)


KEY_FRAME = write_frame()
OTHER_FRAME = write_frame(frame_type="1")

# The flags of a descriptor (RFC 9628 section 4.2).
ID, P, L, F, B, E, V, Z = (0x80 >> bit for bit in range(8))


def structure(
    resolutions: Sequence[tuple[int, int]] = (),
    groups: Sequence[int] | None = None,
    layers: int = 1,
) -> bytes:
    """A scalability structure (RFC 9628 section 4.2.1).

    Args:
        groups: how many references each picture of a group has.
    """
    layers = len(resolutions) or layers
    octets = bytearray([layers - 1 << 5 | bool(resolutions) << 4])
    for width, height in resolutions:
        octets += width.to_bytes(2) + height.to_bytes(2)
    if groups is not None:
        octets[0] |= 0x08
        octets.append(len(groups))
        for references in groups:
            octets += bytes([references << 2]) + bytes(range(references))
    return bytes(octets)


@pytest.mark.parametrize(
    ("size", "pixels", "profile", "chroma"),
    [
        ((176, 144), "yuv420p", "Profile 0", "4:2:0"),
        ((641, 361), "yuv420p", "Profile 0", "4:2:0"),
        ((175, 143), "yuv422p", "Profile 1", "4:2:2"),
        ((175, 143), "yuv440p", "Profile 1", "4:4:0"),
        ((175, 143), "yuv444p", "Profile 1", "4:4:4"),
        ((175, 143), "gbrp", "Profile 1", "4:4:4"),
    ],
)
def test_libvpx(size: tuple[int, int], pixels: str, profile: str, chroma: str) -> None:
    frames = encode_video("libvpx-vp9", *size, pixels=pixels)
    # FFmpeg leaves P unset in every packet: the frames tell the difference.
    assert all(frame.payloads[0][0] & (B | P) == B for frame in frames)
    check_key_frames(vp9, frames)
    assert parameters_of(vp9, frames) == {
        VideoParameters(*size, profile=profile, bit_depth=8, chroma=chroma)
    }


@pytest.mark.parametrize(
    "descriptor",
    [
        bytes([B]),
        bytes([B | E]),
        bytes([B | Z]),
        bytes([ID | B, 0x05]),
        bytes([ID | B, 0x85, 0x39]),
        # Layer indices: temporal 2, up switch, spatial 0; TL0PICIDX without F.
        bytes([L | B, 0x50, 0x77]),
        bytes([L | F | B, 0x50]),
        bytes([ID | L | F | B | E, 0xFF, 0xFF, 0x00]),
        bytes([F | B]),
        bytes([V | B]) + structure(),
        bytes([V | B]) + structure(groups=[]),
        bytes([ID | L | B | V, 0xFF, 0xFF, 0x00, 0x77]) + structure(groups=[0, 1, 3]),
    ],
    ids=bytes.hex,
)
def test_every_descriptor_is_passed_over(descriptor: bytes) -> None:
    assert vp9.content(descriptor + KEY_FRAME) is Content.KEY_PICTURE
    assert vp9.content(descriptor + OTHER_FRAME) is not Content.KEY_PICTURE
    assert vp9.read_parameters(descriptor + OTHER_FRAME) is None
    assert vp9.read_parameters(descriptor + KEY_FRAME) == VideoParameters(
        640, 360, profile="Profile 0", bit_depth=8, chroma="4:2:0"
    )


@pytest.mark.parametrize(
    "descriptor",
    [
        b"",
        # Not the beginning; predicted; flexible, with one to three references.
        bytes([0]),
        bytes([E]),
        bytes([P | B]),
        bytes([P | F | B, 0x02]),
        bytes([P | F | B, 0x03, 0x05, 0x06]),
        # A higher spatial layer of a key picture, dependent or not.
        bytes([L | B, 0x03, 0x77]),
        bytes([L | F | B, 0x02]),
        bytes([L | F | B, 0x0E]),
    ],
    ids=bytes.hex,
)
def test_where_no_key_frame_starts(descriptor: bytes) -> None:
    payload = descriptor + (KEY_FRAME if descriptor else b"")
    assert vp9.content(payload) is not Content.KEY_PICTURE
    assert vp9.read_parameters(payload) is None


@pytest.mark.parametrize(
    "frame",
    [
        write_frame(frame_type="1"),
        write_frame(show_existing="1"),
        b"\x42" + KEY_FRAME[1:],
        b"",
    ],
    ids=["inter", "shown again", "no marker", "cut"],
)
def test_the_frame_decides_too(frame: bytes) -> None:
    assert vp9.content(bytes([B]) + frame) is not Content.KEY_PICTURE
    assert vp9.read_parameters(bytes([B]) + frame) is None


def test_a_structure_says_the_size_of_the_highest_layer() -> None:
    resolutions = [(320, 180), (640, 360), (1280, 720)]
    descriptor = bytes([ID | L | V | B, 0x85, 0x39, 0x00, 0x01])
    payload = descriptor + structure(resolutions, [1, 2]) + KEY_FRAME
    assert vp9.content(payload) is Content.KEY_PICTURE
    assert vp9.read_parameters(payload) == VideoParameters(
        1280, 720, profile="Profile 0", bit_depth=8, chroma="4:2:0"
    )


@pytest.mark.parametrize(
    "descriptor",
    [
        bytes([V | B | P]),
        bytes([V | E]),
        bytes([L | F | V | B, 0x02]),
        bytes([F | P | V | B, 0x03, 0x05, 0x07]),
    ],
    ids=bytes.hex,
)
def test_a_structure_without_a_key_frame_says_the_size(descriptor: bytes) -> None:
    payload = descriptor + structure([(320, 180), (640, 360)]) + OTHER_FRAME
    assert vp9.content(payload) is not Content.KEY_PICTURE
    assert vp9.read_parameters(payload) == VideoParameters(640, 360)


@pytest.mark.parametrize("descriptor", [bytes([V | P | B]), bytes([V | B])])
def test_a_structure_cut_short_says_nothing(descriptor: bytes) -> None:
    payload = descriptor + structure([(320, 180), (640, 360)], [3, 3])
    for end in range(len(payload)):
        assert vp9.content(payload[:end]) is not Content.KEY_PICTURE
        assert vp9.read_parameters(payload[:end]) is None


@pytest.mark.parametrize(
    ("profile", "color", "bit_depth", "chroma"),
    [
        (0, "010 0", 8, "4:2:0"),
        (1, "010 0 10 0", 8, "4:2:2"),
        (1, "010 0 01 0", 8, "4:4:0"),
        (1, "010 0 00 0", 8, "4:4:4"),
        (1, "111 0", 8, "4:4:4"),
        (2, "0 010 1", 10, "4:2:0"),
        (2, "1 010 1", 12, "4:2:0"),
        (3, "0 010 0 10 0", 10, "4:2:2"),
        (3, "1 111 0", 12, "4:4:4"),
    ],
)
def test_profiles(profile: int, color: str, bit_depth: int, chroma: str) -> None:
    frame = write_frame(profile=profile, color=color)
    assert vp9.content(bytes([B]) + frame) is Content.KEY_PICTURE
    assert vp9.read_parameters(bytes([B]) + frame) == VideoParameters(
        640, 360, profile=f"Profile {profile}", bit_depth=bit_depth, chroma=chroma
    )


def test_a_key_frame_has_a_sync_code() -> None:
    payload = bytes([B]) + write_frame(sync_code=0x498343)
    assert vp9.read_parameters(payload) is None
