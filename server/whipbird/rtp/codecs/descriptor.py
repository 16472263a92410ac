"""The part that the payload descriptors of VP8 and VP9 have in common."""

from .parameters import FrameNumber, Payload

_LONG = 0x7FFF


def read_picture_id(payload: Payload, at: int) -> tuple[FrameNumber, int]:
    """Read PictureID, of 7 or 15 bits (RFC 7741 section 4.2, RFC 9628 section 4.2).

    Returns:
        The number, and the index after it.

    Raises:
        IndexError: when it is truncated.
    """
    first = payload[at]
    if first & 0x80:  # M
        return FrameNumber(at, _LONG, (first & 0x7F) << 8 | payload[at + 1]), at + 2
    return FrameNumber(at, 0x7F, first), at + 1


def write_picture_id(number: int) -> bytes:
    """PictureID of 15 bits, to which a number of any size wraps."""
    return (0x8000 | number & _LONG).to_bytes(2)
