"""Assembles packets to complete, decodable frames."""

from collections.abc import Callable
from dataclasses import dataclass

from ..rtp.codecs import VideoPayloadFormat, payload_format
from ..rtp.extensions import find_extension
from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec


@dataclass(frozen=True, slots=True)
class RtpFrame:
    """A frame of video or audio.

    Attributes:
        codec: its codec.
        payloads: the payloads of its packets; at least one, none empty.
        timestamp: its RTP timestamp, 32 bits.
        is_key: whether a decoder can start at it; true for all audio.
        arrival: when its first packet arrived, in seconds.
        rotation: degrees clockwise by which to rotate the picture to be upright:
            phones send it as the camera is held (3GPP TS 26.114 section 7.4.5).
    """

    codec: Codec
    payloads: tuple[bytes, ...]
    timestamp: int
    is_key: bool
    arrival: float
    rotation: int = 0


class FrameAssembler:
    """Assembles the packets of one source, which are in order but may have gaps.

    Video starts at a key frame. When a packet is missing, its frame and all frames up
    to the next key frame are left out.

    Args:
        on_frame: called with each frame.
        on_loss: called when packets are missing, so that a key frame is needed.
        orientation: the identifier of the video orientation header extension (3GPP
            TS 26.114 section 7.4.5); 0 without.

    Attributes:
        left_out: video frames left out although packets of them were received.
    """

    def __init__(
        self,
        on_frame: Callable[[RtpFrame], None],
        on_loss: Callable[[], None],
        orientation: int = 0,
    ) -> None:
        self.left_out = 0
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._orientation = orientation
        self._codec: Codec | None = None
        self._payload_format: VideoPayloadFormat | None = None
        self._payloads: list[bytes] = []
        self._sequence: int | None = None
        self._timestamp: int | None = None
        self._arrival = 0.0
        self._is_key = False
        self._rotation = 0
        self._needs_key = True
        self._is_left_out = False

    def push(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Add the next packet.

        Args:
            codec: its codec.
            now: its time of arrival, in seconds.
        """
        if codec is not self._codec:
            self._codec = codec
            self._payload_format = payload_format(codec.name)
            self._sequence = None
            self.restart()
        payload = packet.payload
        if self._payload_format is None:
            if payload:
                self._on_frame(RtpFrame(codec, (payload,), packet.timestamp, True, now))
            return
        following = self._sequence is None or self._sequence == packet.sequence
        self._sequence = (packet.sequence + 1) & 0xFFFF
        if not following:
            self.restart()
            self._on_loss()
        if packet.timestamp != self._timestamp:
            # The last packet of a frame should have the marker; some senders omit it.
            self._finish()
            self._timestamp, self._arrival = packet.timestamp, now
            self._is_left_out = False
        # Senders probe the bandwidth with packets that have only padding.
        if payload:
            self._add(payload, self._payload_format.starts_key_frame(payload))
        if packet.marker:
            if self._orientation:
                self._read_orientation(packet)
            self._finish()

    def restart(self) -> None:
        """Leave out the current frame, and all frames up to the next key frame."""
        if self._payloads:
            self._leave_out()
        self._payloads.clear()
        self._is_key = False
        self._needs_key = True

    def _add(self, payload: bytes, starts_key_frame: bool) -> None:
        if self._needs_key:
            if not starts_key_frame:
                self._leave_out()
                return
            self._needs_key = False
        self._payloads.append(payload)
        self._is_key = self._is_key or starts_key_frame

    def _read_orientation(self, packet: RtpPacket) -> None:
        """Read the rotation: in the last packet of key frames, and when it changes."""
        value = find_extension(packet, self._orientation)
        if value:
            self._rotation = 90 * (value[0] & 3)
        elif self._is_key:
            self._rotation = 0

    def _finish(self) -> None:
        if self._payloads:
            assert self._codec is not None
            assert self._timestamp is not None
            self._on_frame(
                RtpFrame(
                    self._codec,
                    tuple(self._payloads),
                    self._timestamp,
                    self._is_key,
                    self._arrival,
                    self._rotation,
                )
            )
        self._payloads.clear()
        self._is_key = False

    def _leave_out(self) -> None:
        if not self._is_left_out:
            self._is_left_out = True
            self.left_out += 1
