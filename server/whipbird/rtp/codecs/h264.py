"""The RTP payload format of H.264 (RFC 6184): key frames, SPS, access units.

Packetization modes 0 and 1: single NAL units, STAP-A and FU-A. "H.264" refers to ITU-T
H.264, the bitstream.
"""

from collections.abc import Iterable, Mapping, Sequence

from ..bits import BitReader, BitstreamError, unescape
from .content import Content
from .nal import (
    UnitJoiner,
    aggregated,
    decoded,
    has_sei_message,
    read_chroma_format,
    read_cropping,
    read_id,
)
from .parameters import ParameterSets, VideoParameters, no_frame_numbers

frame_numbers = no_frame_numbers

# NAL unit types (RFC 6184 section 5.2; H.264 table 7-1). Types 2 to 4 are partitions of
# slices, 1 and 5 are slices.
_SLICES = range(1, 6)
_IDR = 5
_SEI = 6
_SPS = 7
_PPS = 8
_DELIMITER = 9
_STAP_A = 24
_FU_A = 28

# The payload type of a recovery point message (H.264 section D.1.8).
_RECOVERY_POINT = 6

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


def content(payload: bytes) -> Content:
    """What this packet contributes to its access unit.

    A decoder can start at an IDR picture, and where a recovery point message says so
    (H.264 section D.2.8). NAL unit types that are reserved, or for other modes, have no
    picture (RFC 6184 section 5.2: receivers ignore them).
    """
    if not payload:
        return Content.HEADERS
    kind = payload[0] & 0x1F
    if kind == _FU_A:
        if len(payload) < 3:
            return Content.HEADERS
        kind = payload[1] & 0x1F
        if payload[1] < 0x80:
            return Content.PICTURE if kind in _SLICES else Content.HEADERS
        return _content_of_unit(kind, payload[2:10])
    if kind == _STAP_A:
        return _content_of_units(aggregated(payload, 1))
    return _content_of_unit(kind, payload[1:])


def _content_of_units(units: Iterable[bytes]) -> Content:
    """The content of several units: that of the first slice, if there is one."""
    found, has_sps = Content.DELIMITER, False
    for unit in units:
        kind = unit[0] & 0x1F
        one = _content_of_unit(kind, unit[1:])
        if one < Content.PICTURE:
            found = max(found, one)
            has_sps = has_sps or kind == _SPS
            continue
        if found is Content.RECOVERY_POINT or (
            has_sps and one is Content.INTRA_PICTURE
        ):
            return Content.KEY_PICTURE
        return one
    return found or Content.HEADERS


def _content_of_unit(kind: int, unit: bytes) -> Content:
    """The content of a NAL unit.

    Args:
        kind: its type.
        unit: its octets after the header, the first few at least.
    """
    if kind in _SLICES and unit:
        # In the first slice the first bit is set: first_mb_in_slice is ue(v), and 0.
        if unit[0] < 0x80:
            return Content.PICTURE
        if kind == _IDR:
            return Content.KEY_PICTURE
        return Content.INTRA_PICTURE if _is_intra(unit) else Content.PICTURE
    if kind == _SEI and has_sei_message(unit, _RECOVERY_POINT):
        return Content.RECOVERY_POINT
    return Content.DELIMITER if kind == _DELIMITER else Content.HEADERS


def _is_intra(unit: bytes) -> bool:
    """Whether a slice is of type I or SI (H.264 table 7-6)."""
    reader = BitReader(unit[:8])
    try:
        reader.read_ue()  # first_mb_in_slice
        return reader.read_ue() % 5 in (2, 4)
    except BitstreamError:
        return False


def parameter_sets(payload: bytes) -> ParameterSets:
    """The SPSs and PPSs in this packet, by type and id."""
    kind = payload[0] & 0x1F if payload else 0
    units = aggregated(payload, 1) if kind == _STAP_A else (payload,)
    found: dict[tuple[int, int], bytes] = {}
    for unit in units:
        kind = unit[0] & 0x1F if len(unit) > 1 else 0
        # profile_idc, constraints and level_idc precede the id in an SPS.
        start = {_SPS: 4, _PPS: 1}.get(kind)
        if start is not None and (number := read_id(unit[start:])) is not None:
            found[kind, number] = bytes(unit)
    return found


def offered_parameter_sets(parameters: Mapping[str, str]) -> ParameterSets:
    """The parameter sets in the format parameters of SDP (RFC 6184 section 8.1)."""
    found: dict[tuple[int, int], bytes] = {}
    for unit in decoded(parameters.get("sprop-parameter-sets", "")):
        found |= parameter_sets(unit)
    return found


def with_parameter_sets(sets: Iterable[bytes]) -> list[bytes]:
    """Payloads for parameter sets: a packet for each, which every mode allows."""
    return list(sets)


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in this packet's SPS; None without a valid one."""
    sps = _find_sps(payload)
    if sps is None:
        return None
    try:
        return _read_sps(BitReader(unescape(sps)))
    except BitstreamError:
        return None


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads to an access unit in byte stream format (H.264 annex B).

    NAL units of reserved types are left out (RFC 6184 section 5.2).

    Raises:
        BitstreamError: when a fragment is missing.
    """
    joiner = UnitJoiner()
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == _FU_A and len(payload) > 2:
            header = bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
            joiner.add_fragment(header, payload[1], payload[2:])
        elif kind == _STAP_A:
            joiner.add([u for u in aggregated(payload, 1) if 0 < u[0] & 0x1F < _STAP_A])
        elif 0 < kind < _STAP_A:
            joiner.add((payload,))
    return joiner.joined()


def _find_sps(payload: bytes) -> bytes | None:
    """The SPS in the packet without its NAL unit header, possibly truncated."""
    if len(payload) < 3:
        return None
    kind = payload[0] & 0x1F
    if kind == _SPS:
        return payload[1:]
    if kind == _FU_A and payload[1] & 0x9F == 0x80 | _SPS:
        return payload[2:]
    if kind == _STAP_A:
        for nal in aggregated(payload, 1):
            if nal[0] & 0x1F == _SPS:
                return nal[1:]
    return None


def _read_sps(reader: BitReader) -> VideoParameters:
    """Read an SPS (H.264 section 7.3.2.1.1)."""
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
    _skip_picture_order_count(reader)
    reader.read_ue()  # max_num_ref_frames
    reader.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width = 16 * (reader.read_ue() + 1)
    map_units = reader.read_ue() + 1
    fields = 1 if reader.flag() else 2  # frame_mbs_only_flag
    if fields == 2:
        reader.skip(1)  # mb_adaptive_frame_field_flag
    reader.skip(1)  # direct_8x8_inference_flag
    columns, rows = read_cropping(reader)
    return VideoParameters(
        width=width - columns * sub_width,
        height=fields * (16 * map_units - rows * sub_height),
        profile=_profile(profile_idc, constraints),
        level=_level(profile_idc, constraints, level_idc),
        bit_depth=bit_depth,
        chroma=chroma,
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


def _skip_picture_order_count(reader: BitReader) -> None:
    """Skip the part of the SPS that depends on pic_order_cnt_type."""
    match reader.read_ue():
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
