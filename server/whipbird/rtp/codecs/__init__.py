"""RTP payload formats: key frames, parameters and frames, without decoding."""

from collections.abc import Sequence
from typing import Protocol

from . import av1, h264, h265, vp8, vp9
from .parameters import VideoParameters

__all__ = ["VideoParameters", "VideoPayloadFormat", "payload_format"]


class VideoPayloadFormat(Protocol):
    """The RTP payload format of a video codec; each codec's module is one.

    A payload is an RTP packet without header, extensions and padding. All functions
    accept any octets.
    """

    def starts_key_frame(self, payload: bytes, /) -> bool:
        """Whether a decoder can start at this packet.

        It is fast enough to be called for every packet: it reads a few octets.
        """

    def read_parameters(self, payload: bytes, /) -> VideoParameters | None:
        """The stream parameters in this packet; None if absent or malformed."""

    def join(self, payloads: Sequence[bytes], /) -> bytes:
        """Join the payloads of all packets of a frame to a frame in FFmpeg's format.

        Raises:
            BitstreamError: when a packet is missing or malformed.
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
