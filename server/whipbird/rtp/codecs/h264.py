"""The RTP payload format of H.264 (RFC 6184): key frames, SPS, access units.

Packetization modes 0 and 1: single NAL units, STAP-A and FU-A. "H.264" refers to ITU-T
H.264, the bitstream.
"""

from collections.abc import Iterable, Mapping, Sequence

from ..bits import BitReader, BitstreamError
from . import h264_sps
from .content import Content
from .nal import (
    UnitJoiner,
    aggregated,
    decoded,
    has_sei_message,
    read_id,
    split_units,
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
        return h264_sps.read_parameters(sps)
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
        if not payload:
            raise BitstreamError("A packet has no payload.")
        kind = payload[0] & 0x1F
        if kind == _FU_A and len(payload) > 2:
            header = bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
            joiner.add_fragment(header, payload[1], payload[2:])
        elif kind == _STAP_A:
            joiner.add([u for u in aggregated(payload, 1) if 0 < u[0] & 0x1F < _STAP_A])
        elif 0 < kind < _STAP_A:
            joiner.add((payload,))
    return joiner.joined()


def split(frame: bytes, size: int, _number: int) -> list[bytes]:
    """Split an access unit in byte stream format into payloads of mode 1.

    Raises:
        BitstreamError: when it has no NAL unit.
    """
    return split_units(
        frame,
        size,
        lambda unit: (bytes([unit[0] & 0xE0 | _FU_A]), unit[0] & 0x1F),
    )


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
