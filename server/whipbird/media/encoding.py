"""One encoding of a received track: one stream of packets, and its properties."""

import asyncio
from collections.abc import Callable

from ..rtp.codecs import VideoParameters, payload_format
from ..rtp.codecs.opus import read_packet
from ..rtp.extensions import find_extension
from ..rtp.packet import RtpPacket
from ..rtp.reception import Reception
from ..rtp.source_clock import Anchor, difference
from ..rtp.totals import Totals
from ..sdp.codecs import Codec
from .habits import Habits
from .source import Source
from .stats import EncodingStats, ReceivedCounts

# Seconds between measurements of the rates.
RATE_INTERVAL = 1.0

# Seconds between requests for a key frame, until one is received.
KEY_FRAME_INTERVAL = 1.0
# A key frame behind which a packet is lost for good within so many seconds has not
# helped; then the interval is doubled, up to so many times itself. Key frames are
# large: on a path that breaks each of them they only make the loss greater.
KEY_FRAME_USE = 0.5
MAX_KEY_FRAME_BACKOFF = 4

# An encoding is silent after so many of its frame intervals without a packet, and after
# no less and no more than these seconds; after the second while it has few frames.
SILENT_FRAMES = 4
MIN_SILENCE = 0.4
MAX_SILENCE = 2.0
# The weight of the newest frame interval in the smoothed one.
INTERVAL_WEIGHT = 1 / 8

# A source that was replaced, and sends again, is the current one after so many packets,
# or seconds, without a packet of that which replaced it.
RETURN_PACKETS = 8
RETURN_TIME = 0.2

PacketHandler = Callable[[RtpPacket], None]


class Encoding:
    """An encoding of a track: its only one, or one of several (simulcast).

    Its packets come from one source at a time; an encoder that restarts has another
    SSRC. Subscribers get one stream: sequence numbers and timestamps go on from one
    source to the next, which begins at a key frame. A packet that is missing in it is
    lost.

    Args:
        codec: the codec of its first packet.
        rid: its RtpStreamId (RFC 8852); None without simulcast.
        send_feedback_soon: called when RTCP feedback should be sent soon.
        level_id: the identifier of the header extension with the level of the sound
            (RFC 6464); 0 for none.
        in_order: whether its packets can be neither late nor sent again.

    Attributes:
        source: the current source.
        sources: all sources that may send, by SSRC.
        is_video: whether this is video. Only video has key frames.
        parameters: video only: the parameters in the last key frame; None before it.
        channels: audio only: the channels of the last Opus packet, or of the codec.
        frames: frames begun so far.
        key_frames: frames so far at which a decoder can start.
        key_frame_interval: seconds between the last two key frames; None before the
            second one.
        bitrate: bits per second of RTP, measured over about a second.
        frame_rate: frames per second, measured likewise.
        epoch: how often it has gone on with another source, or a restarted one.
        wants_key_frame: whether to request a key frame from the sender.
        nacked: packets requested by NACK so far, each time; the caller counts them.
        key_frame_requests: PLI and FIR sent so far; likewise.
    """

    source: Source

    def __init__(
        self,
        codec: Codec,
        rid: str | None,
        send_feedback_soon: Callable[[], None],
        level_id: int = 0,
        *,
        in_order: bool = False,
    ) -> None:
        self.rid = rid
        self.sources: dict[int, Source] = {}
        self.parameters: VideoParameters | None = None
        self.channels: int | None = None
        self.frames = 0
        self.key_frames = 0
        self.key_frame_interval: float | None = None
        self.bitrate = 0.0
        self.frame_rate = 0.0
        self.epoch = 0
        self._in_order = in_order
        self.wants_key_frame = False
        self.nacked = self.key_frame_requests = 0
        self.send_feedback_soon = send_feedback_soon
        self._subscribers: tuple[PacketHandler, ...] = ()
        # The last frame's timestamp, and the last packet's sequence number.
        self._timestamp = -1
        self._sequence = -1
        self._delivered_at = 0.0
        self._interval = MAX_SILENCE
        self._restarts = 0
        self._lacks_parameters = False
        self._key_frame_timestamp = 0
        self._key_frame_requested_at = float("-inf")
        self._key_frame_at = float("-inf")
        self._key_frame_backoff = 1
        # Packets of the current source that were given up, as far as it is known here.
        self._given_up = 0
        # Sources that were current before, and the packets of the one that sends again.
        self._replaced: set[Source] = set()
        self._ended = Totals()
        self._returned: list[RtpPacket] = []
        self._returns: Source | None = None
        self._now = asyncio.get_running_loop().time
        self._measured = (self._now(), 0, 0)
        self._level_id = level_id
        self._habits = Habits(self._now())
        self._set_codec(codec)

    @property
    def ssrc(self) -> int:
        """The SSRC of the current source."""
        return self.source.ssrc

    @property
    def reception(self) -> Reception:
        """The reception state of the current source."""
        return self.source.reception

    @property
    def totals(self) -> Totals:
        """What was received of all its sources, those that have ended included."""
        found = (Totals.of(source.reception) for source in self.sources.values())
        return sum(found, self._ended)

    @property
    def received(self) -> ReceivedCounts:
        """What was received of it, and requested for it."""
        totals = self.totals
        return ReceivedCounts(
            packets=totals.packets,
            octets=totals.octets,
            lost=totals.given_up,
            recovered=totals.recovered + totals.retransmitted,
            duplicates=totals.duplicates,
            frames=self.frames,
            key_frames=self.key_frames,
            nacked=self.nacked,
            key_frame_requests=self.key_frame_requests,
        )

    @property
    def stats(self) -> EncodingStats:
        """A snapshot."""
        return EncodingStats(
            rid=self.rid,
            codec=self.codec,
            is_video=self.is_video,
            totals=self.totals,
            jitter=self.reception.jitter,
            bitrate=self.bitrate,
            frame_rate=self.frame_rate,
            frames=self.frames,
            key_frames=self.key_frames,
            key_frame_interval=self.key_frame_interval,
            parameters=self.parameters,
            channels=self.channels,
            habits=self._habits.stats(
                self._now(),
                self.last_packet_at,
                self.codec.clock_rate,
                sum(source.completed for source in self.sources.values()),
                self._delay,
            ),
        )

    @property
    def _delay(self) -> float | None:
        """Seconds from the capture to the arrival of the last frame; see there."""
        anchor = self.anchor
        if anchor is None or self._timestamp < 0:
            return None
        ahead = difference(self._timestamp, anchor.timestamp) / self.codec.clock_rate
        return self._delivered_at - anchor.moment - ahead

    @property
    def last_packet_at(self) -> float:
        """When the last packet arrived, in event loop time."""
        return self.source.last_packet_at

    def is_silent(self, now: float) -> bool:
        """Whether no packet has come for longer than frames are apart.

        Args:
            now: event loop time.
        """
        silence = now - self.source.last_packet_at
        if silence < MIN_SILENCE:
            return False
        return silence >= min(SILENT_FRAMES * self._interval, MAX_SILENCE)

    # Sources

    def add_source(self, ssrc: int, codec: Codec) -> Source:
        """Add a source, which replaces the current one at its first key frame."""
        source = Source(ssrc, codec, self, self._now(), in_order=self._in_order)
        if not self.sources:
            self.source = source
        elif self.is_video:
            self.request_key_frame()
        self.sources[ssrc] = source
        return source

    def remove_source(self, ssrc: int) -> bool:
        """Remove a source that has ended.

        Returns:
            Whether there is none left.
        """
        source = self.sources.pop(ssrc)
        self._ended += Totals.of(source.reception)
        self._replaced.discard(source)
        if not self.sources:
            return True
        if source is self.source:
            # Whichever sends next is the current one.
            self._replaced.clear()
            self.request_key_frame()
        return False

    def take(self, source: Source, packet: RtpPacket) -> None:
        """Take a packet of a source: in order, and described."""
        if source is not self.source:
            self._take_other(source, packet)
            return
        if self._returned:
            # Both send: the current one stays.
            self._returned.clear()
            self._returns = None
        if packet.timestamp != self._timestamp:
            self._check_source()
            if packet.has_picture:
                self._begin_frame(packet)
        if self.is_video:
            if packet.is_random_access_point:
                self._begin_key_frame(packet)
            if self._lacks_parameters:
                self._read_parameters(packet)
        self._sequence = packet.sequence
        for handler in self._subscribers:
            handler(packet)

    def _take_other(self, source: Source, packet: RtpPacket) -> None:
        """Take a packet of a source that is not the current one."""
        if source not in self._replaced:
            if packet.is_random_access_point:
                self._switch(source, [packet])
            return
        if self._returns is not source:
            self._returns = source
            self._returned.clear()
        if not self._returned and not packet.is_random_access_point:
            self.request_key_frame()
            return
        self._returned.append(packet)
        if len(self._returned) >= RETURN_PACKETS:
            self._return()

    def _return(self) -> None:
        """Go on with a source that was replaced, and sends again."""
        assert self._returns is not None
        self._switch(self._returns, self._returned)

    def _switch(self, source: Source, packets: list[RtpPacket]) -> None:
        """Go on with another source.

        Args:
            packets: its first packets; a decoder can start at the first one.
        """
        self._replaced.add(self.source)
        self._replaced.discard(source)
        self._returned, self._returns = [], None
        if self._sequence >= 0:
            elapsed = max(self._now() - self._delivered_at, 0.0)
            step = max(round(elapsed * source.clock_rate), 1)
            sequences = self._sequence + 1 - packets[0].sequence
            ticks = 0
            if self._timestamp >= 0:
                ticks = self._timestamp + step - packets[0].timestamp
            source.move(sequences, ticks)
            for packet in packets:
                packet.sequence = (packet.sequence + sequences) & 0xFFFF
                packet.timestamp = (packet.timestamp + ticks) & 0xFFFFFFFF
        self.source = source
        self._restarts = source.restarts
        self._given_up = source.reception.missing.given_up
        self.epoch += 1
        octets = source.reception.octets
        self._measured = (self._measured[0], octets, self._measured[2])
        for packet in packets:
            self.take(source, packet)

    # Packets

    def _check_source(self) -> None:
        """Follow a change of the source's codec or numbers."""
        source = self.source
        if source.codec is not self.codec:
            self._set_codec(source.codec)
        if source.restarts != self._restarts:
            self._restarts = source.restarts
            self.epoch += 1

    def _begin_frame(self, packet: RtpPacket) -> None:
        self._timestamp = packet.timestamp
        now = self.source.last_packet_at
        if self.frames:
            interval = min(now - self._delivered_at, MAX_SILENCE)
            self._interval += INTERVAL_WEIGHT * (interval - self._interval)
        self._delivered_at = now
        self.frames += 1
        if self._key_frame_timestamp != packet.timestamp:
            self._lacks_parameters = False
        if self.is_video:
            self._habits.frame(packet.timestamp)
        elif self.codec.name == "opus":
            self._read_opus(packet)

    def _begin_key_frame(self, packet: RtpPacket) -> None:
        self._lacks_parameters = True
        if self.key_frames:
            # In the sender's clock: neither the network nor a busy machine delays it.
            ticks = (packet.timestamp - self._key_frame_timestamp) & 0xFFFFFFFF
            self.key_frame_interval = ticks / self.codec.clock_rate
        self._key_frame_timestamp = packet.timestamp
        self.key_frames += 1
        self._key_frame_at = self.source.last_packet_at
        self._habits.key_frame(self._key_frame_at)
        self.wants_key_frame = False

    def _read_parameters(self, packet: RtpPacket) -> None:
        assert self._payload_format is not None
        parameters = self._payload_format.read_parameters(packet.payload)
        if parameters is not None:
            self.parameters = parameters
            self._lacks_parameters = False

    def _read_opus(self, packet: RtpPacket) -> None:
        opus = read_packet(packet.payload)
        if opus is not None:
            self.channels = opus.channels
            if self.source.last_packet_at >= self._habits.level_due:
                self._note_level(packet)

    def _note_level(self, packet: RtpPacket) -> None:
        level = find_extension(packet, self._level_id) if self._level_id else None
        self._habits.sound(
            len(packet.payload),
            # The uppermost bit tells whether it is speech (RFC 6464 section 3).
            level[0] & 0x7F if level else None,
            self.source.last_packet_at,
        )

    def _set_codec(self, codec: Codec) -> None:
        self.codec = codec
        self._payload_format = payload_format(codec.name)
        self.is_video = self._payload_format is not None
        self.channels = None if self.is_video else codec.channels
        self.parameters = None
        self._habits.restart()

    # Time

    @property
    def anchor(self) -> Anchor | None:
        """A moment of the sender's clock; None when no sender report is trusted."""
        source = self.source
        anchor = source.reception.anchor
        if anchor is None or not source.timestamp_shift:
            return anchor
        timestamp = (anchor.timestamp + source.timestamp_shift) & 0xFFFFFFFF
        return anchor._replace(timestamp=timestamp)

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp that corresponds to a moment in event loop time.

        It is computed from the last sender report that is trusted, or estimated from
        the last packet when there is none. None before the first packet.
        """
        if self._timestamp < 0:
            return None
        timestamp, moment = self._timestamp, self.last_packet_at
        if (anchor := self.anchor) is not None:
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

    def request_key_frame(self) -> None:
        """Request a key frame from the sender, unless one was just requested."""
        if self._payload_format is not None:
            self.wants_key_frame = True
            self.send_feedback_soon()

    # Feedback to the sender

    @property
    def wanted_from(self) -> int:
        """The SSRC of the source from which a key frame is wanted."""
        newest = max(self.sources.values(), key=lambda s: s.last_packet_at)
        return newest.ssrc

    @property
    def key_frame_request_due(self) -> float:
        """When to request a key frame next; infinite when none is wanted."""
        if not self.wants_key_frame:
            return float("inf")
        interval = KEY_FRAME_INTERVAL * self._key_frame_backoff
        return self._key_frame_requested_at + interval

    def should_request_key_frame(self, now: float) -> bool:
        """Whether to send a key frame request now; it is then assumed to be sent."""
        given_up = self.reception.missing.given_up
        if given_up != self._given_up:
            self._given_up = given_up
            if self._payload_format is not None:
                self._note_loss(now)
        if now < self.key_frame_request_due:
            return False
        self._key_frame_requested_at = now
        self._habits.requested(now, self.last_packet_at)
        return True

    def _note_loss(self, now: float) -> None:
        """Want a key frame: packets were lost for good."""
        if not self.wants_key_frame:
            backoff = 2 * self._key_frame_backoff
            if now - self._key_frame_at >= KEY_FRAME_USE:
                backoff = 1
            self._key_frame_backoff = min(backoff, MAX_KEY_FRAME_BACKOFF)
        self.wants_key_frame = True

    def tick(self, now: float) -> None:
        """Release packets held back for lost ones, and measure the rates."""
        for source in tuple(self.sources.values()):
            source.release(now)
        if self._returned and now - self.last_packet_at >= RETURN_TIME:
            self._return()
        since, octets, frames = self._measured
        if now - since >= RATE_INTERVAL:
            received = self.reception.octets
            self.bitrate = 8 * (received - octets) / (now - since)
            self.frame_rate = (self.frames - frames) / (now - since)
            self._measured = (now, received, self.frames)
            self._habits.measure(self.reception)
