import base64
from fractions import Fraction

import pytest
from aiortc.codecs.h264 import H264Encoder
from av.packet import Packet

from tests.bit_writer import BitWriter, escape
from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import check_key_frames, parameters_of
from whipbird.rtp.codecs import Content, VideoParameters, h264

# NAL units: the headers are type 5 (IDR), 1 (another slice), 7 (SPS), and so on. The
# first slice of a picture has its first bit set.
IDR = b"\x65\x88\x84\x00"
LATER_IDR_SLICE = b"\x65\x12\x84\x00"
SLICE = b"\x41\x9a\x02\x04"
AUD = b"\x09\x10"
INTRA_SLICE = b"\x41\x88\x84\x00"
SEI = b"\x06\x05\x01\x00\x80"
RECOVERY_POINT = b"\x06\x06\x01\x84\x80"
PPS = b"\x68\xce\x3c\x80"


def write_sps(
    *,
    profile_idc: int = 66,
    constraints: int = 0,
    level_idc: int = 31,
    high: BitWriter | None = None,
    order: BitWriter | None = None,
    size: tuple[int, int] = (80, 45),
    is_frame: bool = True,
    cropping: tuple[int, int, int, int] | None = None,
) -> bytes:
    """An SPS (H.264 section 7.3.2.1.1).

    Args:
        high: what only the high profiles have, from chroma_format_idc on.
        order: pic_order_cnt_type and what belongs to it.
        size: in macroblocks and map units.
        cropping: left, right, top, bottom.
    """
    writer = BitWriter()
    writer.write(profile_idc, 8).write(constraints, 8).write(level_idc, 8).ue(0)
    writer.flags(high.bits if high else "").ue(0)
    writer.flags(order.bits if order else "1 1").ue(1).flags("0")
    writer.ue(size[0] - 1, size[1] - 1).flags("1" if is_frame else "00").flags("1")
    writer.flags("1" if cropping else "0").ue(*cropping or ())
    return b"\x67" + escape(writer.flags("0").octets())


SPS = write_sps()


def stap_a(*nals: bytes) -> bytes:
    return b"\x78" + b"".join(len(nal).to_bytes(2) + nal for nal in nals)


def fu_a(nal: bytes, size: int) -> list[bytes]:
    """Fragment a NAL unit."""
    body = nal[1:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    flags = [0x80] + [0] * (len(parts) - 2) + [0x40]
    indicator = nal[0] & 0xE0 | 28
    return [
        bytes([indicator, flag | nal[0] & 0x1F]) + part
        for flag, part in zip(flags, parts, strict=True)
    ]


@pytest.mark.parametrize(
    ("size", "pixels", "options", "expected"),
    [
        (
            (178, 98),
            "yuv420p",
            {"profile": "baseline", "level": "3.1"},
            ("Constrained Baseline", "3.1", 8, "4:2:0"),
        ),
        (
            (640, 360),
            "yuv420p",
            {"profile": "main", "level": "4.0"},
            ("Main", "4.0", 8, "4:2:0"),
        ),
        (
            (178, 98),
            "yuv420p",
            {"profile": "high", "level": "1b"},
            ("High", "1b", 8, "4:2:0"),
        ),
        (
            (178, 98),
            "yuv420p",
            {"profile": "main", "level": "1b"},
            ("Main", "1b", 8, "4:2:0"),
        ),
        (
            (178, 100),
            "yuv420p",
            {"x264-params": "interlaced=1:cqm=jvt", "level": "3.0"},
            ("High", "3.0", 8, "4:2:0"),
        ),
        (
            (177, 99),
            "gray",
            {"level": "3.0"},
            ("High", "3.0", 8, "4:0:0"),
        ),
        (
            (178, 98),
            "yuv420p10le",
            {"level": "5.1"},
            ("High 10", "5.1", 10, "4:2:0"),
        ),
        (
            (178, 99),
            "yuv422p10le",
            {"level": "3.0"},
            ("High 4:2:2", "3.0", 10, "4:2:2"),
        ),
        (
            (177, 99),
            "yuv444p",
            {"level": "3.0"},
            ("High 4:4:4 Predictive", "3.0", 8, "4:4:4"),
        ),
        (
            (178, 98),
            "yuv420p10le",
            {"level": "3.0", "x264-params": "keyint=1"},
            ("High 10 Intra", "3.0", 10, "4:2:0"),
        ),
    ],
)
def test_x264(
    size: tuple[int, int],
    pixels: str,
    options: dict[str, str],
    expected: tuple[str, str, int, str],
) -> None:
    frames = encode_video("libx264", *size, pixels=pixels, options=(*options.items(),))
    profile, level, bit_depth, chroma = expected
    if "Intra" not in profile:
        check_key_frames(h264, frames)
    assert parameters_of(h264, frames) == {
        VideoParameters(
            *size, profile=profile, level=level, bit_depth=bit_depth, chroma=chroma
        )
    }


def test_only_the_first_slice_starts_a_key_frame() -> None:
    frames = encode_video(
        "libx264", 320, 240, options=(("x264-params", "slices=4:sliced-threads=0"),)
    )
    check_key_frames(h264, frames)
    # A STAP-A with the parameter sets, and the first slice.
    contents = [h264.content(payload) for payload in frames[0].payloads]
    assert contents[:2] == [Content.HEADERS, Content.KEY_PICTURE]


def test_aiortcs_packetizer() -> None:
    frames = encode_video("libx264", 178, 98)
    for frame in frames:
        packet = Packet(frame.data)
        packet.pts, packet.time_base = 0, Fraction(1, 30)
        payloads, _ = H264Encoder().pack(packet)
        assert len(payloads) > 1
        contents = [h264.content(payload) for payload in payloads]
        assert (Content.KEY_PICTURE in contents) == frame.is_key
        assert (h264.read_parameters(payloads[0]) is not None) == frame.is_key


@pytest.mark.parametrize(
    "payload",
    [
        IDR,
        stap_a(SEI, SPS, PPS, IDR),
        # The shortest that can be judged, and longer and emptier units before it.
        b"\x65\x80\x00",
        b"\x7c\x85\x88",
        stap_a(b"\x65\x88\x84"),
        stap_a(SEI * 60, IDR),
        stap_a(b"", b"\x65", b"\x65\x88", IDR),
        stap_a(PPS, IDR),
        fu_a(IDR, 2)[0],
        # Intra refresh: a recovery point message; and a picture of slices of type I.
        stap_a(SPS, PPS, RECOVERY_POINT, SLICE),
        stap_a(SPS, PPS, INTRA_SLICE),
    ],
    ids=bytes.hex,
)
def test_where_a_viewer_can_start(payload: bytes) -> None:
    assert h264.content(payload) is Content.KEY_PICTURE


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x67",
        b"\x7c\x85",
        SLICE,
        LATER_IDR_SLICE,
        AUD,
        SEI,
        PPS,
        stap_a(),
        stap_a(SLICE, SLICE),
        stap_a(LATER_IDR_SLICE, LATER_IDR_SLICE),
        stap_a(AUD, SEI, SLICE),
        stap_a(SLICE, IDR)[:-1],
        fu_a(SLICE, 2)[0],
        fu_a(LATER_IDR_SLICE, 2)[0],
        *fu_a(IDR * 2, 3)[1:],
        # Type 29 is FU-B, of the interleaved mode.
        b"\x7d\x85\x00\x00\x88\x84",
    ],
    ids=bytes.hex,
)
def test_where_no_viewer_can_start(payload: bytes) -> None:
    assert h264.content(payload) is not Content.KEY_PICTURE
    assert h264.read_parameters(payload) is None


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        (SPS, Content.HEADERS),
        (stap_a(SPS, PPS), Content.HEADERS),
        (AUD, Content.DELIMITER),
        (SEI, Content.HEADERS),
        (RECOVERY_POINT, Content.RECOVERY_POINT),
        # 255 says that the type, or the size, is larger.
        (b"\x06\xff\x01\x00" + RECOVERY_POINT[1:], Content.RECOVERY_POINT),
        (b"\x06\x05\xff\x02" + bytes(257) + RECOVERY_POINT[1:], Content.RECOVERY_POINT),
        (b"\x06\x05\xff", Content.HEADERS),
        (SLICE, Content.PICTURE),
        (INTRA_SLICE, Content.INTRA_PICTURE),
        (fu_a(SPS, 4)[0], Content.HEADERS),
        (fu_a(SPS, 4)[1], Content.HEADERS),
        (fu_a(IDR * 2, 3)[1], Content.PICTURE),
        *[
            (bytes([0x60 | kind]) + b"\xff" * 9, Content.HEADERS)
            for kind in (0, 30, 31)
        ],
    ],
)
def test_contents(payload: bytes, content: Content) -> None:
    assert h264.content(payload) is content


def test_parameter_sets_are_told_by_their_ids() -> None:
    assert h264.parameter_sets(stap_a(AUD, SPS, PPS, IDR)) == {(7, 0): SPS, (8, 0): PPS}
    assert h264.parameter_sets(SPS) == {(7, 0): SPS}
    # pic_parameter_set_id is ue(v): 1 is 010.
    other = b"\x68\x5e\x3c\x80"
    assert h264.parameter_sets(other) == {(8, 1): other}
    assert h264.parameter_sets(IDR) == {}
    assert h264.parameter_sets(fu_a(SPS, 4)[0]) == {}
    assert h264.parameter_sets(b"") == {}


def test_parameter_sets_in_sdp() -> None:
    """RFC 6184 section 8.1: base64, separated by commas."""
    value = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))
    offered = h264.offered_parameter_sets({"sprop-parameter-sets": value})
    assert offered == {(7, 0): SPS, (8, 0): PPS}
    for wrong in ("", ",", "!", "Z", "Z0LgHw", base64.b64encode(bytes(5000)).decode()):
        h264.offered_parameter_sets({"sprop-parameter-sets": wrong})
    assert h264.offered_parameter_sets({}) == {}


@pytest.mark.parametrize(
    "payload",
    [SPS, stap_a(AUD, SPS, PPS, IDR), fu_a(SPS + bytes(40), 20)[0]],
    ids=["single", "STAP-A", "FU-A"],
)
def test_the_sps_is_found(payload: bytes) -> None:
    assert h264.read_parameters(payload) == VideoParameters(
        1280, 720, profile="Baseline", level="3.1", bit_depth=8, chroma="4:2:0"
    )


@pytest.mark.parametrize(
    ("profile_idc", "constraints", "name"),
    [
        (66, 0x00, "Baseline"),
        (66, 0x80, "Baseline"),
        (66, 0xE0, "Constrained Baseline"),
        (77, 0x00, "Main"),
        (77, 0x80, "Constrained Baseline"),
        (88, 0x00, "Extended"),
        (100, 0x00, "High"),
        (100, 0x08, "Progressive High"),
        (100, 0x0C, "Constrained High"),
        (110, 0x00, "High 10"),
        (110, 0x10, "High 10 Intra"),
        (122, 0x10, "High 4:2:2 Intra"),
        (244, 0x10, "High 4:4:4 Intra"),
        (44, 0x10, "CAVLC 4:4:4 Intra"),
        # Annexes F, G and H, whose base layer may have such an SPS.
        (83, 0x00, "Scalable Baseline"),
        (86, 0x00, "Scalable High"),
        (86, 0x10, "Scalable High Intra"),
        (118, 0x00, "Multiview High"),
        (128, 0x00, "Stereo High"),
        (134, 0x00, None),
        (138, 0x00, None),
        (139, 0x00, None),
        (1, 0x00, None),
    ],
)
def test_profiles(profile_idc: int, constraints: int, name: str | None) -> None:
    high = None
    if profile_idc not in (1, 66, 77, 88):
        high = BitWriter().ue(1, 0, 0).flags("00")
    sps = write_sps(profile_idc=profile_idc, constraints=constraints, high=high)
    parameters = h264.read_parameters(sps)
    assert parameters is not None
    assert parameters.profile == name
    assert (parameters.width, parameters.height) == (1280, 720)


@pytest.mark.parametrize(
    ("profile_idc", "constraints", "level_idc", "level"),
    [
        (66, 0x00, 10, "1.0"),
        (66, 0x10, 11, "1b"),
        (66, 0x00, 11, "1.1"),
        (77, 0x10, 11, "1b"),
        (88, 0x10, 11, "1b"),
        (66, 0x00, 52, "5.2"),
    ],
)
def test_levels(profile_idc: int, constraints: int, level_idc: int, level: str) -> None:
    sps = write_sps(
        profile_idc=profile_idc, constraints=constraints, level_idc=level_idc
    )
    parameters = h264.read_parameters(sps)
    assert parameters is not None
    assert parameters.level == level


@pytest.mark.parametrize(
    ("chroma_format_idc", "chroma", "is_frame", "size"),
    [
        # In units of chroma samples, and of lines of a field.
        (0, "4:0:0", True, (157, 153)),
        (1, "4:2:0", True, (154, 146)),
        (2, "4:2:2", True, (154, 153)),
        (3, "4:4:4", True, (157, 153)),
        (0, "4:0:0", False, (157, 306)),
        (1, "4:2:0", False, (154, 292)),
        (2, "4:2:2", False, (154, 306)),
    ],
)
def test_cropping(
    chroma_format_idc: int, chroma: str, is_frame: bool, size: tuple[int, int]
) -> None:
    high = BitWriter().ue(chroma_format_idc)
    if chroma_format_idc == 3:
        high.flags("0")
    sps = write_sps(
        profile_idc=244,
        high=high.ue(0, 0).flags("00"),
        size=(10, 10),
        is_frame=is_frame,
        cropping=(1, 2, 3, 4),
    )
    parameters = h264.read_parameters(sps)
    assert parameters is not None
    assert parameters.chroma == chroma
    assert (parameters.width, parameters.height) == size


@pytest.mark.parametrize(
    ("chroma_format_idc", "chroma", "large"),
    [(1, "4:2:0", 2), (2, "4:2:2", 2), (3, "4:4:4", 6)],
)
def test_scaling_matrices_are_passed_over(
    chroma_format_idc: int, chroma: str, large: int
) -> None:
    high = BitWriter().ue(chroma_format_idc)
    if chroma_format_idc == 3:
        high.flags("0")
    high.ue(2, 2).flags("0 1")
    # Six lists of 16: absent, whole, ended at once, ended by a sum of 256, absent.
    high.flags("0").flags("1").se(3, -1, *[0] * 14).flags("1").se(-8)
    high.flags("1").se(127, 121).flags("00")
    # Those of 64: whole, then absent.
    high.flags("1").se(*[1, -1] * 32).flags("0" * (large - 1))
    parameters = h264.read_parameters(write_sps(profile_idc=244, high=high))
    assert parameters == VideoParameters(
        1280,
        720,
        profile="High 4:4:4 Predictive",
        level="3.1",
        bit_depth=10,
        chroma=chroma,
    )


@pytest.mark.parametrize(
    "order",
    [
        BitWriter().ue(0, 4),
        BitWriter().ue(1).flags("0").se(-3, 7).ue(3).se(1, -2, 3),
        BitWriter().ue(2),
    ],
    ids=["0", "1", "2"],
)
def test_every_picture_order_count_type_is_passed_over(order: BitWriter) -> None:
    parameters = h264.read_parameters(write_sps(order=order))
    assert parameters is not None
    assert (parameters.width, parameters.height) == (1280, 720)


@pytest.mark.parametrize(
    "sps",
    [
        SPS[:8],
        write_sps(order=BitWriter().ue(3)),
        write_sps(order=BitWriter().ue(1).flags("0").se(0, 0).ue(256).se(*[0] * 256)),
        write_sps(cropping=(320, 320, 0, 0)),
        write_sps(size=(5000, 10)),
        write_sps(profile_idc=244, high=BitWriter().ue(4, 0, 0).flags("00")),
        write_sps(profile_idc=110, high=BitWriter().ue(1, 9, 0).flags("00")),
    ],
    ids=["cut", "order", "offsets", "cropped", "wide", "chroma", "depth"],
)
def test_what_no_sps_can_say(sps: bytes) -> None:
    assert h264.content(sps) is Content.HEADERS
    assert h264.read_parameters(sps) is None
