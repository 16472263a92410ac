"""What the NAL units of H.264 and H.265 have in common."""

from collections.abc import Iterator, Sequence

from ..bits import BitReader, BitstreamError

# By chroma_format_idc: the name, and how many luma samples share a chroma sample
# (H.264 table 6-1, H.265 table 6-1).
_CHROMA_FORMATS = (("4:0:0", 1, 1), ("4:2:0", 2, 2), ("4:2:2", 2, 1), ("4:4:4", 1, 1))

# What is before each unit in a byte stream (H.264 and H.265 annex B).
_START_CODE = b"\0\0\0\1"

# The NAL units that tell anything are longer; an access unit delimiter is not.
_SHORTEST = 3


def aggregated(payload: bytes, offset: int) -> Iterator[bytes]:
    """The NAL units of an aggregation packet (RFC 6184 section 5.7.1, RFC 7798 4.4.2).

    Units of less than 3 octets are left out, and what is cut off at the end.

    Args:
        offset: where the first unit's size is.
    """
    while offset + 2 + _SHORTEST <= len(payload):
        start = offset + 2
        offset = start + (payload[start - 2] << 8 | payload[start - 1])
        if start + _SHORTEST <= offset <= len(payload):
            yield payload[start:offset]


class UnitJoiner:
    """Makes NAL units of fragments, and a byte stream (annex B) of the units."""

    def __init__(self) -> None:
        self._units: list[bytes | bytearray] = []
        self._fragmented: bytearray | None = None

    def add(self, units: Sequence[bytes]) -> None:
        """Take whole units.

        Raises:
            BitstreamError: when the fragments before them are not all there.
        """
        if self._fragmented is not None:
            raise BitstreamError("The last fragment of a NAL unit is missing.")
        self._units += units

    def add_fragment(self, header: bytes, flags: int, fragment: bytes) -> None:
        """Take a part of a unit (RFC 6184 section 5.8, RFC 7798 section 4.4.3).

        Args:
            header: of the whole unit.
            flags: an octet that begins with S and E: whether it is the first part,
                and the last.
            fragment: the part.

        Raises:
            BitstreamError: when the one before it, or after it, is not there.
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
            BitstreamError: when there are none, or the last one has no end.
        """
        self.add(())
        if not self._units:
            raise BitstreamError("There is no NAL unit.")
        return b"".join(_START_CODE + unit for unit in self._units)


def read_chroma_format(reader: BitReader) -> tuple[str, int, int]:
    """Read chroma_format_idc: the format's name, SubWidthC, SubHeightC."""
    chroma_format_idc = reader.read_ue()
    if chroma_format_idc >= len(_CHROMA_FORMATS):
        raise BitstreamError(f"chroma_format_idc {chroma_format_idc} does not exist.")
    if chroma_format_idc == 3:
        reader.skip(1)  # separate_colour_plane_flag
    return _CHROMA_FORMATS[chroma_format_idc]


def read_cropping(reader: BitReader) -> tuple[int, int]:
    """Read the cropping offsets: how many crop units go, of the width and the height.

    In H.264 that is ``frame_cropping``, in H.265 the conformance window.
    """
    if not reader.flag():
        return 0, 0
    left, right, top, bottom = (reader.read_ue() for _ in range(4))
    return left + right, top + bottom
