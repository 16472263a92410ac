from dataclasses import replace

import pytest

from tests.bit_writer import BitWriter
from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import check_key_frames, parameters_of
from whipbird.rtp.codecs import Content, VideoParameters, av1

# Flags of the aggregation header (RTP payload section 4.4); W is a number.
Z, Y, N = 0x80, 0x40, 0x08

FRAME = KEY = b"\x30\x10\x00\x00"
# Others (AV1 section 5.9.2): show_existing_frame, frame_type, show_frame.
INTER = b"\x30\x30\x00\x00"
HIDDEN_KEY = b"\x30\x00\x00\x00"
SHOWN_AGAIN = b"\x18\x80\x00\x00"
TILE_GROUP = b"\x20\x10\x00\x00"

# operating_point_idc, seq_level_idx 8 (level 4.0), Main tier.
LEVEL_4 = "000000000000 01000 0"

# num_units_in_display_tick and time_scale; num_units_in_decoding_tick.
TIMING = f"{1:032b} {30:032b}"
DECODING = f"{1:032b}"


def write_sequence_header(
    *,
    profile: int = 0,
    points: str = f"0 0 00000 {LEVEL_4}",
    size: tuple[int, int] = (1280, 720),
    tools: str = "0 000 0000 0 1 1 000",
    color: str = "0 0 0 0 00",
) -> bytes:
    """The content of a sequence header OBU (AV1 section 5.5.1).

    Args:
        points: from timing_info_present_flag to the operating points.
        tools: from frame_id_numbers_present_flag to enable_restoration.
        color: color_config() for 4:2:0 of 8 bits.
    """
    writer = BitWriter().write(profile, 3).flags("00" + points)
    writer.write(15, 4).write(15, 4).write(size[0] - 1, 16).write(size[1] - 1, 16)
    return writer.flags(tools).flags(color).octets()


SEQUENCE_HEADER = write_sequence_header()
OBU = b"\x08" + SEQUENCE_HEADER
HD = VideoParameters(
    1280, 720, profile="Main", level="4.0", tier="Main", bit_depth=8, chroma="4:2:0"
)


def packet(flags: int, *elements: bytes, count: int | None = None) -> bytes:
    """Aggregate OBU elements; with a count the last one has no length."""
    octets = bytes([flags | (count or 0) << 4])
    for index, element in enumerate(elements, 1):
        octets += b"" if index == count else leb128(len(element))
        octets += element
    return octets


def leb128(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(octets) + bytes([value])


@pytest.mark.parametrize(
    ("size", "pixels", "bit_depth", "level"),
    [
        ((640, 360), "yuv420p", 8, "3.0"),
        ((178, 98), "yuv420p10le", 10, "4.0"),
        ((175, 143), "yuv420p", 8, "5.1"),
    ],
)
def test_svt(size: tuple[int, int], pixels: str, bit_depth: int, level: str) -> None:
    options = (("svtav1-params", f"level={level.replace('.', '')}"),)
    frames = encode_video("libsvtav1", *size, pixels=pixels, options=options)
    check_key_frames(av1, frames)
    assert parameters_of(av1, frames) == {
        VideoParameters(
            *size,
            profile="Main",
            level=level,
            tier="Main",
            bit_depth=bit_depth,
            chroma="4:2:0",
        )
    }


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (b"", False),
        (bytes([N]), False),
        (packet(N, OBU, KEY, count=2), True),
        (packet(N | Y, OBU, KEY), True),
        # N is not needed, and is not enough.
        (packet(0, OBU, KEY, count=2), True),
        (packet(0, KEY, count=1), True),
        (packet(Y, KEY[:2], count=1), True),
        (packet(N, OBU, INTER, count=2), False),
        (packet(N, OBU, SHOWN_AGAIN, count=2), False),
        (packet(N, OBU, HIDDEN_KEY, count=2), False),
        (packet(N | 7, OBU, count=1), False),
        (bytes([N, 0]), False),
        (packet(0, INTER, count=1), False),
        (packet(Y, INTER, count=1), False),
        (packet(Z, TILE_GROUP), False),
        # N and Z contradict each other.
        (packet(N | Z, OBU, KEY, count=2), False),
        # A layer above the lowest one; an OBU that is all header; a delimiter before.
        (packet(N, OBU, b"\x34\x08" + KEY[1:], count=2), False),
        (packet(N, b"\x04", count=1), False),
        (packet(N, b"\x34", count=1), False),
        (packet(N, b"\x10", OBU, KEY, count=3), True),
    ],
)
def test_where_a_viewer_can_start(payload: bytes, starts: bool) -> None:
    """AV1 section 7.5: a sequence header, and a key frame that is shown."""
    assert (av1.content(payload) is Content.KEY_PICTURE) == starts


def test_headers_have_no_picture() -> None:
    assert av1.content(packet(N, OBU, count=1)) is Content.HEADERS
    assert av1.content(packet(0, b"\x10", count=1)) is Content.HEADERS
    assert av1.content(packet(0, INTER, count=1)) is Content.PICTURE


def test_the_sequence_header_is_kept_if_it_is_whole() -> None:
    assert av1.parameter_sets(packet(N, OBU, KEY, count=2)) == {(1, 0): OBU}
    assert av1.parameter_sets(packet(N | Y, OBU, count=1)) == {}
    assert av1.parameter_sets(packet(0, KEY, count=1)) == {}
    assert av1.parameter_sets(b"") == {}
    [payload] = av1.with_parameter_sets([OBU])
    assert payload == packet(N, OBU, count=1)


@pytest.mark.parametrize(
    "payload",
    [
        packet(N, OBU, count=1),
        packet(N, OBU, FRAME),
        packet(N, OBU, FRAME, count=2),
        packet(N, b"\x12\x00", OBU, FRAME, count=3),
        packet(N, *[FRAME] * 5, OBU),
        # An element before it that has no octets, or two octets of length.
        packet(N, b"", OBU, count=2),
        packet(N, b"\x78" + bytes(127), OBU, count=2),
        packet(N, b"\x78" + bytes(200), OBU, count=2),
        # Reserved bits; a number of more octets than it needs.
        packet(N | 1, OBU, FRAME, count=2),
        packet(N, b"\x09" + SEQUENCE_HEADER, count=1),
        bytes([N, 0x80 | len(OBU)]) + b"\x80" * 6 + b"\x00" + OBU,
        packet(N, b"\x0c\x28" + SEQUENCE_HEADER, FRAME, count=2),
        packet(N, b"\x0a" + leb128(len(SEQUENCE_HEADER)) + SEQUENCE_HEADER, count=1),
        packet(N, b"\x0e\x28" + leb128(len(SEQUENCE_HEADER)) + SEQUENCE_HEADER),
        # It ends in the next packet, but what matters is in this one.
        packet(N | Y, OBU, count=1),
        packet(Z, TILE_GROUP, OBU, count=2),
    ],
    ids=bytes.hex,
)
def test_the_sequence_header_is_found(payload: bytes) -> None:
    assert av1.read_parameters(payload) == HD


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x18",
        packet(0, FRAME, count=1),
        packet(N, FRAME, FRAME),
        # The end of an OBU that happens to look like a sequence header.
        packet(Z, OBU, FRAME, count=2),
        packet(Z, OBU, count=1),
        packet(N, OBU)[:-1],
        packet(N | Y, OBU[:8], count=1),
        bytes([N]) + b"\xff" * 12,
        packet(N, b"\x0a" + b"\xff" * 9),
        packet(N, b"\x0c", count=1),
        # leb128() has at most 8 octets.
        bytes([N, 0x80 | len(OBU)]) + b"\x80" * 7 + b"\x00" + OBU,
    ],
    ids=bytes.hex,
)
def test_where_there_is_no_sequence_header(payload: bytes) -> None:
    assert av1.read_parameters(payload) is None


def read(header: bytes) -> VideoParameters | None:
    return av1.read_parameters(packet(N, b"\x08" + header, FRAME, count=2))


@pytest.mark.parametrize(
    "points",
    [
        # Timing information, with equal intervals: uvlc 2.
        f"1 {TIMING} 1 011 0 0 00000 {LEVEL_4}",
        f"1 {TIMING} 0 0 0 00000 {LEVEL_4}",
        # A decoder model with delays of 5 bits.
        f"1 {TIMING} 0 1 00100 {DECODING} 00000 00000 0 00000 {LEVEL_4}"
        " 1 00000 11111 0",
        f"1 {TIMING} 0 1 00100 {DECODING} 00000 00000 0 00000 {LEVEL_4} 0",
        # An initial display delay.
        f"0 1 00000 {LEVEL_4} 1 0101",
        f"0 1 00000 {LEVEL_4} 0",
        # Three operating points; up to level 3.3 there are no tiers.
        f"0 0 00010 {LEVEL_4} {'1' * 12} 00111 {'0' * 12} 11111 1",
    ],
)
def test_operating_points_are_passed_over(points: str) -> None:
    assert read(write_sequence_header(points=points)) == HD


@pytest.mark.parametrize(
    "tools",
    [
        # Frame ids; order hints; screen content tools: none, forced, chosen.
        "1 0000 000 000 0000 0 1 1 000",
        "0 000 0000 1 00 1 1 111 000",
        "0 000 0000 0 0 0 000",
        "0 000 0000 0 0 1 1 000",
        "0 000 0000 0 1 0 1 000",
        "0 000 0000 1 11 0 1 0 0 111 000",
    ],
)
def test_tools_are_passed_over(tools: str) -> None:
    # The bit after the tools tells when too much or too little is passed over.
    header = write_sequence_header(tools=tools, color="1 0 0 0 00")
    assert read(header) == replace(HD, bit_depth=10)


@pytest.mark.parametrize(
    ("profile", "color", "name", "bit_depth", "chroma"),
    [
        (0, "0 0 0 0 00", "Main", 8, "4:2:0"),
        (0, "1 0 0 0 00", "Main", 10, "4:2:0"),
        (0, "0 1 0 0", "Main", 8, "4:0:0"),
        (1, "0 0 0 0", "High", 8, "4:4:4"),
        (1, f"1 1 {1:08b} {13:08b} {0:08b} 0", "High", 10, "4:4:4"),
        (0, f"1 0 1 {9:08b} {16:08b} {9:08b} 0 00", "Main", 10, "4:2:0"),
        (2, "0 0 0 0 0", "Professional", 8, "4:2:2"),
        (2, "1 0 0 0 0 0", "Professional", 10, "4:2:2"),
        (2, "1 1 0 0 0 11 00", "Professional", 12, "4:2:0"),
        (2, "1 1 0 0 0 10 0", "Professional", 12, "4:2:2"),
        (2, "1 1 0 0 0 0 0", "Professional", 12, "4:4:4"),
        (2, "1 1 1 0 0", "Professional", 12, "4:0:0"),
        (2, f"1 1 0 1 {9:08b} {16:08b} {9:08b} 0 10 0", "Professional", 12, "4:2:2"),
        # sRGB has no more bits; what follows would say 4:2:0.
        (2, f"1 1 0 1 {1:08b} {13:08b} {0:08b} 111", "Professional", 12, "4:4:4"),
    ],
)
def test_profiles(
    profile: int, color: str, name: str, bit_depth: int, chroma: str
) -> None:
    header = write_sequence_header(profile=profile, color=color)
    assert read(header) == VideoParameters(
        1280,
        720,
        profile=name,
        level="4.0",
        tier="Main",
        bit_depth=bit_depth,
        chroma=chroma,
    )


@pytest.mark.parametrize(
    ("bits", "level", "tier"),
    [
        ("00000", "2.0", "Main"),
        ("00111", "3.3", "Main"),
        ("01101 0", "5.1", "Main"),
        ("01101 1", "5.1", "High"),
        ("10111 1", "7.3", "High"),
        ("11000 0", None, "Main"),
        ("11111 0", None, "Main"),
    ],
)
def test_levels(bits: str, level: str | None, tier: str) -> None:
    found = read(write_sequence_header(points=f"0 0 00000 {'0' * 12} {bits}"))
    assert found is not None
    assert (found.level, found.tier) == (level, tier)


def test_a_still_picture_has_a_shorter_header() -> None:
    header = BitWriter().write(0, 3).flags("11").write(5, 5)
    header.write(6, 4).write(6, 4).write(99, 7).write(49, 7)
    header.flags("000 000").flags("0 0 0 0 00")
    assert read(header.octets()) == VideoParameters(
        100, 50, profile="Main", level="3.1", tier="Main", bit_depth=8, chroma="4:2:0"
    )


def test_what_no_sequence_header_can_say() -> None:
    assert read(write_sequence_header(profile=3)) is None
    assert read(write_sequence_header(size=(65536, 720))) is None
