"""The RTP payload format of VP9 (RFC 9628): key frames, their headers, pictures.

"VP9" with a section number refers to the "VP9 Bitstream & Decoding Process
Specification".
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..bits import BitReader, BitstreamError
from .content import Content
from .descriptor import read_picture_id, write_picture_id
from .parameters import (
    CHROMA,
    FrameNumber,
    FrameNumbers,
    Payload,
    VideoParameters,
    no_parameter_sets,
    no_payloads,
)

parameter_sets = offered_parameter_sets = no_parameter_sets
with_parameter_sets = no_payloads

_FRAME_MARKER = 2
_SYNC_CODE = 0x498342
_CS_RGB = 7


class _Descriptor(NamedTuple):
    """A payload descriptor (RFC 9628 section 4.2).

    Attributes:
        begins, ends: whether a frame of a layer begins, or ends, in the packet.
        is_predicted: whether the picture is predicted from another one.
        spatial_layer: its layer; 0 is the lowest one.
        numbers: PictureID and TL0PICIDX.
        resolution: the largest resolution in the scalability structure; None without.
        end: the index after it.
    """

    begins: bool
    ends: bool
    is_predicted: bool
    spatial_layer: int
    numbers: FrameNumbers
    resolution: tuple[int, int] | None
    end: int


def _read_descriptor(payload: Payload, at: int = 0) -> _Descriptor:
    """Read the descriptor at an index.

    Raises:
        IndexError: when it is truncated.
    """
    flags = payload[at]
    at += 1
    is_predicted, is_flexible = bool(flags & 0x40), flags & 0x10
    picture = base = resolution = None
    spatial_layer = 0
    if flags & 0x80:  # I
        picture, at = read_picture_id(payload, at)
    if flags & 0x20:  # L: TID, U, SID, D
        spatial_layer = payload[at] >> 1 & 7
        at += 1
        if not is_flexible:
            base, at = FrameNumber(at, 0xFF, payload[at]), at + 1
    if is_flexible and is_predicted:
        for _ in range(3):
            at += 1
            if not payload[at - 1] & 1:  # N: another P_DIFF follows
                break
    if flags & 0x02:  # V
        resolution, at = _read_scalability_structure(payload, at)
    if at > len(payload):
        raise IndexError
    return _Descriptor(
        begins=bool(flags & 0x08),
        ends=bool(flags & 0x04),
        is_predicted=is_predicted,
        spatial_layer=spatial_layer,
        numbers=(picture, base),
        resolution=resolution,
        end=at,
    )


def _read_scalability_structure(
    payload: Payload, at: int
) -> tuple[tuple[int, int] | None, int]:
    """Read a scalability structure (RFC 9628 section 4.2.1).

    Returns:
        Its largest resolution, if it has any, and the index after it.
    """
    header = payload[at]
    at += 1
    layers, resolution = (header >> 5) + 1, None  # N_S
    if header & 0x10:  # Y
        sizes = [payload[at + 4 * n : at + 4 * n + 4] for n in range(layers)]
        if len(sizes[-1]) < 4:
            raise IndexError
        resolution = max(
            (int.from_bytes(size[:2]), int.from_bytes(size[2:])) for size in sizes
        )
        at += 4 * layers
    if header & 0x08:  # G
        pictures = payload[at]  # N_G
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 3)  # R: as many P_DIFF
    return resolution, at


def content(payload: bytes) -> Content:
    """What this packet contributes to its picture.

    A key frame begins where both the descriptor (B set, P not set, lowest spatial
    layer) and the frame's header say so: FFmpeg never sets P, and an intra-only frame
    is not predicted but does not replace older reference frames.
    """
    if not payload:
        return Content.HEADERS
    try:
        descriptor = _read_descriptor(payload)
        if _may_be_key(descriptor):
            reader = BitReader(payload[descriptor.end : descriptor.end + 2])
            if _read_key_profile(reader) is not None:
                return Content.KEY_PICTURE
    except (IndexError, BitstreamError):
        return Content.PICTURE
    return Content.PICTURE


def _may_be_key(descriptor: _Descriptor) -> bool:
    return (
        descriptor.begins
        and not descriptor.is_predicted
        and descriptor.spatial_layer == 0
    )


def frame_numbers(payload: Payload, at: int) -> FrameNumbers:
    """PictureID and TL0PICIDX of the payload at an index."""
    try:
        return _read_descriptor(payload, at).numbers
    except IndexError:
        return ()


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in a key frame's header and in a scalability structure.

    The resolution is that of the highest spatial layer, if the structure has it.
    """
    try:
        descriptor = _read_descriptor(payload)
        if _may_be_key(descriptor):
            reader = BitReader(payload[descriptor.end :])
            profile = _read_key_profile(reader)
            if profile is not None:
                return _read_key_frame(reader, profile, descriptor.resolution)
        if descriptor.resolution is None:
            return None
        return VideoParameters(*descriptor.resolution)
    except (IndexError, BitstreamError):
        return None


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads, without their descriptors, to a picture of the lowest layer.

    Decoders of files show each spatial layer as a picture of its own, so the others
    are left out.

    Raises:
        BitstreamError: when the packets do not contain a whole frame of that layer.
    """
    parts: list[bytes] = []
    is_whole = False
    for payload in payloads:
        try:
            descriptor = _read_descriptor(payload)
        except IndexError:
            raise BitstreamError("A payload descriptor is truncated.") from None
        if descriptor.spatial_layer:
            continue
        if descriptor.begins is not (not parts) or is_whole:
            raise BitstreamError("A packet of a frame is missing.")
        parts.append(payload[descriptor.end :])
        is_whole = descriptor.ends
    if not is_whole:
        raise BitstreamError("The last packet of a frame is missing.")
    return b"".join(parts)


def split(frame: bytes, size: int, number: int) -> list[bytes]:
    """Split a picture of one layer into payloads, with a PictureID of 15 bits.

    Raises:
        BitstreamError: when it is no picture.
    """
    is_key = _read_key_profile(BitReader(frame[:2])) is not None
    picture = write_picture_id(number)
    room = size - 1 - len(picture)
    # I, and P where the picture is predicted; B and E in the first and the last packet.
    flags = 0x80 if is_key else 0xC0
    payloads = []
    for at in range(0, len(frame), room):
        ends = at + room >= len(frame)
        descriptor = flags | 0x08 * (at == 0) | 0x04 * ends
        payloads.append(bytes([descriptor]) + picture + frame[at : at + room])
    return payloads


def _read_key_profile(reader: BitReader) -> int | None:
    """Read the start of the uncompressed header (VP9 section 6.2).

    Returns:
        The profile; None if the frame is no key frame.
    """
    if reader.read(2) != _FRAME_MARKER:
        return None
    profile = reader.read(1) | reader.read(1) << 1
    if profile == 3:
        reader.skip(1)
    show_existing_frame, non_key_frame = reader.flag(), reader.flag()
    return None if show_existing_frame or non_key_frame else profile


def _read_key_frame(
    reader: BitReader, profile: int, resolution: tuple[int, int] | None
) -> VideoParameters:
    """Read the rest of a key frame's uncompressed header (VP9 sections 6.2, 7.2)."""
    reader.skip(2)  # show_frame, error_resilient_mode
    if reader.read(24) != _SYNC_CODE:
        raise BitstreamError("This is no VP9 key frame.")
    bit_depth = 8
    if profile >= 2:
        bit_depth = 12 if reader.flag() else 10
    # Odd profiles are for subsampling other than 4:2:0.
    subsampling = (0, 0) if profile & 1 else (1, 1)
    if reader.read(3) != _CS_RGB:
        reader.skip(1)  # color_range
        if profile & 1:
            subsampling = reader.read(1), reader.read(1)
            reader.skip(1)
    elif profile & 1:
        reader.skip(1)
    frame_size = reader.read(16) + 1, reader.read(16) + 1
    width, height = resolution or frame_size
    return VideoParameters(
        width=width,
        height=height,
        profile=f"Profile {profile}",
        bit_depth=bit_depth,
        chroma=CHROMA[subsampling],
    )
