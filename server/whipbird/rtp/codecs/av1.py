"""The RTP payload format of AV1: key frames, sequence headers, temporal units.

Section numbers refer to the "RTP Payload Format For AV1" (version 1.0) and to the "AV1
Bitstream & Decoding Process Specification".
"""

from collections.abc import Iterable, Iterator, Sequence

from ..bits import BitReader, BitstreamError
from .content import Content
from .parameters import CHROMA, ParameterSets, VideoParameters, no_frame_numbers

frame_numbers = no_frame_numbers

_OBU_SEQUENCE_HEADER = 1
_OBU_TEMPORAL_DELIMITER = 2
_OBU_TILE_LIST = 8
# Frame header, tile group, frame, redundant frame header.
_PICTURES = frozenset({3, 4, 6, 7})
_FRAME_HEADERS = frozenset({3, 6})
# AV1 section 6.8.2, by frame_type.
_KEY_FRAME = 0

# Octets of the length of an element that is smaller than 16 KiB.
_LENGTH_SIZE = 2

# AV1 section 6.4.1, by seq_profile.
_PROFILES = ("Main", "High", "Professional")

# AV1 section 6.4.2: the colour description that means sRGB.
_CP_BT_709, _TC_SRGB, _MC_IDENTITY = 1, 13, 0


def content(payload: bytes) -> Content:
    """What this packet contributes to its temporal unit.

    A key frame is told by its frame header. N, in the aggregation header, is not
    enough: some encoders never set it, others before inter frames (RTP payload
    section 4.4).
    """
    if not payload:
        return Content.HEADERS
    if payload[0] & 0x80:  # Z: it goes on with an OBU of an earlier packet
        return Content.PICTURE
    try:
        for element in _all_elements(payload):
            one = _content_of_obu(element)
            if one >= Content.PICTURE:
                return one
    except BitstreamError:
        return Content.PICTURE
    return Content.HEADERS


def _content_of_obu(obu: bytes) -> Content:
    """The content of an OBU, which may be cut short."""
    if not obu:
        return Content.HEADERS
    kind = obu[0] >> 3 & 0xF
    if kind not in _PICTURES:
        return Content.HEADERS
    if kind not in _FRAME_HEADERS or _spatial_layer(obu):
        return Content.PICTURE
    try:
        reader = BitReader(_without_header(obu)[:1])
        # AV1 section 5.9.2. A frame that is not shown is no start for a decoder.
        shows_existing, kind = reader.flag(), reader.read(2)
        is_key = not shows_existing and kind == _KEY_FRAME and reader.flag()
    except BitstreamError:
        return Content.PICTURE
    return Content.KEY_PICTURE if is_key else Content.PICTURE


def _spatial_layer(obu: bytes) -> int:
    """The spatial_id of an OBU (AV1 section 5.3.3); 0 without an extension."""
    return obu[1] >> 3 & 3 if obu[0] & 0x04 and len(obu) > 1 else 0


def parameter_sets(payload: bytes) -> ParameterSets:
    """The sequence header in this packet, if it is whole."""
    if not payload:
        return {}
    elements = []
    try:
        elements = list(_elements(payload))
    except BitstreamError:
        return {}
    if payload[0] & 0x40 and elements:  # Y: the last one goes on in the next packet
        elements.pop()
    found = [e for e in elements if e and e[0] >> 3 & 0xF == _OBU_SEQUENCE_HEADER]
    return {(_OBU_SEQUENCE_HEADER, 0): found[-1]} if found else {}


def offered_parameter_sets(_parameters: object) -> ParameterSets:
    """SDP has no sequence headers (RTP payload section 7.2)."""
    return {}


def with_parameter_sets(sets: Iterable[bytes]) -> list[bytes]:
    """Payloads for sequence headers: W is 1 and N is set (RTP payload section 4.4)."""
    return [b"\x18" + obu for obu in sets]


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in this packet's sequence header; None without a valid one."""
    try:
        for element in _elements(payload):
            header = _sequence_header(element)
            if header is not None:
                return _read_sequence_header(BitReader(header))
    except BitstreamError:
        pass
    return None


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads to a temporal unit in the low-overhead format of files.

    Each OBU has its size, and there are no temporal delimiters (AV1 section 5.2; AV1 in
    ISOBMFF section 2.4). RTP has neither delimiters nor tile lists (RTP payload
    section 5).

    Raises:
        BitstreamError: when the packets do not contain whole OBUs.
    """
    obus: list[bytes] = []
    begun = b""
    for payload in payloads:
        if not payload:
            raise BitstreamError("A packet has no payload.")
        if bool(payload[0] & 0x80) != bool(begun):  # Z
            raise BitstreamError("A part of an OBU is missing.")
        elements = list(_all_elements(payload))
        if not elements:
            raise BitstreamError("A packet has no OBU.")
        elements[0] = begun + elements[0]
        begun = elements.pop() if payload[0] & 0x40 else b""  # Y
        obus += elements
    if begun:
        raise BitstreamError("The last part of an OBU is missing.")
    return b"".join(map(_with_size, obus))


def split(frame: bytes, size: int, _number: int) -> list[bytes]:
    """Split a temporal unit in the low-overhead format into payloads.

    OBUs have no size of their own in RTP, and elements a length of up to two octets
    (W is 0). Temporal delimiters and tile lists are left out (RTP payload sections 4.4
    and 5).

    Raises:
        BitstreamError: when it has no OBU, or a malformed one.
    """
    payloads: list[bytes] = []
    current, continues = b"", False
    has_sequence_header = False
    for obu in _obus(frame):
        has_sequence_header |= obu[0] >> 3 & 0xF == _OBU_SEQUENCE_HEADER
        at = 0
        while at < len(obu):
            room = size - 1 - len(current) - _LENGTH_SIZE
            if room <= 0:
                payloads.append(_aggregated(current, continues, at > 0))
                current, continues, room = b"", at > 0, size - 1 - _LENGTH_SIZE
            part = obu[at : at + room]
            current += _write_leb128(len(part)) + part
            at += len(part)
    if not current:
        raise BitstreamError("There is no OBU.")
    payloads.append(_aggregated(current, continues, False))
    if has_sequence_header:  # N: a coded video sequence begins
        payloads[0] = bytes([payloads[0][0] | 0x08]) + payloads[0][1:]
    return payloads


def _aggregated(elements: bytes, continues: bool, goes_on: bool) -> bytes:
    """A payload of elements, whose first (Z) and last (Y) may be parts of OBUs."""
    return bytes([0x80 * continues | 0x40 * goes_on]) + elements


def _obus(frame: bytes) -> Iterator[bytes]:
    """The OBUs of a temporal unit that are sent, without their sizes.

    Raises:
        BitstreamError: when one is malformed.
    """
    at = 0
    while at < len(frame):
        first = frame[at]
        end_of_header = at + (2 if first & 0x04 else 1)
        begin, end = end_of_header, len(frame)
        if first & 0x02:  # obu_has_size_field
            length, begin = _read_leb128(frame, end_of_header)
            end = begin + length
        if end_of_header > len(frame) or end > len(frame):
            raise BitstreamError("An OBU is longer than its temporal unit.")
        if first >> 3 & 0xF not in (_OBU_TEMPORAL_DELIMITER, _OBU_TILE_LIST):
            header = bytes([first & ~0x02]) + frame[at + 1 : end_of_header]
            yield header + frame[begin:end]
        at = end


def _with_size(obu: bytes) -> bytes:
    """An OBU with its size (AV1 section 5.3); empty for OBUs to be dropped."""
    if not obu or obu[0] >> 3 & 0xF in (_OBU_TEMPORAL_DELIMITER, _OBU_TILE_LIST):
        return b""
    if obu[0] & 0x02:  # obu_has_size_field
        return obu
    offset = 2 if obu[0] & 0x04 else 1  # obu_extension_flag
    if len(obu) < offset:
        raise BitstreamError("An OBU is shorter than its header.")
    header = bytes([obu[0] | 0x02]) + obu[1:offset]
    return header + _write_leb128(len(obu) - offset) + obu[offset:]


def _write_leb128(value: int) -> bytes:
    """AV1 section 4.10.5."""
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


def _elements(payload: bytes) -> Iterator[bytes]:
    """The OBU elements that start in this packet (RTP payload sections 4.4 and 4.5)."""
    elements = _all_elements(payload)
    if payload and payload[0] & 0x80:  # Z: the first started in an earlier packet
        next(elements, None)
    yield from elements


def _all_elements(payload: bytes) -> Iterator[bytes]:
    """The OBU elements of a packet, whole or in part."""
    if not payload:
        return
    count = payload[0] >> 4 & 3  # W: if not 0, the last element has no length
    offset, index = 1, 0
    while offset < len(payload):
        index += 1
        if index == count:
            end = len(payload)
        else:
            length, offset = _read_leb128(payload, offset)
            end = offset + length
            if end > len(payload):
                raise BitstreamError("An OBU element is longer than its packet.")
        yield payload[offset:end]
        offset = end


def _sequence_header(obu: bytes) -> bytes | None:
    """The content of a sequence header OBU (AV1 section 5.3); None for other OBUs."""
    if not obu or obu[0] >> 3 & 0xF != _OBU_SEQUENCE_HEADER:
        return None
    return _without_header(obu)


def _without_header(obu: bytes) -> bytes:
    """The content of an OBU (AV1 section 5.3).

    Raises:
        BitstreamError: when its size is malformed.
    """
    offset = 2 if obu[0] & 0x04 else 1  # obu_extension_flag
    if obu[0] & 0x02:  # obu_has_size_field
        _, offset = _read_leb128(obu, offset)
    return obu[offset:]


def _read_leb128(data: bytes, offset: int) -> tuple[int, int]:
    """Read a leb128() number and the offset after it (AV1 section 4.10.5)."""
    value = 0
    for index, octet in enumerate(data[offset : offset + 8]):
        value |= (octet & 0x7F) << 7 * index
        if octet < 0x80:
            return value, offset + index + 1
    raise BitstreamError("A leb128() number has no end.")


def _read_sequence_header(reader: BitReader) -> VideoParameters:
    """AV1 section 5.5.1."""
    profile = reader.read(3)
    if profile >= len(_PROFILES):
        raise BitstreamError(f"seq_profile {profile} does not exist.")
    reader.skip(1)  # still_picture
    reduced = reader.flag()  # reduced_still_picture_header
    level, high_tier = _read_operating_points(reader, reduced)
    width_bits, height_bits = reader.read(4) + 1, reader.read(4) + 1
    width, height = reader.read(width_bits) + 1, reader.read(height_bits) + 1
    _skip_tools(reader, reduced)
    bit_depth, chroma = _read_color_config(reader, profile)
    return VideoParameters(
        width=width,
        height=height,
        profile=_PROFILES[profile],
        # Section A.3; 31 means no limits, other values from 24 on are reserved.
        level=f"{2 + (level >> 2)}.{level & 3}" if level < 24 else None,
        tier="High" if high_tier else "Main",
        bit_depth=bit_depth,
        chroma=chroma,
    )


def _read_operating_points(reader: BitReader, reduced: bool) -> tuple[int, bool]:
    """Read all operating points; return level and tier of the first, the full one."""
    if reduced:
        return reader.read(5), False
    delay_bits = None
    if reader.flag():  # timing_info_present_flag
        reader.skip(64)  # num_units_in_display_tick, time_scale
        if reader.flag():  # equal_picture_interval
            reader.read_ue()  # num_ticks_per_picture_minus_1, which is uvlc()
        if reader.flag():  # decoder_model_info_present_flag
            delay_bits = reader.read(5) + 1
            reader.skip(32 + 5 + 5)
    has_display_delay = reader.flag()
    points = []
    for _ in range(reader.read(5) + 1):
        reader.skip(12)  # operating_point_idc
        level = reader.read(5)
        high_tier = level > 7 and reader.flag()
        if delay_bits is not None and reader.flag():
            reader.skip(2 * delay_bits + 1)  # operating_parameters_info()
        if has_display_delay and reader.flag():
            reader.skip(4)
        points.append((level, high_tier))
    return points[0]


def _skip_tools(reader: BitReader, reduced: bool) -> None:
    """Skip the coding tools between the frame size and the colour configuration."""
    if not reduced and reader.flag():  # frame_id_numbers_present_flag
        reader.skip(7)
    reader.skip(3)  # use_128x128_superblock, enable_filter_intra, intra_edge_filter
    if not reduced:
        reader.skip(4)  # interintra, masked compound, warped motion, dual filter
        has_order_hint = reader.flag()
        if has_order_hint:
            reader.skip(2)  # enable_jnt_comp, enable_ref_frame_mvs
        # seq_choose_screen_content_tools, else seq_force_screen_content_tools;
        # with either, seq_choose_integer_mv, else seq_force_integer_mv.
        if (reader.flag() or reader.flag()) and not reader.flag():
            reader.skip(1)
        if has_order_hint:
            reader.skip(3)  # order_hint_bits_minus_1
    reader.skip(3)  # enable_superres, enable_cdef, enable_restoration


def _read_color_config(reader: BitReader, profile: int) -> tuple[int, str]:
    """AV1 section 5.5.2: bit depth and chroma format."""
    bit_depth = 10 if reader.flag() else 8
    if profile == 2 and bit_depth == 10 and reader.flag():
        bit_depth = 12
    monochrome = profile != 1 and reader.flag()
    color = (reader.read(8), reader.read(8), reader.read(8)) if reader.flag() else None
    if monochrome:
        return bit_depth, "4:0:0"
    if color == (_CP_BT_709, _TC_SRGB, _MC_IDENTITY):
        return bit_depth, CHROMA[0, 0]
    reader.skip(1)  # color_range
    if profile == 2 and bit_depth == 12:
        subsampling_x = reader.read(1)
        return bit_depth, CHROMA[subsampling_x, reader.read(1) if subsampling_x else 0]
    return bit_depth, ("4:2:0", "4:4:4", "4:2:2")[profile]
