"""The sequence parameter set (SPS) of H.264: parameters, and the order of pictures.

Sections are those of ITU-T H.264.
"""

from dataclasses import dataclass

from ..bits import BitReader, BitstreamError, unescape
from .nal import MAX_REORDER_DEPTH, read_chroma_format, read_cropping
from .parameters import VideoParameters

# constraint_setN_flag, as a mask of the octet after profile_idc.
_SET0, _SET1, _SET3, _SET4, _SET5 = 0x80, 0x40, 0x10, 0x08, 0x04

# Profiles (H.264 annex A, F, G) by profile_idc: without and with constraint_set3_flag.
_PROFILES = {
    44: ("CAVLC 4:4:4 Intra", "CAVLC 4:4:4 Intra"),
    77: ("Main", "Main"),
    83: ("Scalable Baseline", "Scalable Baseline"),
    86: ("Scalable High", "Scalable High Intra"),
    88: ("Extended", "Extended"),
    100: ("High", "High"),
    110: ("High 10", "High 10 Intra"),
    118: ("Multiview High", "Multiview High"),
    122: ("High 4:2:2", "High 4:2:2 Intra"),
    128: ("Stereo High", "Stereo High"),
    244: ("High 4:4:4 Predictive", "High 4:4:4 Intra"),
}

# Profiles whose SPS contains the chroma format (H.264 section 7.3.2.1.1).
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134})
_BASELINE = 66

# MaxDpbMbs by level_idc (H.264 table A-1).
_MAX_DPB_MBS = {
    9: 396,
    10: 396,
    11: 900,
    12: 2376,
    13: 2376,
    20: 2376,
    21: 4752,
    22: 8100,
    30: 8100,
    31: 18000,
    32: 20480,
    40: 32768,
    41: 32768,
    42: 34816,
    50: 110400,
    51: 184320,
    52: 184320,
    60: 696320,
    61: 696320,
    62: 696320,
}

# aspect_ratio_idc that a ratio follows (table E-1).
_EXTENDED_RATIO = 255


@dataclass(frozen=True, slots=True)
class _Sps:
    """An SPS.

    Attributes:
        macroblocks: in a frame.
        is_in_order: whether pictures are shown in decoding order.
    """

    parameters: VideoParameters
    level_idc: int
    macroblocks: int
    is_in_order: bool


def read_parameters(sps: bytes) -> VideoParameters:
    """The parameters in an SPS.

    Args:
        sps: the unit without its header; what follows the parameters may be cut off.

    Raises:
        BitstreamError: when it is malformed.
    """
    return _read_sps(BitReader(unescape(sps))).parameters


def reorder_depth(sps: bytes) -> int:
    """How many pictures may precede one in decoding order and follow it when shown.

    Args:
        sps: the unit without its header.

    Raises:
        BitstreamError: when it is malformed.
    """
    reader = BitReader(unescape(sps))
    read = _read_sps(reader)
    if read.is_in_order:
        return 0
    if reader.flag():  # vui_parameters_present_flag
        depth = _vui_depth(reader)
        if depth is not None:
            return depth
    return _MAX_DPB_MBS.get(read.level_idc, 0) // read.macroblocks or MAX_REORDER_DEPTH


def _read_sps(reader: BitReader) -> _Sps:
    """Read an SPS (H.264 section 7.3.2.1.1) up to the VUI parameters."""
    profile_idc = reader.read(8)
    constraints = reader.read(8)
    level_idc = reader.read(8)
    reader.read_ue()  # seq_parameter_set_id
    chroma, sub_width, sub_height = "4:2:0", 2, 2
    bit_depth = 8
    if profile_idc in _HIGH_PROFILES:
        chroma, sub_width, sub_height = read_chroma_format(reader)
        bit_depth += reader.read_ue()
        reader.read_ue()  # bit_depth_chroma_minus8
        reader.skip(1)  # qpprime_y_zero_transform_bypass_flag
        if reader.flag():  # seq_scaling_matrix_present_flag
            _skip_scaling_matrix(reader, 12 if chroma == "4:4:4" else 8)
    reader.read_ue()  # log2_max_frame_num_minus4
    order_type = _read_picture_order_count(reader)
    reader.read_ue()  # max_num_ref_frames
    reader.skip(1)  # gaps_in_frame_num_value_allowed_flag
    columns = reader.read_ue() + 1
    map_units = reader.read_ue() + 1
    fields = 1 if reader.flag() else 2  # frame_mbs_only_flag
    if fields == 2:
        reader.skip(1)  # mb_adaptive_frame_field_flag
    reader.skip(1)  # direct_8x8_inference_flag
    cropped_columns, cropped_rows = read_cropping(reader)
    parameters = VideoParameters(
        width=16 * columns - cropped_columns * sub_width,
        height=fields * (16 * map_units - cropped_rows * sub_height),
        profile=_profile(profile_idc, constraints),
        level=_level(profile_idc, constraints, level_idc),
        bit_depth=bit_depth,
        chroma=chroma,
    )
    return _Sps(
        parameters=parameters,
        level_idc=level_idc,
        macroblocks=columns * fields * map_units,
        # No B slices (section A.2.1); output in decoding order (section 8.2.1.3).
        is_in_order=profile_idc == _BASELINE or order_type == 2,
    )


def _skip_scaling_matrix(reader: BitReader, lists: int) -> None:
    """Skip the scaling lists (H.264 7.3.2.1.1.1): six of 16 numbers, others of 64."""
    for index in range(lists):
        if not reader.flag():
            continue
        last = 8
        for _ in range(16 if index < 6 else 64):
            last = (last + reader.read_se()) % 256
            if last == 0:
                break


def _read_picture_order_count(reader: BitReader) -> int:
    """Read pic_order_cnt_type, and skip the part of the SPS that depends on it."""
    order_type = reader.read_ue()
    match order_type:
        case 0:
            reader.read_ue()  # log2_max_pic_order_cnt_lsb_minus4
        case 1:
            reader.skip(1)  # delta_pic_order_always_zero_flag
            reader.read_se()  # offset_for_non_ref_pic
            reader.read_se()  # offset_for_top_to_bottom_field
            offsets = reader.read_ue()
            if offsets > 255:
                raise BitstreamError("More than 255 picture order count offsets.")
            for _ in range(offsets):
                reader.read_se()
        case 2:
            pass
        case kind:
            raise BitstreamError(f"pic_order_cnt_type {kind} does not exist.")
    return order_type


def _profile(profile_idc: int, constraints: int) -> str | None:
    """The name of a profile (RFC 6184 section 8.1, table 5; H.264 section A.2)."""
    if profile_idc == 66:
        return "Constrained Baseline" if constraints & _SET1 else "Baseline"
    if profile_idc == 77 and constraints & _SET0:
        return "Constrained Baseline"
    if profile_idc == 100 and constraints & _SET4:
        return "Constrained High" if constraints & _SET5 else "Progressive High"
    if profile_idc not in _PROFILES:
        return None
    return _PROFILES[profile_idc][bool(constraints & _SET3)]


def _level(profile_idc: int, constraints: int, level_idc: int) -> str:
    """The name of a level (H.264 section A.3): level 1b has two codes."""
    if level_idc == 9 or (
        level_idc == 11 and constraints & _SET3 and profile_idc in (66, 77, 88)
    ):
        return "1b"
    return f"{level_idc // 10}.{level_idc % 10}"


def _vui_depth(reader: BitReader) -> int | None:
    """Read max_num_reorder_frames, if it is there (H.264 section E.1.1)."""
    # aspect_ratio_info_present_flag, aspect_ratio_idc
    if reader.flag() and reader.read(8) == _EXTENDED_RATIO:
        reader.skip(32)
    if reader.flag():  # overscan_info_present_flag
        reader.skip(1)
    if reader.flag():  # video_signal_type_present_flag
        reader.skip(4)
        if reader.flag():  # colour_description_present_flag
            reader.skip(24)
    if reader.flag():  # chroma_loc_info_present_flag
        reader.read_ue()
        reader.read_ue()
    if reader.flag():  # timing_info_present_flag
        reader.skip(65)
    has_hrd = False
    for _ in range(2):  # nal_hrd_parameters_present_flag, vcl_…
        if reader.flag():
            has_hrd = True
            _skip_hrd(reader)
    reader.skip(1 + has_hrd)  # low_delay_hrd_flag, pic_struct_present_flag
    if not reader.flag():  # bitstream_restriction_flag
        return None
    reader.skip(1)  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # max_bytes_per_pic_denom to log2_max_mv_length_vertical
        reader.read_ue()
    return reader.read_ue()


def _skip_hrd(reader: BitReader) -> None:
    """Skip HRD parameters (H.264 section E.1.2)."""
    count = reader.read_ue() + 1
    if count > 32:
        raise BitstreamError("More than 32 coded picture buffers.")
    reader.skip(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        reader.read_ue()
        reader.read_ue()
        reader.skip(1)
    reader.skip(20)  # lengths of delays and of the time offset
