"""RTP payload formats: key frames, parameters and frames, without decoding."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from . import av1, h264, h265, vp8, vp9
from .content import Content
from .parameters import (
    FrameNumber,
    FrameNumbers,
    ParameterSets,
    Payload,
    VideoParameters,
)

__all__ = [
    "Content",
    "FrameNumber",
    "FrameNumbers",
    "ParameterSets",
    "Payload",
    "VideoParameters",
    "VideoPayloadFormat",
    "payload_format",
]


class VideoPayloadFormat(Protocol):
    """The RTP payload format of a video codec; each codec's module is one.

    A payload is an RTP packet without header, extensions and padding. All functions
    accept any octets.
    """

    def content(self, payload: bytes, /) -> Content:
        """What this packet contributes to its access unit; it reads a few octets."""

    def parameter_sets(self, payload: bytes, /) -> ParameterSets:
        """The parameter sets in this packet that are whole."""

    def offered_parameter_sets(self, parameters: Mapping[str, str], /) -> ParameterSets:
        """The parameter sets in the format parameters of SDP."""

    def with_parameter_sets(self, sets: Iterable[bytes], /) -> list[bytes]:
        """Payloads of packets that have these parameter sets and nothing else."""

    def frame_numbers(self, payload: Payload, at: int, /) -> FrameNumbers:
        """The frame numbers in the descriptor of a payload.

        Args:
            payload: the octets of a packet.
            at: the index at which the payload starts.
        """

    def read_parameters(self, payload: bytes, /) -> VideoParameters | None:
        """The stream parameters in this packet; None if absent or malformed."""

    def join(self, payloads: Sequence[bytes], /) -> bytes:
        """Join the payloads of all packets of a frame to a frame in FFmpeg's format.

        Raises:
            BitstreamError: when a packet is missing or malformed.
        """

    def split(self, frame: bytes, size: int, number: int, /) -> list[bytes]:
        """Split a frame in FFmpeg's format into the payloads of its packets.

        Args:
            size: octets of a payload, at most.
            number: of the frame, from any number on; it may wrap at 15 bits.

        Raises:
            BitstreamError: when the frame is empty or malformed.
        """


_FORMATS: dict[str, VideoPayloadFormat] = {
    "av1": av1,
    "h264": h264,
    "h265": h265,
    "vp8": vp8,
    "vp9": vp9,
}


def payload_format(encoding_name: str) -> VideoPayloadFormat | None:
    """The payload format of a video codec; None if there is none.

    Args:
        encoding_name: as in ``a=rtpmap``, in any case.
    """
    return _FORMATS.get(encoding_name.lower())
