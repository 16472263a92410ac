"""One encoding of a received track: its packets in order, and its properties."""

import asyncio
from collections.abc import Callable

from ..rtp.codecs import VideoParameters, VideoPayloadFormat, payload_format
from ..rtp.codecs.opus import read_packet
from ..rtp.packet import RtpPacket
from ..rtp.reception import MAX_REQUESTS, Reception
from ..rtp.reorder import ReorderBuffer
from ..sdp.codecs import Codec

# Seconds between measurements of the rates.
RATE_INTERVAL = 1.0

# Seconds between requests for a key frame, until one is received.
KEY_FRAME_INTERVAL = 1.0

PacketHandler = Callable[[RtpPacket], None]


class Encoding:
    """An encoding of a track: its only one, or one of several (simulcast).

    Args:
        ssrc: the SSRC of its RTP stream.
        codec: the codec of its first packet.
        rid: its RtpStreamId (RFC 8852); None without simulcast.
        send_feedback_soon: called when RTCP feedback should be sent soon.

    Attributes:
        reception: the reception state of its RTP stream.
        parameters: video only: the parameters in the last key frame; None before it.
        channels: audio only: the channels of the last Opus packet, or of the codec.
        frames: frames begun so far.
        key_frames: frames so far at which a decoder can start.
        key_frame_interval: seconds between the last two key frames; None before the
            second one.
        bitrate: bits per second of RTP, measured over about a second.
        frame_rate: frames per second, measured likewise.
        is_random_access_point: whether a decoder can start at the packet that the
            subscribers are being called with.
        wants_key_frame: whether to request a key frame from the sender.
        last_packet_at: when the last packet arrived, in event loop time.
    """

    def __init__(
        self,
        ssrc: int,
        codec: Codec,
        rid: str | None,
        send_feedback_soon: Callable[[], None],
    ) -> None:
        self.ssrc = ssrc
        self.rid = rid
        self.parameters: VideoParameters | None = None
        self.channels: int | None = None
        self.frames = 0
        self.key_frames = 0
        self.key_frame_interval: float | None = None
        self.bitrate = 0.0
        self.frame_rate = 0.0
        self.wants_key_frame = False
        self.is_random_access_point = False
        self._send_feedback_soon = send_feedback_soon
        self._reorder: ReorderBuffer[RtpPacket] = ReorderBuffer()
        self._subscribers: tuple[PacketHandler, ...] = ()
        self._timestamp = -1
        self._in_key_frame = False
        self._lacks_parameters = False
        self._key_frame_timestamp = 0
        self._key_frame_requested_at = float("-inf")
        self._now = asyncio.get_running_loop().time
        self.last_packet_at = self._now()
        self._measured = (self.last_packet_at, 0, 0)
        self._set_codec(codec)
        nack = "nack" in codec.feedback
        self.reception = Reception(ssrc, codec.clock_rate, MAX_REQUESTS if nack else 0)

    @property
    def is_video(self) -> bool:
        """Whether this is video. Only video has key frames."""
        return self._payload_format is not None

    # Packets

    def receive(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Handle a packet of the RTP stream itself, not of its RTX stream."""
        sequence = self.reception.received(packet, now)
        if sequence is None:
            return
        self.last_packet_at = now
        if codec is not self.codec:
            self._set_codec(codec)
        self._push(sequence, packet, now)

    def receive_retransmission(self, packet: RtpPacket, now: float) -> None:
        """Handle a retransmission received over RTX, unwrapped (RFC 4588)."""
        sequence = self.reception.received(packet, now, recovered=True)
        if sequence is not None:
            self._push(sequence, packet, now)

    def _push(self, sequence: int, packet: RtpPacket, now: float) -> None:
        for ready in self._reorder.push(sequence, packet, now):
            self._deliver(ready)
        if self.reception.missing:
            self._send_feedback_soon()

    def _deliver(self, packet: RtpPacket) -> None:
        if packet.timestamp != self._timestamp:
            self._timestamp = packet.timestamp
            self._in_key_frame = self._lacks_parameters = False
            self.frames += 1
            if self._payload_format is None and self.codec.name == "opus":
                self._read_opus(packet)
        if self._payload_format is None:
            self.is_random_access_point = True
        else:
            # The key frame may start, and the parameters may be, in a later packet.
            self.is_random_access_point = (
                not self._in_key_frame
                and self._payload_format.starts_key_frame(packet.payload)
            )
            if self.is_random_access_point:
                self._begin_key_frame()
            if self._lacks_parameters:
                self._read_parameters(self._payload_format, packet)
        for handler in self._subscribers:
            handler(packet)

    def _begin_key_frame(self) -> None:
        self._in_key_frame = self._lacks_parameters = True
        if self.key_frames:
            # In the sender's clock: neither the network nor a busy machine delays it.
            ticks = (self._timestamp - self._key_frame_timestamp) & 0xFFFFFFFF
            self.key_frame_interval = ticks / self.codec.clock_rate
        self._key_frame_timestamp = self._timestamp
        self.key_frames += 1
        self.wants_key_frame = False

    def _read_parameters(
        self, payload_format: VideoPayloadFormat, packet: RtpPacket
    ) -> None:
        parameters = payload_format.read_parameters(packet.payload)
        if parameters is not None:
            self.parameters = parameters
            self._lacks_parameters = False

    def _read_opus(self, packet: RtpPacket) -> None:
        opus = read_packet(packet.payload)
        if opus is not None:
            self.channels = opus.channels

    def _set_codec(self, codec: Codec) -> None:
        self.codec = codec
        self._payload_format = payload_format(codec.name)
        self.channels = codec.channels if self._payload_format is None else None
        self.parameters = None

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp that corresponds to a moment in event loop time.

        It is computed from the last sender report that is trusted, or estimated from
        the last packet when there is none. None before the first packet.
        """
        if self._timestamp < 0:
            return None
        timestamp, moment = self._timestamp, self.last_packet_at
        if (anchor := self.reception.anchor) is not None:
            timestamp, moment = anchor.timestamp, anchor.moment
        step = round((now - moment) * self.codec.clock_rate)
        return (timestamp + step) & 0xFFFFFFFF

    # Subscribers

    def subscribe(self, handler: PacketHandler) -> None:
        """Call a function with every packet from now on, in order, each once."""
        self._subscribers += (handler,)

    def unsubscribe(self, handler: PacketHandler) -> None:
        """Stop calling a function."""
        self._subscribers = tuple(h for h in self._subscribers if h != handler)

    def starts_key_frame(self, packet: RtpPacket) -> bool:
        """Whether a decoder can start at this packet; true for all audio packets."""
        return self._payload_format is None or self._payload_format.starts_key_frame(
            packet.payload
        )

    def request_key_frame(self) -> None:
        """Request a key frame from the sender, unless one was just requested."""
        if self._payload_format is not None:
            self.wants_key_frame = True
            self._send_feedback_soon()

    # Feedback to the sender

    def should_request_key_frame(self, now: float) -> bool:
        """Whether to send a key frame request now; it is then assumed to be sent."""
        if self.reception.gave_up:
            self.reception.gave_up = False
            if self._payload_format is not None:
                self.wants_key_frame = True
        due = now - self._key_frame_requested_at >= KEY_FRAME_INTERVAL
        if not self.wants_key_frame or not due:
            return False
        self._key_frame_requested_at = now
        return True

    def tick(self, now: float) -> None:
        """Release packets held back for lost ones, and measure the rates."""
        for ready in self._reorder.release(now, self.reception.awaited):
            self._deliver(ready)
        since, octets, frames = self._measured
        if now - since >= RATE_INTERVAL:
            self.bitrate = 8 * (self.reception.octets - octets) / (now - since)
            self.frame_rate = (self.frames - frames) / (now - since)
            self._measured = (now, self.reception.octets, self.frames)
