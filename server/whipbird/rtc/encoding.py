"""Frames of a track to payloads of RTP, by aiortc's encoders."""

import asyncio
import math
from array import array
from typing import Any, NamedTuple

from aiortc.codecs import get_encoder, h264, vpx
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import AudioFrame
from av.frame import Frame
from av.packet import Packet

from ..rtp.packet import MAX_PAYLOAD
from ..sdp.codecs import Codec

# aiortc's own packets fill the 1,500 octets of an Ethernet, which not all paths carry.
h264.PACKET_MAX = vpx.PACKET_MAX = MAX_PAYLOAD

# Of 16-bit samples.
_FULL_SCALE = 32767
# -dBov (RFC 6464 section 3)
_SILENCE = 127


class EncodedFrame(NamedTuple):
    """One encoded frame, as it is sent.

    Attributes:
        payloads: the payloads of its RTP packets, in order.
        timestamp: in ticks of the codec's clock, from the track's own beginning.
        level: of audio, in -dBov from 0 to 127 (RFC 6464); None when it is not known.
    """

    payloads: list[bytes]
    timestamp: int
    level: int | None


class TrackEncoder:
    """Encodes the frames of one track.

    Args:
        kind: ``audio`` or ``video``.
        codec: one that aiortc can encode.

    Raises:
        ValueError: when it cannot.
    """

    def __init__(self, kind: str, codec: Codec) -> None:
        self._encoder = get_encoder(
            RTCRtpCodecParameters(
                mimeType=f"{kind}/{codec.name}",
                clockRate=codec.clock_rate,
                channels=codec.channels if kind == "audio" else None,
                payloadType=codec.payload_type,
            )
        )

    def limit(self, bitrate: int) -> None:
        """Aim at a bitrate, in bit/s, where the encoder has one to choose."""
        if hasattr(self._encoder, "target_bitrate"):
            self._encoder.target_bitrate = bitrate

    async def encode(self, frame: Frame, *, is_key: bool) -> EncodedFrame | None:
        """Encode a frame, in a thread.

        Args:
            is_key: whether it must be a key frame.

        Returns:
            None when the encoder needs more frames first.
        """
        loop = asyncio.get_running_loop()
        payloads, timestamp = await loop.run_in_executor(
            None, self._encoder.encode, frame, is_key
        )
        if not payloads:
            return None
        return EncodedFrame(payloads, timestamp, audio_level(frame))

    def pack(self, packet: "Packet[Any]") -> EncodedFrame | None:
        """Split an encoded frame into payloads.

        Returns:
            None when the frame is empty.
        """
        payloads, timestamp = self._encoder.pack(packet)
        return EncodedFrame(payloads, timestamp, None) if payloads else None


def audio_level(frame: Frame) -> int | None:
    """How loud audio is (RFC 6465 appendix A).

    Returns:
        -dBov, 0 to 127; None when the frame has no samples of 16 bits.
    """
    if not isinstance(frame, AudioFrame) or frame.format.name != "s16":
        return None
    count = frame.samples * len(frame.layout.channels)
    samples = array("h", bytes(frame.planes[0])[: 2 * count])
    power = sum(sample * sample for sample in samples)
    if not power:
        return _SILENCE
    rms = math.sqrt(power / len(samples)) / _FULL_SCALE
    return min(max(round(-20 * math.log10(rms)), 0), _SILENCE)
