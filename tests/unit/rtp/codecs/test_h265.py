import base64

import pytest

from tests.bit_writer import BitWriter, escape
from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import check_key_frames, parameters_of
from whipbird.rtp.codecs import Content, VideoParameters, h265


def nal(kind: int, body: bytes, layer: int = 0) -> bytes:
    """A NAL unit of temporal id 0 (RFC 7798 section 1.1.4)."""
    return bytes([kind << 1 | layer >> 5, (layer & 0x1F) << 3 | 1]) + body


# The first bit of a slice segment is set where a picture begins.
IDR = nal(19, b"\xaf\x09\x40")
CRA = nal(21, b"\xaf\x09\x40")
BLA = nal(16, b"\xaf\x09\x40")
LATER_IDR_SEGMENT = nal(19, b"\x2f\x09\x40")
TRAIL = nal(1, b"\xd0\x09\x40")
RASL = nal(9, b"\xe0\x09\x40")
AUD = nal(35, b"\x50")
RECOVERY_POINT = nal(39, b"\x06\x01\xd0\x80")
SEI = nal(39, b"\x05\x01\x00\x80")
VPS = nal(32, b"\x0c\x01\xff\xff")
PPS = nal(34, b"\xc1\x72\xb4\x62")

# general_profile_idc 1, Main tier, level 4.1, no other constraints.
MAIN = (1, 0, 0, 123)


def write_sps(
    *,
    general: tuple[int, int, int, int] = MAIN,
    sub_layers: str = "",
    chroma: str = "010",
    size: tuple[int, int] = (1280, 720),
    window: tuple[int, int, int, int] | None = None,
    bit_depth: int = 8,
    layer: int = 0,
) -> bytes:
    """An SPS (H.265 section 7.3.2.2.1).

    Args:
        general: profile_idc, tier, the flags from max_12bit to intra, level_idc.
        sub_layers: for each, whether profile ("1x") and level ("x1") are present.
        chroma: the bits of chroma_format_idc and separate_colour_plane_flag.
    """
    profile_idc, tier, constraints, level_idc = general
    present = sub_layers.split()
    writer = BitWriter().write(0, 4).write(len(present), 3).flags("1")
    writer.write(0, 2).write(tier, 1).write(profile_idc, 5).write(0x60000000, 32)
    writer.write(0b1001, 4).write(constraints, 7).write(0, 37).write(level_idc, 8)
    if present:
        writer.flags(sub_layers).write(0, 2 * (8 - len(present)))
    for flags in present:
        writer.flags("1" * 88 * int(flags[0]) + "01" * 4 * int(flags[1]))
    writer.ue(0).flags(chroma).ue(*size)
    writer.flags("1" if window else "0").ue(*window or ())
    writer.ue(bit_depth - 8, bit_depth - 8)
    return nal(33, escape(writer.octets()), layer)


SPS = write_sps()


def aggregate(*nals: bytes) -> bytes:
    return nal(48, b"".join(len(unit).to_bytes(2) + unit for unit in nals))


def fragment(unit: bytes, size: int, layer: int = 0) -> list[bytes]:
    kind, body = unit[0] >> 1, unit[2:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    flags = [0x80] + [0] * (len(parts) - 2) + [0x40]
    return [
        nal(49, bytes([flag | kind]) + part, layer)
        for flag, part in zip(flags, parts, strict=True)
    ]


@pytest.mark.parametrize(
    ("size", "pixels", "parameters", "expected"),
    [
        ((178, 98), "yuv420p", "level-idc=3.1", ("Main", "3.1", "Main", 8, "4:2:0")),
        (
            (640, 360),
            "yuv420p",
            "level-idc=5.1:high-tier=1",
            ("Main", "5.1", "High", 8, "4:2:0"),
        ),
        (
            (178, 98),
            "yuv420p",
            "level-idc=4:high-tier=0:temporal-layers=3",
            ("Main", "4.0", "Main", 8, "4:2:0"),
        ),
        (
            (178, 98),
            "yuv420p10le",
            "level-idc=3",
            ("Main 10", "3.0", "Main", 10, "4:2:0"),
        ),
        (
            (178, 98),
            "yuv420p12le",
            "level-idc=3",
            ("Main 12", "3.0", "Main", 12, "4:2:0"),
        ),
        (
            (178, 99),
            "yuv422p10le",
            "level-idc=3",
            ("Main 4:2:2 10", "3.0", "Main", 10, "4:2:2"),
        ),
        (
            (177, 99),
            "yuv444p",
            "level-idc=3",
            ("Main 4:4:4", "3.0", "Main", 8, "4:4:4"),
        ),
        (
            (177, 99),
            "yuv444p12le",
            "level-idc=3",
            ("Main 4:4:4 12", "3.0", "Main", 12, "4:4:4"),
        ),
        (
            (178, 98),
            "gray",
            "level-idc=3",
            ("Monochrome", "3.0", "Main", 8, "4:0:0"),
        ),
    ],
)
def test_x265(
    size: tuple[int, int],
    pixels: str,
    parameters: str,
    expected: tuple[str, str, str, int, str],
) -> None:
    options = (("x265-params", f"log-level=none:{parameters}"),)
    frames = encode_video("libx265", *size, pixels=pixels, options=options)
    check_key_frames(h265, frames)
    profile, level, tier, bit_depth, chroma = expected
    assert parameters_of(h265, frames) == {
        VideoParameters(
            *size,
            profile=profile,
            level=level,
            tier=tier,
            bit_depth=bit_depth,
            chroma=chroma,
        )
    }


def test_x265s_later_key_frames_are_cras() -> None:
    frames = encode_video("libx265", 178, 98)
    check_key_frames(h265, frames)
    starts = [
        payload[2] & 0x3F
        for frame in frames
        for payload in frame.payloads
        if payload[0] >> 1 == 49 and h265.content(payload) is Content.KEY_PICTURE
    ]
    assert starts == [20, 21]


@pytest.mark.parametrize(
    "payload",
    [
        IDR,
        CRA,
        BLA,
        aggregate(SEI, IDR),
        aggregate(VPS, SPS, PPS, RECOVERY_POINT, TRAIL),
        # The shortest that can be judged, and longer and emptier units before it.
        nal(19, b"\x80\x00"),
        fragment(IDR, 1)[0],
        aggregate(IDR[:3]),
        aggregate(SEI * 60, IDR),
        aggregate(b"", b"\x26", b"\x26\x01", IDR),
        fragment(IDR, 2)[0],
    ],
    ids=bytes.hex,
)
def test_where_a_viewer_can_start(payload: bytes) -> None:
    assert h265.content(payload) is Content.KEY_PICTURE


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        VPS[:3],
        fragment(IDR, 2)[0][:3],
        TRAIL,
        RASL,
        AUD,
        SEI,
        PPS,
        # Type 24 is reserved for pictures that are no IRAP.
        nal(24, b"\xaf\x09\x40"),
        LATER_IDR_SEGMENT,
        nal(19, b"\xaf\x09\x40", layer=1),
        nal(19, b"\xaf\x09\x40", layer=32),
        write_sps(layer=1),
        aggregate(),
        aggregate(TRAIL, TRAIL),
        aggregate(LATER_IDR_SEGMENT, LATER_IDR_SEGMENT),
        aggregate(TRAIL, write_sps(layer=1)),
        aggregate(TRAIL, SPS)[:-1],
        fragment(TRAIL, 2)[0],
        fragment(LATER_IDR_SEGMENT, 2)[0],
        fragment(SPS, 8, layer=1)[0],
        *fragment(nal(19, b"\xaf\x09\x40" * 3), 2)[1:],
    ],
    ids=bytes.hex,
)
def test_where_no_viewer_can_start(payload: bytes) -> None:
    assert h265.content(payload) is not Content.KEY_PICTURE
    assert h265.read_parameters(payload) is None


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        (VPS, Content.HEADERS),
        (aggregate(VPS, SPS, PPS), Content.HEADERS),
        (aggregate(AUD, VPS, SPS, PPS), Content.HEADERS),
        (AUD, Content.DELIMITER),
        (SEI, Content.HEADERS),
        (RECOVERY_POINT, Content.RECOVERY_POINT),
        (TRAIL, Content.PICTURE),
        (fragment(SPS, 4)[0], Content.HEADERS),
        (fragment(IDR, 2)[1], Content.PICTURE),
        *[(nal(kind, b"\xff" * 9), Content.HEADERS) for kind in (41, 47, 50, 63)],
    ],
)
def test_contents(payload: bytes, content: Content) -> None:
    assert h265.content(payload) is content


def test_parameter_sets_are_told_by_their_ids() -> None:
    found = {(32, 0): VPS, (33, 0): SPS, (34, 0): PPS}
    assert h265.parameter_sets(aggregate(AUD, VPS, SPS, PPS, IDR)) == found
    assert h265.parameter_sets(write_sps(layer=1)) == {}
    assert h265.parameter_sets(b"") == {}
    value = {
        "sprop-vps": base64.b64encode(VPS).decode(),
        "sprop-sps": base64.b64encode(SPS).decode(),
        "sprop-pps": base64.b64encode(PPS).decode(),
    }
    assert h265.offered_parameter_sets(value) == found


@pytest.mark.parametrize(
    "payload",
    [
        SPS,
        aggregate(VPS, write_sps(size=(320, 180), layer=1), SPS, PPS),
        fragment(SPS + bytes(60), 40)[0],
    ],
    ids=["single", "aggregated", "fragmented"],
)
def test_the_sps_is_found(payload: bytes) -> None:
    assert h265.read_parameters(payload) == VideoParameters(
        1280,
        720,
        profile="Main",
        level="4.1",
        tier="Main",
        bit_depth=8,
        chroma="4:2:0",
    )


@pytest.mark.parametrize(
    ("profile_idc", "constraints", "name"),
    [
        # H.265 table A.2: the flags from general_max_12bit_constraint_flag on.
        (1, 0b0000000, "Main"),
        (2, 0b0000000, "Main 10"),
        (3, 0b0000000, "Main Still Picture"),
        (4, 0b1111110, "Monochrome"),
        (4, 0b1001110, "Monochrome 12"),
        (4, 0b0001110, "Monochrome 16"),
        (4, 0b1001100, "Main 12"),
        (4, 0b1101000, "Main 4:2:2 10"),
        (4, 0b1001000, "Main 4:2:2 12"),
        (4, 0b1110000, "Main 4:4:4"),
        (4, 0b1100000, "Main 4:4:4 10"),
        (4, 0b1000000, "Main 4:4:4 12"),
        (4, 0b1111101, "Main Intra"),
        (4, 0b0000001, "Main 4:4:4 16 Intra"),
        (9, 0b0000000, None),
    ],
)
def test_profiles(profile_idc: int, constraints: int, name: str | None) -> None:
    sps = write_sps(general=(profile_idc, 1, constraints, 90))
    parameters = h265.read_parameters(sps)
    assert parameters is not None
    assert parameters.profile == name
    assert parameters.tier == "High"
    assert parameters.level == "3.0"


@pytest.mark.parametrize("sub_layers", ["00", "01", "10 11", "11 00 01 10 11 00"])
def test_sub_layers_are_passed_over(sub_layers: str) -> None:
    parameters = h265.read_parameters(write_sps(sub_layers=sub_layers))
    assert parameters is not None
    assert (parameters.width, parameters.height) == (1280, 720)
    assert parameters.level == "4.1"


@pytest.mark.parametrize(
    ("bits", "chroma", "size"),
    [
        ("1", "4:0:0", (157, 153)),
        ("010", "4:2:0", (154, 146)),
        ("011", "4:2:2", (154, 153)),
        ("00100 0", "4:4:4", (157, 153)),
        ("00100 1", "4:4:4", (157, 153)),
    ],
)
def test_the_conformance_window(bits: str, chroma: str, size: tuple[int, int]) -> None:
    sps = write_sps(chroma=bits, size=(160, 160), window=(1, 2, 3, 4), bit_depth=10)
    parameters = h265.read_parameters(sps)
    assert parameters is not None
    assert (parameters.width, parameters.height) == size
    assert parameters.chroma == chroma
    assert parameters.bit_depth == 10


@pytest.mark.parametrize(
    "sps",
    [
        SPS[:18],
        write_sps(chroma="00101"),
        write_sps(size=(0, 720)),
        write_sps(size=(70000, 720)),
        write_sps(window=(640, 0, 0, 0)),
        write_sps(bit_depth=17),
    ],
    ids=["cut", "chroma", "empty", "wide", "cropped", "depth"],
)
def test_what_no_sps_can_say(sps: bytes) -> None:
    assert h265.content(sps) is Content.HEADERS
    assert h265.read_parameters(sps) is None
