"""What a video stream says of itself."""

from dataclasses import dataclass

from ..bits import BitstreamError

# By how much the chroma planes are smaller: 2 ** (horizontally, vertically).
CHROMA = {(1, 1): "4:2:0", (1, 0): "4:2:2", (0, 0): "4:4:4", (0, 1): "4:4:0"}

_LARGEST = 65535


@dataclass(frozen=True, slots=True)
class VideoParameters:
    """The parameters of a video stream, as its headers have them.

    What a header does not say is None.

    Attributes:
        width: of the picture in pixels, after cropping.
        height: of the picture in pixels, after cropping.
        profile: as people say it: "Constrained Baseline", "Main 10", "Profile 0".
        level: "3.1", "1b".
        tier: "Main" or "High" (H.265, AV1).
        bit_depth: of luma, 8 to 16.
        chroma: "4:2:0", "4:2:2", "4:4:4", "4:4:0", or "4:0:0" where there is none.

    Raises:
        BitstreamError: when no picture can have this size or depth.
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
            raise BitstreamError(f"A picture of {self.width} x {self.height}.")
        if self.bit_depth is not None and self.bit_depth > 16:
            raise BitstreamError(f"Samples of {self.bit_depth} bits.")
