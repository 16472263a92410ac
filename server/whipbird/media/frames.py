"""Assembles packets to complete, decodable frames."""

from collections.abc import Callable
from dataclasses import dataclass

from ..rtp.codecs import payload_format
from ..rtp.extensions import find_extension
from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec

# Seconds after a marker within which the next packet shows whether the frame has ended.
IDLE_TIME = 0.25


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


def join(frame: RtpFrame) -> bytes:
    """The data of a frame, as FFmpeg's decoders and muxers take it.

    Raises:
        BitstreamError: when it is incomplete or malformed.
    """
    video = payload_format(frame.codec.name)
    return frame.payloads[0] if video is None else video.join(frame.payloads)


class FrameAssembler:
    """Assembles the packets of an encoding, which are in order but may have gaps.

    A frame ends where the timestamp changes. Video starts at a key frame. When a packet
    is missing, its frame and all frames up to the next key frame are left out.

    Args:
        on_frame: called with each frame.
        on_loss: called when packets are missing, so that a key frame is needed.
        orientation: the identifier of the video orientation header extension (3GPP
            TS 26.114 section 7.4.5); 0 without.
        is_hasty: whether a frame ends at a marker, too: without a delay, and in parts
            where the sender sets markers within it.

    Attributes:
        left_out: video frames left out although packets of them were received.
    """

    def __init__(
        self,
        on_frame: Callable[[RtpFrame], None],
        on_loss: Callable[[], None],
        orientation: int = 0,
        *,
        is_hasty: bool = False,
    ) -> None:
        self.left_out = 0
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._orientation = orientation
        self._is_hasty = is_hasty
        self._codec: Codec | None = None
        self._is_video = False
        self._payloads: list[bytes] = []
        self._sequence: int | None = None
        self._timestamp: int | None = None
        self._arrival = 0.0
        self._is_key = self._has_picture = False
        self._rotation = 0
        self._needs_key = True
        self._is_left_out = False
        self._is_marked = self._sets_markers = False
        self._pushed_at = 0.0

    def push(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Add the next packet.

        Args:
            codec: its codec.
            now: its time of arrival, in seconds.
        """
        if codec is not self._codec:
            self.flush()
            self._codec = codec
            self._is_video = payload_format(codec.name) is not None
            self._sequence = None
            self.restart()
        payload = packet.payload
        if not self._is_video:
            if payload:
                self._on_frame(RtpFrame(codec, (payload,), packet.timestamp, True, now))
            return
        following = self._sequence is None or self._sequence == packet.sequence
        self._sequence = (packet.sequence + 1) & 0xFFFF
        if not following:
            self.restart()
            self._on_loss()
        if packet.timestamp != self._timestamp:
            if following:
                self._sets_markers = self._is_marked
            self.flush()
            self._timestamp, self._arrival = packet.timestamp, now
            self._is_left_out = False
        # Senders probe the bandwidth with packets that have only padding.
        if payload:
            self._add(packet, payload)
        self._is_marked, self._pushed_at = packet.marker, now
        if packet.marker:
            if self._orientation:
                self._read_orientation(packet)
            if self._is_hasty:
                self.flush()

    def flush_idle(self, now: float) -> None:
        """Pass on a frame whose last packet has a marker, if nothing follows for long.

        Args:
            now: the time, in seconds.
        """
        if self._is_marked and now - self._pushed_at >= IDLE_TIME:
            self.flush()

    def finish(self) -> None:
        """Pass on the last frame: nothing follows it.

        Without a marker it is incomplete, if the frame before it had one.
        """
        if self._is_marked or not self._sets_markers:
            self.flush()
        else:
            self.restart()

    def restart(self) -> None:
        """Leave out the current frame, and all frames up to the next key frame."""
        if self._has_picture:
            self._leave_out()
        self._payloads.clear()
        self._is_key = self._has_picture = False
        self._needs_key = True

    def flush(self) -> None:
        """Pass on the current frame, which has ended."""
        if self._has_picture:
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
        self._is_key = self._has_picture = False

    def _add(self, packet: RtpPacket, payload: bytes) -> None:
        if self._needs_key:
            if not packet.is_random_access_point:
                if packet.has_picture:
                    self._leave_out()
                return
            self._needs_key = False
        self._payloads.append(payload)
        self._is_key = self._is_key or packet.is_random_access_point
        self._has_picture = self._has_picture or packet.has_picture

    def _read_orientation(self, packet: RtpPacket) -> None:
        """Read the rotation: in the last packet of key frames, and when it changes."""
        value = find_extension(packet, self._orientation)
        if value:
            self._rotation = 90 * (value[0] & 3)
        elif self._is_key:
            self._rotation = 0

    def _leave_out(self) -> None:
        if not self._is_left_out:
            self._is_left_out = True
            self.left_out += 1
