"""VP8 in RTP (RFC 7741): where key frames begin, and what their header says."""

from collections.abc import Sequence

from ..bits import BitstreamError
from .parameters import VideoParameters

# A key frame's header (RFC 6386 section 9.1) after at least one octet of descriptor.
_SHORTEST = 11

_START_CODE = b"\x9d\x01\x2a"


def starts_key_frame(payload: bytes) -> bool:
    """Whether this packet is the first one of a key frame.

    The descriptor says that the frame begins here (S is set, PID is 0; RFC 7741
    section 4.2), the frame that it is a key frame (P is 0; section 4.3).
    """
    if len(payload) < _SHORTEST or payload[0] & 0x17 != 0x10:
        return False
    return not payload[_frame_offset(payload)] & 1


def join(payloads: Sequence[bytes]) -> bytes:
    """One frame, of the payloads of its packets without their descriptors.

    Raises:
        BitstreamError: when the first packet is missing, or one ends too early.
    """
    if not _begins_frame(payloads[0]) or any(map(_begins_frame, payloads[1:])):
        raise BitstreamError("These packets are not those of one frame.")
    try:
        return b"".join(payload[_frame_offset(payload) :] for payload in payloads)
    except IndexError:
        raise BitstreamError("A payload descriptor ends too early.") from None


def _begins_frame(payload: bytes) -> bool:
    """Whether S is set and PID is 0 (RFC 7741 section 4.2)."""
    return payload[0] & 0x17 == 0x10


def _frame_offset(payload: bytes) -> int:
    """Where the frame begins: the length of the descriptor, 1 to 6 octets."""
    if not payload[0] & 0x80:  # X: extended
        return 1
    extension = payload[1]
    offset = 2
    if extension & 0x80:  # I: PictureID, of 7 or 15 bits
        offset += 2 if payload[2] & 0x80 else 1
    if extension & 0x40:  # L: TL0PICIDX
        offset += 1
    if extension & 0x30:  # T, K: TID, Y and KEYIDX share an octet
        offset += 1
    return offset


def read_parameters(payload: bytes) -> VideoParameters | None:
    """Read a key frame's header (RFC 6386 section 9.1), or None where it is not."""
    if not starts_key_frame(payload):
        return None
    offset = _frame_offset(payload)
    header = payload[offset : offset + 10]
    if len(header) < 10 or header[3:6] != _START_CODE:
        return None
    try:
        return VideoParameters(
            # The two upper bits say how to scale the picture.
            width=int.from_bytes(header[6:8], "little") & 0x3FFF,
            height=int.from_bytes(header[8:10], "little") & 0x3FFF,
            profile=f"Profile {header[0] >> 1 & 7}",
            bit_depth=8,
            chroma="4:2:0",
        )
    except BitstreamError:
        return None
