"""The input of a recording's thread: frames with positions, and limits of a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..media.frames import RtpFrame
from ..sdp.codecs import Codec


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame on the timeline of the recording.

    Attributes:
        kind: ``audio`` or ``video``.
        position: its presentation time, in ticks of its codec's clock rate.
        tracks: kind -> codec of the tracks received now, which a file should have.
    """

    kind: str
    frame: RtpFrame
    position: int
    tracks: Mapping[str, Codec]

    @property
    def seconds(self) -> float:
        """Its presentation time, in seconds."""
        return self.position / self.frame.codec.clock_rate


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """The limits of a file; the next one starts at a key frame. None means no limit."""

    seconds: float | None = None
    octets: int | None = None
