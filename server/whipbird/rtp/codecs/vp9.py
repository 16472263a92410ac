"""The RTP payload format of VP9 (RFC 9628): key frames, their headers, pictures.

"VP9" with a section number refers to the "VP9 Bitstream & Decoding Process
Specification".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..bits import BitReader, BitstreamError
from .parameters import CHROMA, VideoParameters

_FRAME_MARKER = 2
_SYNC_CODE = 0x498342
_CS_RGB = 7


@dataclass(frozen=True, slots=True)
class _Descriptor:
    """The fields of a payload descriptor that are used (RFC 9628 section 4.2).

    Attributes:
        may_be_key: whether it is the first packet of a frame of the lowest spatial
            layer that is not predicted from another picture.
        resolution: the largest resolution in the scalability structure; None without.
    """

    may_be_key: bool
    resolution: tuple[int, int] | None


def starts_key_frame(payload: bytes) -> bool:
    """Whether this packet is the first one of a key frame (of its lowest layer).

    Both the descriptor (B set, P not set, lowest spatial layer) and the frame's header
    must say so: FFmpeg never sets P, and an intra-only frame is not predicted but does
    not replace older reference frames.
    """
    if not payload or payload[0] & 0x48 != 0x08:
        return False
    reader = BitReader(payload)
    try:
        return (
            _read_descriptor(reader).may_be_key
            and _read_key_profile(reader) is not None
        )
    except BitstreamError:
        return False


def read_parameters(payload: bytes) -> VideoParameters | None:
    """The parameters in a key frame's header and in a scalability structure.

    The resolution is that of the highest spatial layer, if the structure has it.
    """
    # B and not P, or V: other packets have no parameters.
    if not payload or (payload[0] & 0x48 != 0x08 and not payload[0] & 0x02):
        return None
    reader = BitReader(payload)
    try:
        descriptor = _read_descriptor(reader)
        if descriptor.may_be_key:
            profile = _read_key_profile(reader)
            if profile is not None:
                return _read_key_frame(reader, profile, descriptor.resolution)
        if descriptor.resolution is None:
            return None
        return VideoParameters(*descriptor.resolution)
    except BitstreamError:
        return None


def join(payloads: Sequence[bytes]) -> bytes:
    """Join payloads, without their descriptors, to a picture.

    Each of several spatial layers is a frame; together they are a superframe (VP9
    annex B).

    Raises:
        BitstreamError: when the packets do not contain whole frames.
    """
    frames: list[bytearray] = []
    is_whole = True
    for payload in payloads:
        if bool(payload[0] & 0x08) != is_whole:  # B: a frame starts
            raise BitstreamError("A packet of a frame is missing.")
        reader = BitReader(payload)
        _read_descriptor(reader)
        if is_whole:
            frames.append(bytearray())
        frames[-1] += reader.rest()
        is_whole = bool(payload[0] & 0x04)  # E: it ends
    if not is_whole:
        raise BitstreamError("The last packet of a frame is missing.")
    return b"".join(frames) + _superframe_index([len(frame) for frame in frames])


def _superframe_index(sizes: list[int]) -> bytes:
    """The index at the end of a superframe (VP9 annex B.2); empty for one frame."""
    if len(sizes) < 2:
        return b""
    if len(sizes) > 8:
        raise BitstreamError("A picture has more than 8 layers.")
    octets = (max(sizes).bit_length() + 7) // 8
    marker = bytes([0xC0 | (octets - 1) << 3 | len(sizes) - 1])
    return b"".join([marker, *(s.to_bytes(octets, "little") for s in sizes), marker])


def _read_descriptor(reader: BitReader) -> _Descriptor:
    """Read a payload descriptor (RFC 9628 section 4.2), up to the frame."""
    has_picture_id, predicted, has_layers, flexible, begin, _end, has_structure, _ = (
        reader.flag() for _ in range(8)
    )
    if has_picture_id:
        reader.skip(15 if reader.flag() else 7)
    spatial_layer = 0
    if has_layers:
        reader.skip(4)  # TID, U
        spatial_layer = reader.read(3)
        reader.skip(1)  # D
        if not flexible:
            reader.skip(8)  # TL0PICIDX
    if flexible and predicted:
        for _ in range(3):
            reader.skip(7)  # P_DIFF
            if not reader.flag():  # N: another one follows
                break
    resolution = _read_scalability_structure(reader) if has_structure else None
    return _Descriptor(begin and not predicted and spatial_layer == 0, resolution)


def _read_scalability_structure(reader: BitReader) -> tuple[int, int] | None:
    """The largest resolution in a scalability structure (RFC 9628 section 4.2.1)."""
    layers = reader.read(3) + 1  # N_S
    has_resolutions, has_group = reader.flag(), reader.flag()  # Y, G
    reader.skip(3)
    resolution = None
    if has_resolutions:
        resolution = max((reader.read(16), reader.read(16)) for _ in range(layers))
    if has_group:
        for _ in range(reader.read(8)):  # N_G
            reader.skip(4)  # TID, U
            references = reader.read(2)
            reader.skip(2 + 8 * references)
    return resolution


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
