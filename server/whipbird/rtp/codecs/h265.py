"""The RTP payload format of H.265 (RFC 7798): key frames, SPS, access units.

Single NAL units, aggregation packets and fragmentation units, without DONL as in
WebRTC. "H.265" refers to ITU-T H.265, the bitstream.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    split_units,
)
from .parameters import ParameterSets, VideoParameters, no_frame_numbers

frame_numbers = no_frame_numbers

# NAL unit types (RFC 7798 section 4.4; H.265 table 7-1).
_SLICES = range(32)
_IRAP = range(16, 24)
_VPS = 32
_SPS = 33
_PARAMETER_SETS = range(32, 35)
_DELIMITER = 35
_PREFIX_SEI = 39
_AGGREGATION = 48
_FRAGMENTATION = 49

# The payload type of a recovery point message (H.265 section D.2.1).
_RECOVERY_POINT = 6

# H.265 section A.3, by general_profile_idc; 4 means the range extensions profiles.
_PROFILES = {1: "Main", 2: "Main 10", 3: "Main Still Picture"}
_RANGE_EXTENSIONS = 4


def content(payload: bytes) -> Content:
    """What this packet contributes to its access unit.

    A decoder can start at an IRAP picture (IDR, CRA, BLA) of the base layer, and where
    a recovery point message says so (H.265 section D.2.8). NAL unit types that are
    reserved or unspecified have no picture.
    """
    if len(payload) < 3:
        return Content.HEADERS
    kind = payload[0] >> 1 & 0x3F
    if kind == _AGGREGATION:
        found = Content.DELIMITER
        for unit in aggregated(payload, 2):
            one = _content_of_unit(unit[0] >> 1 & 0x3F, unit, unit[2:])
            if one >= Content.PICTURE:
                recovers = found is Content.RECOVERY_POINT
                return Content.KEY_PICTURE if recovers else one
            found = max(found, one)
        return found or Content.HEADERS
    if kind == _FRAGMENTATION:
        kind = payload[2] & 0x3F
        if payload[2] < 0x80:
            return Content.PICTURE if kind in _SLICES else Content.HEADERS
        return _content_of_unit(kind, payload, payload[3:])
    return _content_of_unit(kind, payload, payload[2:])


def _content_of_unit(kind: int, header: bytes, unit: bytes) -> Content:
    """The content of a NAL unit.

    Args:
        kind: its type.
        header: its header: two octets, with the layer.
        unit: its octets after the header.
    """
    if kind in _SLICES and unit:
        # The first bit of a slice is first_slice_segment_in_pic_flag.
        if unit[0] >= 0x80 and kind in _IRAP and _is_base_layer(header):
            return Content.KEY_PICTURE
        return Content.PICTURE
    if kind == _PREFIX_SEI and has_sei_message(unit, _RECOVERY_POINT):
        return Content.RECOVERY_POINT
    return Content.DELIMITER if kind == _DELIMITER else Content.HEADERS


def parameter_sets(payload: bytes) -> ParameterSets:
    """The VPSs, SPSs and PPSs of the base layer in this packet, by type and id."""
    kind = payload[0] >> 1 & 0x3F if payload else 0
    units = aggregated(payload, 2) if kind == _AGGREGATION else (payload,)
    found: dict[tuple[int, int], bytes] = {}
    for unit in units:
        kind = unit[0] >> 1 & 0x3F if len(unit) > 2 else 0
        if kind not in _PARAMETER_SETS or not _is_base_layer(unit):
            continue
        number: int | None
        if kind == _VPS:
            number = unit[2] >> 4
        elif kind == _SPS:
            number = _sps_id(unit[2:])
        else:
            number = read_id(unit[2:])
        if number is not None:
            found[kind, number] = bytes(unit)
    return found


def offered_parameter_sets(parameters: Mapping[str, str]) -> ParameterSets:
    """The parameter sets in the format parameters of SDP (RFC 7798 section 7.1)."""
    found: dict[tuple[int, int], bytes] = {}
    for name in ("sprop-vps", "sprop-sps", "sprop-pps"):
        for unit in decoded(parameters.get(name, "")):
            found |= parameter_sets(unit)
    return found


def with_parameter_sets(sets: Iterable[bytes]) -> list[bytes]:
    """Payloads for parameter sets: a packet for each."""
    return list(sets)


def _sps_id(sps: bytes) -> int | None:
    reader = BitReader(unescape(sps[:128]))
    try:
        reader.skip(4)  # sps_video_parameter_set_id
        sub_layers = reader.read(3)  # sps_max_sub_layers_minus1
        reader.skip(1)  # sps_temporal_id_nesting_flag
        _read_profile_tier_level(reader, sub_layers)
        return reader.read_ue()
    except BitstreamError:
        return None


def _is_base_layer(header: bytes) -> bool:
    """Whether nuh_layer_id is 0. The SPS of other layers has a different syntax."""
    return not (header[0] & 0x01 or header[1] & 0xF8)


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in this packet's SPS; None without a valid one."""
    sps = next(_find_sps(payload), None)
    if sps is None:
        return None
    try:
        return _read_sps(BitReader(unescape(sps)))[0]
    except BitstreamError:
        return None


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads to an access unit in byte stream format (H.265 annex B).

    NAL units of unspecified types are left out.

    Raises:
        BitstreamError: when a fragment is missing.
    """
    joiner = UnitJoiner()
    for payload in payloads:
        if not payload:
            raise BitstreamError("A packet has no payload.")
        kind = payload[0] >> 1 & 0x3F
        if kind == _FRAGMENTATION and len(payload) > 3:
            first = payload[0] & 0x81 | (payload[2] & 0x3F) << 1
            header = bytes([first, payload[1]])
            joiner.add_fragment(header, payload[2], payload[3:])
        elif kind == _AGGREGATION:
            joiner.add(list(aggregated(payload, 2)))
        elif kind < _AGGREGATION:
            joiner.add((payload,))
    return joiner.joined()


def split(frame: bytes, size: int, _number: int) -> list[bytes]:
    """Split an access unit in byte stream format into payloads.

    Raises:
        BitstreamError: when it has no NAL unit.
    """
    return split_units(
        frame,
        size,
        lambda unit: (
            bytes([unit[0] & 0x81 | _FRAGMENTATION << 1, unit[1]]),
            unit[0] >> 1 & 0x3F,
        ),
    )


def _find_sps(payload: bytes) -> Iterator[bytes]:
    """The SPSs in the packet without NAL unit headers, possibly truncated."""
    if len(payload) < 4:
        return
    kind = payload[0] >> 1 & 0x3F
    if kind == _AGGREGATION:
        for nal in aggregated(payload, 2):
            if nal[0] >> 1 & 0x3F == _SPS and _is_base_layer(nal):
                yield nal[2:]
    elif _is_base_layer(payload):
        if kind == _SPS:
            yield payload[2:]
        elif kind == _FRAGMENTATION and payload[2] & 0xBF == 0x80 | _SPS:
            yield payload[3:]


def reorder_depth(sps: bytes) -> int:
    """How many pictures may precede one in decoding order and follow it when shown.

    That is sps_max_num_reorder_pics of the highest sub-layer.

    Args:
        sps: an SPS without its NAL unit header.

    Raises:
        BitstreamError: when it is malformed.
    """
    reader = BitReader(unescape(sps))
    _, sub_layers = _read_sps(reader)
    for _ in range(2):  # bit_depth_chroma_minus8, log2_max_pic_order_cnt_lsb_minus4
        reader.read_ue()
    # sps_sub_layer_ordering_info_present_flag; the last one is the highest sub-layer.
    depth = 0
    for _ in range(sub_layers + 1 if reader.flag() else 1):
        reader.read_ue()  # sps_max_dec_pic_buffering_minus1
        depth = reader.read_ue()
        reader.read_ue()  # sps_max_latency_increase_plus1
    return depth


def _read_sps(reader: BitReader) -> tuple[VideoParameters, int]:
    """Read an SPS (H.265 section 7.3.2.2.1) up to the bit depth of luma.

    Returns:
        Its parameters, and sps_max_sub_layers_minus1.
    """
    reader.skip(4)  # sps_video_parameter_set_id
    sub_layers = reader.read(3)  # sps_max_sub_layers_minus1
    reader.skip(1)  # sps_temporal_id_nesting_flag
    profile, tier, level = _read_profile_tier_level(reader, sub_layers)
    reader.read_ue()  # sps_seq_parameter_set_id
    chroma, sub_width, sub_height = read_chroma_format(reader)
    width, height = reader.read_ue(), reader.read_ue()
    columns, rows = read_cropping(reader)
    parameters = VideoParameters(
        width=width - columns * sub_width,
        height=height - rows * sub_height,
        profile=profile,
        level=level,
        tier=tier,
        bit_depth=8 + reader.read_ue(),
        chroma=chroma,
    )
    return parameters, sub_layers


def _read_profile_tier_level(
    reader: BitReader, sub_layers: int
) -> tuple[str | None, str, str]:
    """Read the general profile, tier and level (H.265 section 7.3.3)."""
    reader.skip(2)  # general_profile_space
    tier = "High" if reader.flag() else "Main"
    profile_idc = reader.read(5)
    reader.skip(32 + 4)  # compatibility, scan type and packing
    profile = _PROFILES.get(profile_idc)
    constraints = reader.read(7)
    if profile_idc == _RANGE_EXTENSIONS:
        profile = _range_extensions_profile(constraints)
    reader.skip(37)  # one picture only, lower bit rate, reserved, INBLD
    level_idc = reader.read(8)
    if sub_layers:
        present = [(reader.flag(), reader.flag()) for _ in range(sub_layers)]
        reader.skip(2 * (8 - sub_layers))  # reserved_zero_2bits
        for has_profile, has_level in present:
            reader.skip(88 * has_profile + 8 * has_level)
    return profile, tier, f"{level_idc // 30}.{level_idc % 30 // 3}"


def _range_extensions_profile(constraints: int) -> str:
    """The name of a format range extensions profile (H.265 section A.3.5).

    Args:
        constraints: the flags general_max_12bit_constraint_flag to
            general_intra_constraint_flag.
    """
    max_12, max_10, max_8, max_422, max_420, monochrome, intra = (
        constraints >> bit & 1 for bit in range(6, -1, -1)
    )
    words = ["Monochrome" if monochrome else "Main"]
    if not max_420:
        words.append("4:2:2" if max_422 else "4:4:4")
    if not max_8:
        words.append("10" if max_10 else "12" if max_12 else "16")
    if intra:
        words.append("Intra")
    return " ".join(words)
