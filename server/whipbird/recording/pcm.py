"""Decodes G.711 and G.722 to PCM samples.

PyAV cannot write them to Matroska, and few players support them there. The samples are
exactly those that a receiver would play.
"""

import av
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

from ..rtp.bits import BitstreamError
from ..sdp.codecs import Codec

# Encoding name -> FFmpeg's decoder and the sampling rate. The sampling rate of G.722 is
# twice its RTP clock rate (RFC 3551 section 4.5.2).
DECODERS = {
    "pcmu": ("pcm_mulaw", 8000),
    "pcma": ("pcm_alaw", 8000),
    "g722": ("g722", 16000),
}


def sampling_rate(codec: Codec) -> int | None:
    """The sampling rate of a codec that is recorded as PCM; None for other codecs."""
    return DECODERS[codec.name][1] if codec.name in DECODERS else None


class PcmDecoder:
    """Decodes the packets of one source to 16-bit little-endian samples.

    Args:
        codec: a codec with a ``sampling_rate``.
    """

    def __init__(self, codec: Codec) -> None:
        name, rate = DECODERS[codec.name]
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        self._context = context
        self._context.sample_rate = rate
        self._context.layout = "mono"

    def decode(self, payload: bytes) -> bytes:
        """Decode a packet.

        Raises:
            BitstreamError: when it has no valid samples.
        """
        try:
            frames = self._context.decode(Packet(payload))
        except av.FFmpegError as error:
            raise BitstreamError(f"The samples cannot be decoded: {error}") from error
        return b"".join(bytes(f.planes[0])[: 2 * f.samples] for f in frames)
