"""Encoded frames and their sources."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

Kind = Literal["audio", "video"]
VideoCodec = Literal["H264", "VP8"]

# RTP clock rates (RFC 6184, RFC 7741, RFC 7587, RFC 3551), by encoding name.
CLOCK_RATES = {"H264": 90000, "VP8": 90000, "opus": 48000, "PCMU": 8000, "PCMA": 8000}

# The bitrate of video that is encoded here, in bit/s.
DEFAULT_BITRATE = 2_500_000


class MediaError(Exception):
    """A source cannot be read or sent."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One audio or video stream of a source.

    Attributes:
        codec: the encoding name of the codec that is sent, as in SDP.
        description: a description of the stream in the source, for people.
        is_encoded: whether it is encoded here; otherwise it is passed through.
        reason: why it is transcoded; empty if it is not.
    """

    kind: Kind
    codec: str
    description: str
    is_encoded: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """An encoded frame: the data of one RTP timestamp.

    Attributes:
        timestamp: its presentation time from the beginning of the source, in ticks;
            a little less than 0 for the first frames of some codecs.
        ticks: its duration in ticks.
        clock_rate: ticks per second.
    """

    kind: Kind
    data: bytes
    timestamp: int
    ticks: int
    clock_rate: int

    @property
    def time(self) -> float:
        """Its presentation time in seconds from the beginning of the source."""
        return self.timestamp / self.clock_rate

    @property
    def end(self) -> float:
        """The time of its end in seconds from the beginning of the source."""
        return (self.timestamp + self.ticks) / self.clock_rate


class MediaSource(Protocol):
    """A source of encoded frames. Its methods block: call them in a thread.

    Attributes:
        name: its name, for people.
        damaged: packets that could not be read.
    """

    name: str
    damaged: int

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """Its streams, at most one of each kind."""
        ...

    @property
    def skipped(self) -> int:
        """Pictures not encoded because the machine was too slow."""
        ...

    def frames(self, is_late: Callable[[Fraction], bool]) -> Generator[EncodedFrame]:
        """All frames, in order within each stream; closing the iterator closes files.

        Args:
            is_late: returns whether it is too late to encode a picture of this time
                (in seconds from the beginning).

        Raises:
            MediaError: when the source breaks off.
        """
        ...

    def request_key_frame(self) -> None:
        """Make the next picture a key frame, if encoded here; from any thread."""
