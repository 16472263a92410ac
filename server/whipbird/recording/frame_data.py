"""The data of frames, as they are written to files."""

from ..media.frames import RtpFrame, join
from ..rtp.codecs.opus import read_packet
from ..sdp.codecs import Codec
from .pcm import PcmDecoder, sampling_rate

# Seconds: the duration of a frame of audio whose duration is unknown.
_USUAL_DURATION = 0.02


class FrameReader:
    """Reads the frames of a recording. G.711 and G.722 become PCM samples."""

    def __init__(self) -> None:
        self._decoder: tuple[Codec, PcmDecoder] | None = None

    def read(self, frame: RtpFrame) -> bytes:
        """The data of a frame.

        Raises:
            BitstreamError: when it is incomplete or malformed.
        """
        codec = frame.codec
        if sampling_rate(codec) is None:
            return join(frame)
        if self._decoder is None or self._decoder[0] != codec:
            self._decoder = codec, PcmDecoder(codec)
        return self._decoder[1].decode(frame.payloads[0])


def audio_duration(frame: RtpFrame) -> int:
    """The duration of a frame of audio, in ticks of its clock rate."""
    payload = frame.payloads[0]
    if sampling_rate(frame.codec) is not None:
        # G.711 and G.722 have one octet per tick.
        return len(payload)
    opus = read_packet(payload)
    if opus is not None:
        return opus.samples
    return round(_USUAL_DURATION * frame.codec.clock_rate)
