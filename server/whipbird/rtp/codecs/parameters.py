"""The parameters of a video stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..bits import BitstreamError

# By chroma subsampling: log2 of the factor, horizontally and vertically.
CHROMA = {(1, 1): "4:2:0", (1, 0): "4:2:2", (0, 0): "4:4:4", (0, 1): "4:4:0"}

_LARGEST = 65535

ParameterSets = Mapping[tuple[int, int], bytes]
"""Units without which no picture can be decoded, by their type and id."""

Payload = bytes | bytearray | memoryview


class FrameNumber(NamedTuple):
    """A number in a payload descriptor.

    Attributes:
        at: the index of its first octet.
        mask: its bits, the lowest of one or two octets.
        value: its value.
    """

    at: int
    mask: int
    value: int


FrameNumbers = tuple[FrameNumber | None, ...]
"""PictureID, TL0PICIDX and KEYIDX, if the codec has them; None for an absent one."""


def no_frame_numbers(_payload: Payload, _at: int) -> FrameNumbers:
    """The frame numbers of a payload format that has none."""
    return ()


def no_parameter_sets(_payload: object) -> ParameterSets:
    """The parameter sets of a codec that has none, in a payload or in SDP."""
    return {}


def no_payloads(_sets: object) -> list[bytes]:
    """The payloads for the parameter sets of a codec that has none."""
    return []


@dataclass(frozen=True, slots=True)
class VideoParameters:
    """The parameters of a video stream, read from its headers.

    A parameter that is not in the header is None.

    Attributes:
        width, height: the size of the picture in pixels, after cropping.
        profile: its common name: "Constrained Baseline", "Main 10", "Profile 0".
        level: "3.1", "1b".
        tier: "Main" or "High" (H.265, AV1).
        bit_depth: the bit depth of luma, 8 to 16.
        chroma: "4:2:0", "4:2:2", "4:4:4", "4:4:0", or "4:0:0" for monochrome.

    Raises:
        BitstreamError: when the size or bit depth is impossible.
    """

    width: int
    height: int
    profile: str | None = None
    level: str | None = None
    tier: str | None = None
    bit_depth: int | None = None
    chroma: str | None = None

    def __post_init__(self) -> None:
        if not (0 < self.width <= _LARGEST and 0 < self.height <= _LARGEST):
            raise BitstreamError(
                f"A picture cannot have {self.width} x {self.height} pixels."
            )
        if self.bit_depth is not None and self.bit_depth > 16:
            raise BitstreamError(f"Samples cannot have {self.bit_depth} bits.")
