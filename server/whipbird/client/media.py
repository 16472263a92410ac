"""Encoded media on its way to a WHIP server, and where it comes from."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

Kind = Literal["audio", "video"]
VideoCodec = Literal["H264", "VP8"]

# RTP clock rates (RFC 6184, RFC 7741, RFC 7587, RFC 3551), by encoding name.
CLOCK_RATES = {"H264": 90000, "VP8": 90000, "opus": 48000, "PCMU": 8000, "PCMA": 8000}

# Bits per second of video that is encoded here.
DEFAULT_BITRATE = 2_500_000


class MediaError(Exception):
    """A file cannot be read, or what is in it cannot be sent."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One audio or video stream of a source.

    Attributes:
        codec: how it is sent: the encoding name, as in SDP.
        description: what it is in the source, for people.
        is_encoded: whether it is encoded here, or sent as it is.
        reason: why, if it was encoded before.
    """

    kind: Kind
    codec: str
    description: str
    is_encoded: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """What is sent with one RTP timestamp.

    Attributes:
        timestamp: from 0 at the beginning of the source, in ticks of the codec's clock;
            a little less than 0 where a codec starts early.
        ticks: how long it is shown or heard.
        clock_rate: ticks per second.
    """

    kind: Kind
    data: bytes
    timestamp: int
    ticks: int
    clock_rate: int

    @property
    def time(self) -> float:
        """Seconds from the beginning of the source."""
        return self.timestamp / self.clock_rate

    @property
    def end(self) -> float:
        """Seconds from the beginning of the source to its end."""
        return (self.timestamp + self.ticks) / self.clock_rate


class MediaSource(Protocol):
    """Where encoded frames come from. It blocks: to be used in a thread.

    Attributes:
        name: what it is called.
        damaged: packets that could not be read.
    """

    name: str
    damaged: int

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """What is in it, at most one of each kind."""
        ...

    @property
    def skipped(self) -> int:
        """Pictures that were not encoded because the machine is too slow."""
        ...

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames, each stream's in order; closing the iterator closes files.

        Args:
            is_late: whether it is too late to encode what belongs to this second.

        Raises:
            MediaError: when the source ends before its end.
        """
        ...

    def request_key_frame(self) -> None:
        """Let the next frame of encoded video be a key frame; from any thread."""
