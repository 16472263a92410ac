"""Frames of a source, as their packets come: whole ones, and only what can be shown."""

from collections.abc import Callable
from dataclasses import dataclass

from ..rtp.codecs import VideoPayloadFormat, payload_format
from ..rtp.extensions import find_extension
from ..rtp.packet import RtpPacket
from ..sdp.codecs import Codec


@dataclass(frozen=True, slots=True)
class RtpFrame:
    """A picture or a piece of sound.

    Attributes:
        codec: what it is coded with.
        payloads: of its packets, at least one, none of them empty.
        timestamp: of RTP, 32 bits.
        is_key: whether a decoder can begin with it; all sound is.
        arrival: when its first packet came, in seconds.
        turns: quarters of a turn, clockwise, by which a picture is to be turned to be
            upright: phones send it as the camera lies (3GPP TS 26.114 section 7.4.5).
    """

    codec: Codec
    payloads: tuple[bytes, ...]
    timestamp: int
    is_key: bool
    arrival: float
    turns: int = 0


class FrameAssembler:
    """Puts the packets of one source together, which come in order, maybe with gaps.

    Video begins at a key frame. When a packet is missing, its frame and all others up
    to the next key frame are left out.

    Args:
        take: is given each frame.
        broken: is called when something is missing, so that a key frame is wanted.
        orientation: the identifier of the header extension that says how a picture is
            to be turned; 0 when there is none.

    Attributes:
        left_out: frames of video of which something came, and that were not given out.
    """

    def __init__(
        self,
        take: Callable[[RtpFrame], None],
        broken: Callable[[], None],
        orientation: int = 0,
    ) -> None:
        self.left_out = 0
        self._take = take
        self._broken = broken
        self._orientation = orientation
        self._codec: Codec | None = None
        self._video: VideoPayloadFormat | None = None
        self._payloads: list[bytes] = []
        self._sequence: int | None = None
        self._timestamp: int | None = None
        self._arrival = 0.0
        self._is_key = False
        self._turns = 0
        self._needs_key = True
        self._is_left_out = False

    def push(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Take the next packet, what it is coded with, and when it came."""
        if codec is not self._codec:
            self._codec = codec
            self._video = payload_format(codec.name)
            self._sequence = None
            self.restart()
        payload = packet.payload
        if self._video is None:
            if payload:
                self._take(RtpFrame(codec, (payload,), packet.timestamp, True, now))
            return
        following = self._sequence is None or self._sequence == packet.sequence
        self._sequence = (packet.sequence + 1) & 0xFFFF
        if not following:
            self.restart()
            self._broken()
        if packet.timestamp != self._timestamp:
            # The last packet of a frame has the marker; some senders forget it.
            self._finish()
            self._timestamp, self._arrival = packet.timestamp, now
            self._is_left_out = False
        # Packets of padding come for the sake of bandwidth estimation.
        if payload:
            self._add(payload, self._video.starts_key_frame(payload))
        if packet.marker:
            if self._orientation:
                self._read_orientation(packet)
            self._finish()

    def restart(self) -> None:
        """Leave out what follows, up to a key frame."""
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
        """It is in the last packet of each key frame, and where it changes."""
        value = find_extension(packet, self._orientation)
        if value:
            self._turns = value[0] & 3
        elif self._is_key:
            self._turns = 0

    def _finish(self) -> None:
        if self._payloads:
            assert self._codec is not None
            assert self._timestamp is not None
            self._take(
                RtpFrame(
                    self._codec,
                    tuple(self._payloads),
                    self._timestamp,
                    self._is_key,
                    self._arrival,
                    self._turns,
                )
            )
        self._payloads.clear()
        self._is_key = False

    def _leave_out(self) -> None:
        if not self._is_left_out:
            self._is_left_out = True
            self.left_out += 1
