"""The RTP payload format of VP8 (RFC 7741): key frames, their headers, frames."""

from collections.abc import Sequence

from ..bits import BitstreamError
from .parameters import VideoParameters

# A key frame's header (RFC 6386 section 9.1) after at least one octet of descriptor.
_SHORTEST = 11

_START_CODE = b"\x9d\x01\x2a"


def starts_key_frame(payload: bytes) -> bool:
    """Whether this packet is the first one of a key frame.

    In its descriptor S is set and PID is 0: a frame starts (RFC 7741 section 4.2). In
    the frame's header P is 0: it is a key frame (section 4.3).
    """
    if len(payload) < _SHORTEST or payload[0] & 0x17 != 0x10:
        return False
    return not payload[_frame_offset(payload)] & 1


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads, without their descriptors, to a frame.

    Raises:
        BitstreamError: when the first packet is missing, or one is truncated.
    """
    if not _starts_frame(payloads[0]) or any(map(_starts_frame, payloads[1:])):
        raise BitstreamError("The packets are not those of one frame.")
    try:
        return b"".join(payload[_frame_offset(payload) :] for payload in payloads)
    except IndexError:
        raise BitstreamError("A payload descriptor is truncated.") from None


def _starts_frame(payload: bytes) -> bool:
    """Whether S is set and PID is 0 (RFC 7741 section 4.2)."""
    return payload[0] & 0x17 == 0x10


def _frame_offset(payload: bytes) -> int:
    """The offset of the frame: the length of the descriptor, 1 to 6 octets."""
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
    """The parameters in a key frame's header (RFC 6386 section 9.1); else None."""
    if not starts_key_frame(payload):
        return None
    offset = _frame_offset(payload)
    header = payload[offset : offset + 10]
    if len(header) < 10 or header[3:6] != _START_CODE:
        return None
    try:
        return VideoParameters(
            # The two upper bits are the scaling of the picture.
            width=int.from_bytes(header[6:8], "little") & 0x3FFF,
            height=int.from_bytes(header[8:10], "little") & 0x3FFF,
            profile=f"Profile {header[0] >> 1 & 7}",
            bit_depth=8,
            chroma="4:2:0",
        )
    except BitstreamError:
        return None
