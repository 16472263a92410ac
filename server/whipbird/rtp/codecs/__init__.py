"""What RTP payloads say of the media in them, by codec, without decoding."""

from collections.abc import Sequence
from typing import Protocol

from . import av1, h264, h265, vp8, vp9
from .parameters import VideoParameters

__all__ = ["VideoCodec", "VideoParameters", "inspector"]


class VideoCodec(Protocol):
    """What each module of a video codec can say of one RTP payload.

    A payload is what is left of a packet after header, extensions and padding. Any
    octets will do.
    """

    def starts_key_frame(self, payload: bytes, /) -> bool:
        """Whether a viewer can begin with this packet.

        It is meant for every packet: the first octets decide.
        """

    def read_parameters(self, payload: bytes, /) -> VideoParameters | None:
        """What this packet says of the stream; None if nothing, or if malformed."""

    def join(self, payloads: Sequence[bytes], /) -> bytes:
        """One frame, from all the payloads of its packets, as FFmpeg has it.

        Raises:
            BitstreamError: when something is missing, or malformed.
        """


_VIDEO_CODECS: dict[str, VideoCodec] = {
    "av1": av1,
    "h264": h264,
    "h265": h265,
    "vp8": vp8,
    "vp9": vp9,
}


def inspector(encoding_name: str) -> VideoCodec | None:
    """The codec of an rtpmap's encoding name, in any case; None if it is not known."""
    return _VIDEO_CODECS.get(encoding_name.lower())
