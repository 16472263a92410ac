"""What is given to a recording's thread: frames, and how files are divided."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..sdp.codecs import Codec
from .frames import RtpFrame


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame on the time line of the recording.

    Attributes:
        kind: ``audio`` or ``video``.
        position: when it is shown, in ticks of its codec's clock.
        tracks: kind -> codec, of all that comes now: what a file should have.
    """

    kind: str
    frame: RtpFrame
    position: int
    tracks: Mapping[str, Codec]

    @property
    def seconds(self) -> float:
        """When it is shown, in seconds."""
        return self.position / self.frame.codec.clock_rate


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """When a new file is begun, at the next key frame; None for never."""

    seconds: float | None = None
    octets: int | None = None
