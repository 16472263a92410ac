"""G.711 and G.722 as the samples that they stand for.

PyAV puts neither into Matroska, and few players would know them there. Nothing is lost.
"""

import av
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

from ..rtp.bits import BitstreamError
from ..sdp.codecs import Codec

# By encoding name: FFmpeg's decoder, and the sampling rate. G.722 has twice the samples
# that its RTP clock counts (RFC 3551 section 4.5.2).
_DECODERS = {
    "pcmu": ("pcm_mulaw", 8000),
    "pcma": ("pcm_alaw", 8000),
    "g722": ("g722", 16000),
}


def sampling_rate(codec: Codec) -> int | None:
    """Samples per second of a codec that is written as samples; None for others."""
    return _DECODERS[codec.name][1] if codec.name in _DECODERS else None


class PcmDecoder:
    """Makes samples of 16 bits, little endian, of the packets of one source.

    Args:
        codec: one that has a ``sampling_rate``.
    """

    def __init__(self, codec: Codec) -> None:
        name, rate = _DECODERS[codec.name]
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, AudioCodecContext)
        self._context = context
        self._context.sample_rate = rate
        self._context.layout = "mono"

    def decode(self, payload: bytes) -> bytes:
        """The samples of a packet.

        Raises:
            BitstreamError: when there are none.
        """
        try:
            frames = self._context.decode(Packet(payload))
        except av.FFmpegError as error:
            raise BitstreamError(f"Sound without samples: {error}") from error
        return b"".join(bytes(f.planes[0])[: 2 * f.samples] for f in frames)
