"""Pipelines from the packets of a file to encoded frames; here without transcoding."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream

from ..rtp.codecs import opus
from .media import CLOCK_RATES, EncodedFrame, MediaError

# Samples of a packet of 20 ms (RFC 3551 section 4.2); PCM has one octet per sample.
PCM_SAMPLES = 160

# Ticks of 48 kHz: the rounding error of a container that counts milliseconds.
_ROUNDING = 2 * 48

# The header of H.264 in MP4 and Matroska starts with this version of its configuration
# record (ISO/IEC 14496-15); in Annex B format it starts with a start code.
_AVCC_VERSION = 1
_START_CODE = b"\0\0\1"
_SPS = 7

# Packet is generic in its annotations only.
if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:
    AnyPacket = Packet


class DamagedError(Exception):
    """A packet is damaged, and is left out."""


class Pipeline:
    """Processes the packets of one stream of a file.

    When the file is repeated, the pipeline is kept.
    """

    def begin(self, stream: Stream) -> None:
        """Begin a stream; called again for each repetition of the file."""

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        """Process a packet to the frames to send.

        Args:
            time: its presentation time, in seconds.

        Raises:
            DamagedError: when the packet cannot be read.
            MediaError: when the stream cannot be sent from here on.
        """
        raise NotImplementedError

    def end(self) -> Iterator[EncodedFrame]:
        """The remaining frames at the end of the stream."""
        yield from ()

    def flush(self) -> Iterator[EncodedFrame]:
        """The remaining frames after the last repetition."""
        yield from ()


class VideoPassthrough(Pipeline):
    """Passes video through: VP8, of which a packet in a file is a frame."""

    codec = "VP8"

    def __init__(self) -> None:
        self._clock_rate = CLOCK_RATES[self.codec]
        self._time = Fraction(-1)
        self._timestamp: int | None = None

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        if time < self._time:
            raise MediaError(
                f"the pictures are out of order at second {float(time):.1f} "
                "(B-frames), which WebRTC does not support; "
                "--video-codec vp8 transcodes them"
            )
        self._time = time
        ticks = round(packet_duration(packet) * self._clock_rate)
        # After this, since a filter empties the packet.
        data = self.frame_of(packet)
        timestamp = round(time * self._clock_rate)
        if self._timestamp is not None:
            # Two frames with the same timestamp would count as one.
            timestamp = max(timestamp, self._timestamp + 1)
        self._timestamp = timestamp
        yield EncodedFrame("video", data, timestamp, ticks, self._clock_rate)

    def frame_of(self, packet: AnyPacket) -> bytes:
        """The frame in a packet.

        Raises:
            DamagedError: when the packet cannot be read.
        """
        return bytes(packet)


class H264Passthrough(VideoPassthrough):
    """Passes H.264 through, in Annex B format with parameter sets in key frames."""

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
            # The filter adds the parameter sets too.
            try:
                return b"".join(bytes(unit) for unit in self._filter.filter(packet))
            except av.FFmpegError as error:
                raise DamagedError(error.strerror) from error
        data = bytes(packet)
        if packet.is_keyframe and not _has_parameter_sets(data):
            return self._parameter_sets + data
        return data


class OpusPassthrough(Pipeline):
    """Passes Opus through."""

    def __init__(self) -> None:
        self._clock_rate = CLOCK_RATES["opus"]
        self._next: int | None = None

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        data = bytes(packet)
        content = opus.read_packet(data)
        if content is None:
            raise DamagedError("not an Opus packet")
        timestamp = round(time * self._clock_rate)
        if self._next is not None and timestamp < self._next + _ROUNDING:
            timestamp = self._next
        self._next = timestamp + content.samples
        yield EncodedFrame("audio", data, timestamp, content.samples, self._clock_rate)


class PcmPassthrough(Pipeline):
    """Passes PCMU and PCMA through, in packets of 20 ms."""

    def __init__(self, codec: str) -> None:
        self._clock_rate = CLOCK_RATES[codec]
        self._rest = b""
        self._timestamp: int | None = None

    def process(self, packet: AnyPacket, time: Fraction) -> Iterator[EncodedFrame]:
        timestamp = round(time * self._clock_rate)
        if self._timestamp is None:
            self._timestamp = timestamp
        elif timestamp - self._timestamp - len(self._rest) > PCM_SAMPLES:
            # There is a gap.
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
    """The duration of a packet in seconds; 0 if the file does not have it."""
    return (packet.duration or 0) * packet.time_base


def _has_parameter_sets(access_unit: bytes) -> bool:
    """Whether an access unit has a sequence parameter set (H.264 section 7.4.1)."""
    start = access_unit.find(_START_CODE)
    while start >= 0:
        header = access_unit[start + len(_START_CODE) : start + len(_START_CODE) + 1]
        if header and header[0] & 0x1F == _SPS:
            return True
        start = access_unit.find(_START_CODE, start + len(_START_CODE))
    return False
