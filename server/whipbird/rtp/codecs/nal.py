"""What the NAL units of H.264 and H.265 have in common."""

from collections.abc import Iterator

from ..bits import BitReader, BitstreamError

# By chroma_format_idc: the name, and how many luma samples share a chroma sample
# (H.264 table 6-1, H.265 table 6-1).
_CHROMA_FORMATS = (("4:0:0", 1, 1), ("4:2:0", 2, 2), ("4:2:2", 2, 1), ("4:4:4", 1, 1))

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
