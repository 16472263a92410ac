"""The RTP payload format of VP8 (RFC 7741): key frames, their headers, frames."""

from collections.abc import Sequence
from typing import NamedTuple

from ..bits import BitstreamError
from .content import Content
from .descriptor import read_picture_id, write_picture_id
from .parameters import (
    FrameNumber,
    FrameNumbers,
    Payload,
    VideoParameters,
    no_parameter_sets,
    no_payloads,
)

parameter_sets = offered_parameter_sets = no_parameter_sets
with_parameter_sets = no_payloads

# A key frame's header (RFC 6386 section 9.1), in octets.
_KEY_FRAME_HEADER = 10

_START_CODE = b"\x9d\x01\x2a"


class _Descriptor(NamedTuple):
    """A payload descriptor (RFC 7741 section 4.2).

    Attributes:
        starts_frame: whether S is set and PID is 0.
        numbers: PictureID, TL0PICIDX and KEYIDX.
        end: the index after it.
    """

    starts_frame: bool
    numbers: FrameNumbers
    end: int


def _read_descriptor(payload: Payload, at: int = 0) -> _Descriptor:
    """Read the descriptor at an index.

    Raises:
        IndexError: when it is truncated.
    """
    first = payload[at]
    starts = first & 0x17 == 0x10
    at += 1
    if not first & 0x80:  # X: extended
        return _Descriptor(starts, (), at)
    extension = payload[at]
    at += 1
    picture = base = key = None
    if extension & 0x80:  # I: PictureID, of 7 or 15 bits
        picture, at = read_picture_id(payload, at)
    if extension & 0x40:  # L: TL0PICIDX
        base, at = FrameNumber(at, 0xFF, payload[at]), at + 1
    if extension & 0x30:  # T, K: TID, Y and KEYIDX share an octet
        if extension & 0x10:
            key = FrameNumber(at, 0x1F, payload[at] & 0x1F)
        at += 1
    return _Descriptor(starts, (picture, base, key), at)


def content(payload: bytes) -> Content:
    """What this packet contributes to its frame.

    A key frame begins where a frame starts and P is 0 in its header (RFC 7741
    sections 4.2 and 4.3).
    """
    if not payload:
        return Content.HEADERS
    try:
        descriptor = _read_descriptor(payload)
        if descriptor.starts_frame and not payload[descriptor.end] & 1:
            return Content.KEY_PICTURE
    except IndexError:
        return Content.PICTURE
    return Content.PICTURE


def frame_numbers(payload: Payload, at: int) -> FrameNumbers:
    """PictureID, TL0PICIDX and KEYIDX of the payload at an index."""
    try:
        return _read_descriptor(payload, at).numbers
    except IndexError:
        return ()


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads, without their descriptors, to a frame.

    Raises:
        BitstreamError: when the first packet is missing, or one is truncated.
    """
    try:
        descriptors = [_read_descriptor(payload) for payload in payloads]
    except IndexError:
        raise BitstreamError("A payload descriptor is truncated.") from None
    starts = [descriptor.starts_frame for descriptor in descriptors]
    if starts[:1] != [True] or any(starts[1:]):
        raise BitstreamError("The packets are not those of one frame.")
    return b"".join(
        payload[descriptor.end :]
        for payload, descriptor in zip(payloads, descriptors, strict=True)
    )


def split(frame: bytes, size: int, number: int) -> list[bytes]:
    """Split a frame into payloads: one partition, with a PictureID of 15 bits.

    Raises:
        BitstreamError: when it is empty.
    """
    if not frame:
        raise BitstreamError("The frame is empty.")
    extension = b"\x80" + write_picture_id(number)
    room = size - 1 - len(extension)
    return [
        (b"\x80" if at else b"\x90") + extension + frame[at : at + room]
        for at in range(0, len(frame), room)
    ]


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in a key frame's header (RFC 6386 section 9.1); else None."""
    if content(payload) is not Content.KEY_PICTURE:
        return None
    offset = _read_descriptor(payload).end
    header = payload[offset : offset + _KEY_FRAME_HEADER]
    if len(header) < _KEY_FRAME_HEADER or header[3:6] != _START_CODE:
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
