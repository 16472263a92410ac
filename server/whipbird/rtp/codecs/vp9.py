"""VP9 in RTP (RFC 9628): where key frames begin, and what their header says.

The frame's own sections are those of the "VP9 Bitstream & Decoding Process
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
    """What matters of a payload descriptor (RFC 9628 section 4.2).

    Attributes:
        may_be_key: the first packet of a frame of the lowest spatial layer that is
            not predicted from another picture.
        resolution: the largest one of the scalability structure, if there is one.
    """

    may_be_key: bool
    resolution: tuple[int, int] | None


def starts_key_frame(payload: bytes) -> bool:
    """Whether this packet is the first one of a key frame, of all its layers.

    The descriptor has to say so (B set, P not, lowest spatial layer), and the frame's
    header too: FFmpeg leaves P unset in every packet, and a frame can be coded
    without prediction and yet leave older ones in use (an intra-only frame).
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
    """Read a key frame's header and the scalability structure, what there is of them.

    The resolution is that of the highest spatial layer, where the structure says it.
    """
    # B and not P, or V: only these packets tell anything.
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
    """One picture, of the payloads of its packets without their descriptors.

    Where it has several spatial layers, each of them is a frame, and together they
    are a superframe (VP9 annex B).

    Raises:
        BitstreamError: when the packets are not those of whole frames.
    """
    frames: list[bytearray] = []
    is_whole = True
    for payload in payloads:
        if bool(payload[0] & 0x08) != is_whole:  # B: a frame begins
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
    """What stands at the end of several frames (VP9 annex B.2)."""
    if len(sizes) < 2:
        return b""
    if len(sizes) > 8:
        raise BitstreamError("A picture has more than 8 layers.")
    octets = (max(sizes).bit_length() + 7) // 8
    marker = bytes([0xC0 | (octets - 1) << 3 | len(sizes) - 1])
    return b"".join([marker, *(s.to_bytes(octets, "little") for s in sizes), marker])


def _read_descriptor(reader: BitReader) -> _Descriptor:
    """RFC 9628 section 4.2. The reader is left at the frame."""
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
    """RFC 9628 section 4.2.1: the largest resolution, or None if it has none."""
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
    """Read the start of the uncompressed header: the profile, or None if no key frame.

    VP9 section 6.2.
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
    # Odd profiles are for whatever is not 4:2:0.
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
