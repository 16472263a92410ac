"""The codecs that a viewer negotiated for one track."""

from collections.abc import Iterable

from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec, best_match

# Types of H.264 payloads that are not single NAL units: aggregates and fragments (RFC
# 6184 section 5.2).
_STRUCTURES = range(24, 30)


class ViewerCodecs:
    """Which codecs a viewer can decode, and how their packets are retransmitted.

    Args:
        codecs: the payload types of its media section.
        is_sound: whether it is a section of audio.

    Attributes:
        rtx_types: payload type -> that of its RTX packets (RFC 4588).
        types_without_rtx: payload types that are retransmitted in the RTP stream
            itself, without RTX. Those of sound are, negotiated or not.
        red_types: payload type -> that of RED with its frames (RFC 2198).
    """

    def __init__(self, codecs: Iterable[Codec], *, is_sound: bool = False) -> None:
        self._codecs: list[Codec] = []
        self.rtx_types: dict[int, int] = {}
        self.red_types: dict[int, int] = {}
        for codec in codecs:
            if codec.retransmits is not None:
                self.rtx_types[codec.retransmits] = codec.payload_type
            elif codec.carries is not None:
                self.red_types[codec.carries] = codec.payload_type
            else:
                self._codecs.append(codec)
        self.types_without_rtx = frozenset(
            codec.payload_type
            for codec in self._codecs
            if (is_sound or "nack" in codec.feedback)
            and codec.payload_type not in self.rtx_types
        )
        self._matches: dict[Codec, Codec | None] = {}

    def match(self, codec: Codec) -> Codec | None:
        """The codec of the viewer's offer that can decode this codec; else None."""
        if codec not in self._matches:
            self._matches[codec] = best_match(codec, self._codecs)
        return self._matches[codec]

    def refuse(self, codec: Codec) -> None:
        """Match a codec with none from now on: its packets are not what it says."""
        self._matches[codec] = None


def is_structure(packet: RtpPacket) -> bool:
    """Whether a packet of H.264 has fragments or aggregates: it is of mode 1."""
    return holds_structure(packet.payload, 0)


def holds_structure(data: bytes, at: int) -> bool:
    """Likewise, for a payload of H.264 that begins at an index of the data."""
    return len(data) > at and data[at] & 0x1F in _STRUCTURES
