"""NAL units, as far as H.264 and H.265 have them in common."""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence

from ..bits import BitReader, BitstreamError, unescape

# By chroma_format_idc: the name, SubWidthC and SubHeightC (H.264 table 6-1, H.265
# table 6-1).
_CHROMA_FORMATS = (("4:0:0", 1, 1), ("4:2:0", 2, 2), ("4:2:2", 2, 1), ("4:4:4", 1, 1))

# The largest number of pictures that may be decoded before one that is shown before
# them: decoded picture buffers have no more (H.264 and H.265 section A.4).
MAX_REORDER_DEPTH = 16

# The start code before each unit in a byte stream (H.264 and H.265 annex B).
_START_CODE = b"\0\0\0\1"

_SHORT_START_CODE = b"\0\0\1"

# Octets of the shortest NAL unit that is needed: an access unit delimiter has two.
_SHORTEST = 2

# Octets of a parameter set in SDP: larger ones do not fit into a packet.
_LARGEST_OFFERED = 1200
# Messages of supplemental enhancement information (SEI) that are looked at in a unit.
_MAX_MESSAGES = 16


def aggregated(payload: bytes, offset: int) -> Iterator[bytes]:
    """The NAL units of an aggregation packet (RFC 6184 section 5.7.1, RFC 7798 4.4.2).

    Units of less than 2 octets are skipped, and so is a truncated last unit.

    Args:
        offset: the offset of the first unit's size.
    """
    while offset + 2 + _SHORTEST <= len(payload):
        start = offset + 2
        offset = start + (payload[start - 2] << 8 | payload[start - 1])
        if start + _SHORTEST <= offset <= len(payload):
            yield payload[start:offset]


def decoded(values: str) -> Iterator[bytes]:
    """NAL units in base64, separated by commas, as SDP has them.

    What is malformed, or too large for a packet, is skipped.
    """
    for value in values.split(","):
        try:
            unit = base64.b64decode(value.strip() + "==", validate=False)
        except (binascii.Error, ValueError):
            continue
        if _SHORTEST <= len(unit) <= _LARGEST_OFFERED:
            yield unit


def read_id(unit: bytes) -> int | None:
    """Read the id at the start of a parameter set, ue(v); None if it is malformed."""
    try:
        return BitReader(unescape(unit[:8])).read_ue()
    except BitstreamError:
        return None


def has_sei_message(unit: bytes, wanted: int) -> bool:
    """Whether a SEI unit has a message of a type (H.264 and H.265 section 7.3.2.3).

    Args:
        unit: the unit without its header.
    """
    data, position = unescape(unit), 0
    for _ in range(_MAX_MESSAGES):
        numbers = [0, 0]  # type and size, each with octets of 255 before the last one
        for index in range(2):
            while position < len(data) and data[position] == 0xFF:
                numbers[index] += 0xFF
                position += 1
            if position >= len(data):
                return False
            numbers[index] += data[position]
            position += 1
        if numbers[0] == wanted:
            return True
        position += numbers[1]
    return False


class UnitJoiner:
    """Assembles NAL units from fragments, and joins them to a byte stream (annex B)."""

    def __init__(self) -> None:
        self._units: list[bytes | bytearray] = []
        self._fragmented: bytearray | None = None

    def add(self, units: Sequence[bytes]) -> None:
        """Add whole units.

        Raises:
            BitstreamError: when the last fragment of the unit before is missing.
        """
        if self._fragmented is not None:
            raise BitstreamError("The last fragment of a NAL unit is missing.")
        self._units += units

    def add_fragment(self, header: bytes, flags: int, fragment: bytes) -> None:
        """Add a fragment of a unit (RFC 6184 section 5.8, RFC 7798 section 4.4.3).

        Args:
            header: the header of the whole unit.
            flags: the octet whose upper bits are S (first fragment) and E (last one).
            fragment: its octets.

        Raises:
            BitstreamError: when a fragment before it is missing.
        """
        if flags & 0x80:
            self.add(())
            self._fragmented = bytearray(header)
        if self._fragmented is None:
            raise BitstreamError("The first fragment of a NAL unit is missing.")
        self._fragmented += fragment
        if flags & 0x40:
            self._units.append(self._fragmented)
            self._fragmented = None

    def joined(self) -> bytes:
        """All units, each after a start code.

        Raises:
            BitstreamError: when there are none, or the last one is incomplete.
        """
        self.add(())
        if not self._units:
            raise BitstreamError("There is no NAL unit.")
        return b"".join(_START_CODE + unit for unit in self._units)


def _units_of(frame: bytes) -> list[bytes]:
    """The NAL units of an access unit in byte stream format (annex B).

    Raises:
        BitstreamError: when there are none.
    """
    first = frame.find(_SHORT_START_CODE)
    # An octet of 0 at the end of a unit belongs to the next start code, or is padding.
    parts = frame[first + 3 :].split(_SHORT_START_CODE) if first >= 0 else []
    units = [unit for part in parts if len(unit := part.rstrip(b"\0")) >= _SHORTEST]
    if not units:
        raise BitstreamError("There is no NAL unit.")
    return units


def split_units(
    frame: bytes, size: int, fragment_header: Callable[[bytes], tuple[bytes, int]]
) -> list[bytes]:
    """The payloads of an access unit in byte stream format (annex B).

    A NAL unit has a payload of its own, or several with a fragment each (RFC 6184
    section 5.8, RFC 7798 section 4.4.3).

    Args:
        size: octets of a payload, at most.
        fragment_header: gives, for a unit, the header of the payloads with its
            fragments, which is as long as its own, and its type.

    Raises:
        BitstreamError: when it has no NAL unit.
    """
    payloads: list[bytes] = []
    for unit in _units_of(frame):
        if len(unit) <= size:
            payloads.append(unit)
            continue
        header, kind = fragment_header(unit)
        content, room = unit[len(header) :], size - len(header) - 1
        count = -(-len(content) // room)
        for index in range(count):
            flags = 0x80 * (index == 0) | 0x40 * (index == count - 1)
            part = content[index * room : (index + 1) * room]
            payloads.append(header + bytes([flags | kind]) + part)
    return payloads


def read_chroma_format(reader: BitReader) -> tuple[str, int, int]:
    """Read chroma_format_idc; return the format's name, SubWidthC and SubHeightC."""
    chroma_format_idc = reader.read_ue()
    if chroma_format_idc >= len(_CHROMA_FORMATS):
        raise BitstreamError(f"chroma_format_idc {chroma_format_idc} does not exist.")
    if chroma_format_idc == 3:
        reader.skip(1)  # separate_colour_plane_flag
    return _CHROMA_FORMATS[chroma_format_idc]


def read_cropping(reader: BitReader) -> tuple[int, int]:
    """Read the cropping offsets: crop units to subtract from width and height.

    In H.264 this is ``frame_cropping``, in H.265 the conformance window.
    """
    if not reader.flag():
        return 0, 0
    left, right, top, bottom = (reader.read_ue() for _ in range(4))
    return left + right, top + bottom
