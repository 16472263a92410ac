"""One encoding of what is published: its packets in order, and what they say of it."""

import asyncio
from collections.abc import Callable

from ..rtp.codecs import VideoCodec, VideoParameters, inspector
from ..rtp.codecs.opus import read_packet
from ..rtp.packet import RtpPacket
from ..rtp.reception import MAX_REQUESTS, Reception
from ..rtp.reorder import ReorderBuffer
from ..sdp.codecs import Codec

# Seconds from one measurement of the rates to the next.
RATE_INTERVAL = 1.0

# Seconds that a key frame is waited for before it is asked for again.
KEY_FRAME_INTERVAL = 1.0

TakePacket = Callable[[RtpPacket], None]


class Layer:
    """An encoding: the only one of a track, or one of several (simulcast).

    Args:
        ssrc: its source.
        codec: what its first packet is of.
        rid: its name (RFC 8852); None when there is but one.
        wake: called when something is to be told the sender soon.

    Attributes:
        reception: what is known of its packets.
        parameters: of video, what the last key frame said; None before it.
        channels: of Opus, how many the last packet had; else of the codec.
        frames: how many have begun.
        key_frames: how many of them a viewer could have begun with.
        key_frame_interval: seconds between the last two of these; None before.
        bitrate: bits per second of RTP, in the last second or so.
        frame_rate: frames per second, likewise.
        is_start: whether a viewer can begin with the packet that is given out now.
        wants_key_frame: whether the sender is to be asked for one.
        clock_offset: what is to be added to the sender's NTP time, in seconds, for that
            of the event loop; the same for all that it sends.
        heard_at: when the last packet came, by the clock of the event loop.
    """

    def __init__(
        self, ssrc: int, codec: Codec, rid: str | None, wake: Callable[[], None]
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
        self.is_start = False
        self.clock_offset = 0.0
        self._wake = wake
        self._reorder: ReorderBuffer[RtpPacket] = ReorderBuffer()
        self._subscribers: tuple[TakePacket, ...] = ()
        self._timestamp = -1
        self._in_key_frame = False
        self._lacks_parameters = False
        self._key_frame_at = 0
        self._key_frame_asked = float("-inf")
        self._now = asyncio.get_running_loop().time
        self.heard_at = self._now()
        self._measured = (self.heard_at, 0, 0)
        self._use(codec)
        nack = "nack" in codec.feedback
        self.reception = Reception(ssrc, codec.clock_rate, MAX_REQUESTS if nack else 0)

    @property
    def is_video(self) -> bool:
        """Whether it has frames, and key frames."""
        return self._video is not None

    # Packets

    def receive(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        """Take a packet as it came; what was lost may come again over RTX."""
        sequence = self.reception.received(packet, now)
        if sequence is None:
            return
        self.heard_at = now
        if codec is not self.codec:
            self._use(codec)
        self._push(sequence, packet, now)

    def receive_again(self, packet: RtpPacket, now: float) -> None:
        """Take a packet that came over RTX, unwrapped (RFC 4588)."""
        sequence = self.reception.received(packet, now, recovered=True)
        if sequence is not None:
            self._push(sequence, packet, now)

    def _push(self, sequence: int, packet: RtpPacket, now: float) -> None:
        for ready in self._reorder.push(sequence, packet, now):
            self._deliver(ready)
        if self.reception.missing:
            self._wake()

    def _deliver(self, packet: RtpPacket) -> None:
        if packet.timestamp != self._timestamp:
            self._timestamp = packet.timestamp
            self._in_key_frame = self._lacks_parameters = False
            self.frames += 1
            if self._video is None and self.codec.name == "opus":
                self._read_opus(packet)
        if self._video is None:
            self.is_start = True
        else:
            # Neither the beginning nor the parameters need be in the first packet.
            self.is_start = not self._in_key_frame and self._video.starts_key_frame(
                packet.payload
            )
            if self.is_start:
                self._begin_key_frame()
            if self._lacks_parameters:
                self._read_parameters(self._video, packet)
        for take in self._subscribers:
            take(packet)

    def _begin_key_frame(self) -> None:
        self._in_key_frame = self._lacks_parameters = True
        if self.key_frames:
            # By the sender's clock, which the network and a busy machine do not stop.
            ticks = (self._timestamp - self._key_frame_at) & 0xFFFFFFFF
            self.key_frame_interval = ticks / self.codec.clock_rate
        self._key_frame_at = self._timestamp
        self.key_frames += 1
        self.wants_key_frame = False

    def _read_parameters(self, video: VideoCodec, packet: RtpPacket) -> None:
        found = video.read_parameters(packet.payload)
        if found is not None:
            self.parameters = found
            self._lacks_parameters = False

    def _read_opus(self, packet: RtpPacket) -> None:
        opus = read_packet(packet.payload)
        if opus is not None:
            self.channels = opus.channels

    def _use(self, codec: Codec) -> None:
        self.codec = codec
        self._video = inspector(codec.name)
        self.channels = codec.channels if self._video is None else None
        self.parameters = None

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp of a moment, by the sender's reports.

        Before the first one it is guessed from the last packet; None without any.
        """
        if self._timestamp < 0:
            return None
        timestamp, moment = self._timestamp, self.heard_at
        if self.reception.sender_clock is not None:
            ntp, timestamp = self.reception.sender_clock
            moment = ntp / (1 << 32) + self.clock_offset
        step = round((now - moment) * self.codec.clock_rate)
        return (timestamp + step) & 0xFFFFFFFF

    # Who wants the packets

    def subscribe(self, take: TakePacket) -> None:
        """Give every packet to a function from now on, in order, each once."""
        self._subscribers += (take,)

    def unsubscribe(self, take: TakePacket) -> None:
        """Give it no more packets."""
        self._subscribers = tuple(t for t in self._subscribers if t != take)

    def starts_key_frame(self, packet: RtpPacket) -> bool:
        """Whether a decoder can begin with this packet; any packet of audio."""
        return self._video is None or self._video.starts_key_frame(packet.payload)

    def request_key_frame(self) -> None:
        """Ask the sender for a key frame, unless it was just asked."""
        if self._video is not None:
            self.wants_key_frame = True
            self._wake()

    # What the sender is told, and when

    def asks_key_frame(self, now: float) -> bool:
        """Whether to ask for a key frame now."""
        if self.reception.gave_up:
            self.reception.gave_up = False
            if self._video is not None:
                self.wants_key_frame = True
        due = now - self._key_frame_asked >= KEY_FRAME_INTERVAL
        if not self.wants_key_frame or not due:
            return False
        self._key_frame_asked = now
        return True

    def tick(self, now: float) -> None:
        """Let go of what is waited for in vain, and measure the rates."""
        for ready in self._reorder.release(now, self.reception.awaited):
            self._deliver(ready)
        since, octets, frames = self._measured
        if now - since >= RATE_INTERVAL:
            self.bitrate = 8 * (self.reception.octets - octets) / (now - since)
            self.frame_rate = (self.frames - frames) / (now - since)
            self._measured = (now, self.reception.octets, self.frames)
