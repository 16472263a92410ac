"""What the packets of a file go through: here those that are sent as they are."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream

from ..rtp.codecs import opus
from .media import CLOCK_RATES, EncodedFrame, MediaError

# RFC 3551 section 4.2: sound goes in packets of 20 ms; PCM has an octet per sample.
PCM_SAMPLES = 160

# Ticks of 48 kHz by which a container that counts milliseconds may be off.
_ROUNDING = 2 * 48

# H.264 in MP4 and Matroska begins with this version of its configuration record
# (ISO/IEC 14496-15), in Annex B with a start code.
_AVCC_VERSION = 1
_START_CODE = b"\0\0\1"
_SPS = 7

# It is generic in its annotations only.
if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet


class DamagedError(Exception):
    """A packet makes no sense, and is left out."""


class Pipeline:
    """What the packets of one stream go through.

    It stays when the file begins again.
    """

    def begin(self, stream: Stream) -> None:
        """Take packets of this stream from now on."""

    def take(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        """Turn a packet into what is sent of it.

        Args:
            time: seconds at which it is shown or heard.

        Raises:
            DamagedError: when it cannot be read.
            MediaError: when nothing can be sent from here on.
        """
        raise NotImplementedError

    def end(self) -> Iterator[EncodedFrame]:
        """What is left at the end of the stream."""
        yield from ()

    def flush(self) -> Iterator[EncodedFrame]:
        """What is left when nothing more comes."""
        yield from ()


class VideoPassthrough(Pipeline):
    """Video as it is: VP8, of which a packet in a file is a frame."""

    codec = "VP8"

    def __init__(self) -> None:
        self._clock_rate = CLOCK_RATES[self.codec]
        self._time = Fraction(-1)
        self._timestamp: int | None = None

    def take(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        if time < self._time:
            raise MediaError(
                f"the pictures are out of order at second {float(time):.1f} "
                "(B-frames), which WebRTC does not know; "
                "--video-codec vp8 encodes them anew"
            )
        self._time = time
        ticks = round(packet_duration(packet) * self._clock_rate)
        # A filter empties the packet.
        data = self.frame_of(packet)
        timestamp = round(time * self._clock_rate)
        if self._timestamp is not None:
            # Two frames with one timestamp would be taken for one.
            timestamp = max(timestamp, self._timestamp + 1)
        self._timestamp = timestamp
        yield EncodedFrame("video", data, timestamp, ticks, self._clock_rate)

    def frame_of(self, packet: AnyPacket) -> bytes:
        """The octets that are sent.

        Raises:
            DamagedError: when it cannot be read.
        """
        return bytes(packet)


class H264Passthrough(VideoPassthrough):
    """H.264 as it is, in Annex B, with parameter sets before each key frame."""

    codec = "H264"

    def __init__(self) -> None:
        super().__init__()
        self._filter: BitStreamFilterContext | None = None
        self._parameter_sets = b""

    def begin(self, stream: Stream) -> None:
        self._parameter_sets = stream.codec_context.extradata or b""
        self._filter = None
        if self._parameter_sets[:1] == bytes([_AVCC_VERSION]):
            self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)

    def frame_of(self, packet: AnyPacket) -> bytes:
        if self._filter is not None:
            # It adds the parameter sets too.
            try:
                return b"".join(bytes(unit) for unit in self._filter.filter(packet))
            except av.FFmpegError as error:
                raise DamagedError(error.strerror) from error
        data = bytes(packet)
        if packet.is_keyframe and not _has_parameter_sets(data):
            return self._parameter_sets + data
        return data


class OpusPassthrough(Pipeline):
    """Opus as it is."""

    def __init__(self) -> None:
        self._clock_rate = CLOCK_RATES["opus"]
        self._next: int | None = None

    def take(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        data = bytes(packet)
        content = opus.read_packet(data)
        if content is None:
            raise DamagedError("no Opus packet")
        timestamp = round(time * self._clock_rate)
        if self._next is not None and timestamp < self._next + _ROUNDING:
            timestamp = self._next
        self._next = timestamp + content.samples
        yield EncodedFrame("audio", data, timestamp, content.samples, self._clock_rate)


class PcmPassthrough(Pipeline):
    """PCMU and PCMA as they are, in packets of 20 ms."""

    def __init__(self, codec: str) -> None:
        self._clock_rate = CLOCK_RATES[codec]
        self._rest = b""
        self._timestamp: int | None = None

    def take(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        timestamp = round(time * self._clock_rate)
        if self._timestamp is None:
            self._timestamp = timestamp
        elif timestamp - self._timestamp - len(self._rest) > PCM_SAMPLES:
            # A pause.
            yield from self.flush()
            self._timestamp = timestamp
        self._rest += bytes(packet)
        while len(self._rest) >= PCM_SAMPLES:
            yield self._cut(PCM_SAMPLES)

    def flush(self) -> Iterator[EncodedFrame]:
        if self._rest:
            yield self._cut(len(self._rest))

    def _cut(self, samples: int) -> EncodedFrame:
        assert self._timestamp is not None
        data, self._rest = self._rest[:samples], self._rest[samples:]
        frame = EncodedFrame("audio", data, self._timestamp, samples, self._clock_rate)
        self._timestamp += samples
        return frame


def packet_duration(packet: AnyPacket) -> Fraction:
    """Seconds, as the file says; 0 when it does not."""
    return (packet.duration or 0) * packet.time_base


def _has_parameter_sets(access_unit: bytes) -> bool:
    """Whether there is a sequence parameter set in it (H.264 section 7.4.1)."""
    start = access_unit.find(_START_CODE)
    while start >= 0:
        header = access_unit[start + len(_START_CODE) : start + len(_START_CODE) + 1]
        if header and header[0] & 0x1F == _SPS:
            return True
        start = access_unit.find(_START_CODE, start + len(_START_CODE))
    return False
