"""Sends a publisher's packets to one viewer, not transcoded (RFC 7667 section 3.7)."""

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable, Sequence

from ..rtp import extensions
from ..rtp.forward_template import ExtensionMap, ForwardedPacket, ForwardTemplate
from ..rtp.frame_numbers import Renumbering
from ..rtp.packet import HEADER_LENGTH, RtpPacket
from ..rtp.rewriter import Rewriting
from ..rtp.round_trip import RoundTrip
from ..rtp.rtcp_requests import Reported
from ..rtp.viewer_estimate import ViewerEstimate
from ..sdp.codecs import SINGLE_NAL_UNIT, Codec
from ..sdp.media import OfferedMedia
from ..transport.packet_buffer import SLOTS, PacketBuffer
from .feed import Feed
from .pacer import Pacer
from .redundancy import MAX_LEVEL, Redundancy
from .retransmission_writer import RetransmissionWriter
from .retransmitter import Retransmitter
from .stats import SentCounts
from .thinning import Thinning
from .transport import MediaTransport
from .viewer_codecs import ViewerCodecs, holds_structure

# The bitrate of a stream in its first second, in bit/s.
ASSUMED_BITRATE = 2_000_000
# The loss up to which a GOP goes on when a path has become too thin: its queue has
# dropped next to nothing of it yet.
MENDABLE = 0.02


class Forwarder:
    """Sends one track to one viewer.

    Args:
        media: the viewer's offered media section.
        ssrc, rtx_ssrc: the SSRCs of the RTP stream and of its RTX stream.
        transport: sends the packets.
        on_source_changed: called when the RTP stream continues with another encoding.
        schedule: called with the time at which ``handle_timeout`` is to be called.

    Attributes:
        kind: ``audio`` or ``video``.
        extension_map: the viewer's RTP header extensions: URI -> identifier.
        feed: the feed that is forwarded; None before its first packet.
        rewriter: makes one RTP stream of the packets of changing feeds.
        retransmitter: retransmits lost packets.
        pacer: holds back packets for a viewer behind a thin path.
        thinning: finds the rate of a path that does not carry the stream.
        has_smaller: whether a smaller encoding is chosen if the path does not carry
            this one.
        fraction_lost: the loss in the viewer's last receiver report, 0 to 1.
        nacked, nacks_refused, key_frame_requests: see ``SentCounts``; the caller counts
            them.
        frames_dropped: frames skipped because its path was congested.
        compiled_stream: see ``Watcher``.
    """

    def __init__(
        self,
        media: OfferedMedia,
        ssrc: int,
        rtx_ssrc: int,
        transport: MediaTransport,
        on_source_changed: Callable[["Forwarder"], None],
        schedule: Callable[[float], None],
    ) -> None:
        self.kind = media.kind
        self.feed: Feed | None = None
        self.rewriter = transport.make_rewriter(
            ssrc, sequence=secrets.randbits(15), timestamp=secrets.randbits(32)
        )
        self.fraction_lost = 0.0
        self.frames_dropped = 0
        self.nacked = self.nacks_refused = self.key_frame_requests = 0
        self._codecs = ViewerCodecs(media.codecs, is_sound=media.kind == "audio")
        self._renumbering = Renumbering()
        self._redundancy = Redundancy()
        self._writer = RetransmissionWriter(
            self.rewriter, self._renumbering, self._codecs, self._redundancy, rtx_ssrc
        )
        self.pacer = Pacer()
        self.thinning = Thinning()
        self.has_smaller = False
        self.retransmitter = Retransmitter(
            self._codecs,
            write=self._writer.write,
            send=transport.send_rtp,
            schedule=schedule,
        )
        self.extension_map: ExtensionMap = {
            uri: identifier
            for identifier, uri in media.extensions
            # A retransmission without RTX must have the same octets, at any time.
            if uri != extensions.ABS_SEND_TIME or not self._codecs.types_without_rtx
        }
        # Whether only single NAL units may be sent: the viewer states mode 0 of H.264.
        self._takes_single_units = False
        # Whether the rest of the GOP is left out, and not retransmitted.
        self._is_skipping = False
        self._transport = transport
        self._fan_out = transport.fan_out
        # Whether the compiled packet path does for its packets what is to be done.
        self._is_compiled = self._fan_out is not None
        self.compiled_stream: Rewriting | None = None
        self._on_source_changed = on_source_changed
        self._schedule = schedule
        # The feed to switch to at its next key frame.
        self._wanted: Feed | None = None
        # The feed, codec and epoch that the rewriter's offsets are computed for.
        self._source: tuple[Feed, Codec, int] | None = None
        # How the feed's packets are made, and where packets that were held back are
        # written; None before the first ones.
        self._template: ForwardTemplate | None = None
        self._buffer: PacketBuffer | None = None
        # Packets and octets of the stream that were sent until a second ago, and the
        # bitrate then.
        self._before = (0, 0)
        self._bitrate = 0
        # The highest sequence number that the viewer has reported, and how many packets
        # it had lost by then; and the one up to which loss says nothing of the path.
        self._highest, self._lost = self.rewriter.last_sequence, 0
        self._forgotten = self._highest
        self._now = asyncio.get_running_loop().time
        self.forward = self._send

    @property
    def sent(self) -> SentCounts:
        """What it has sent, and was requested to send."""
        return SentCounts(
            packets=self.rewriter.packets,
            octets=self.rewriter.octets,
            nacked=self.nacked,
            nacks_refused=self.nacks_refused,
            retransmissions=self.retransmitter.retransmitted,
            retransmissions_refused=self.retransmitter.refused,
            copies=self.retransmitter.copies,
            key_frame_requests=self.key_frame_requests,
            frames_dropped=self.frames_dropped,
        )

    @property
    def is_congested(self) -> bool:
        """Whether the network has not taken what was sent before, or will not soon."""
        return self.pacer.is_full or self._transport.is_congested

    @property
    def is_behind(self) -> bool:
        """Whether frames are held back that a key frame makes superfluous."""
        return self.pacer.is_behind and not self._transport.is_congested

    @property
    def is_limited(self) -> bool:
        """Whether its path does not carry the stream."""
        return self.thinning.rate < math.inf

    def accepts(self, codec: Codec) -> bool:
        """Whether the viewer negotiated a codec that can decode this one."""
        return self._codecs.match(codec) is not None

    def watch(self, feed: Feed) -> None:
        """Forward a feed: at once, or from its next key frame if one is forwarded."""
        if feed is (self._wanted or self.feed):
            return
        if self._wanted is not None:
            self._wanted.remove(self)
            self._wanted = None
        if feed is self.feed:
            return
        self._wanted = feed
        if self.feed is None:
            feed.add(self)
        else:
            feed.add_at_key_frame(self)

    def leave(self) -> None:
        """Stop forwarding."""
        for feed in (self._wanted, self.feed):
            if feed is not None:
                feed.remove(self)
        self._release(self.pacer.flush(), self._now())
        self.retransmitter.clear()
        self._writer.end()
        self._wanted = self.feed = self._source = None

    # Watcher (see feed.py)

    def begin(self, feed: Feed, packets: Sequence[RtpPacket], now: float) -> bool:
        codec = self._codecs.match(feed.encoding.codec)
        if codec is None:
            return False
        if self.feed is not None and self.feed is not feed:
            self.feed.remove(self)
        self._release(self.pacer.flush(), now)
        first, rewriter = packets[0], self.rewriter
        self._takes_single_units = codec.packetization_mode == SINGLE_NAL_UNIT
        source = (feed, codec, feed.encoding.epoch)
        if self._source == source:
            rewriter.resume(first.sequence)
        else:
            self._source = source
            rewriter.switch(
                first.sequence,
                first.timestamp,
                live=(packets[-1].sequence, packets[-1].timestamp),
                payload_type=codec.payload_type,
                clock_rate=codec.clock_rate,
                now=now,
            )
            last = rewriter.last
            before = b"" if last is None else last.body[last.payload_offset :]
            self._renumbering.switch(codec.name, first.payload, before)
        self._choose_way()
        self.feed, self._wanted = feed, None
        self._is_skipping = False
        self._template = feed.template_for(self)
        self._writer.begin(feed, self._template)
        self.retransmitter.clear()
        self._redundancy.forget()
        self._on_source_changed(self)
        return True

    def catch_up(self, packet: ForwardedPacket) -> ForwardedPacket:
        return self.rewriter.catch_up(packet)

    def _forward_some(
        self, packets: Sequence[ForwardedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        """Send the packets that the viewer takes, as soon as its path does."""
        if self._takes_single_units and not self._has_single_units(packets):
            return
        if self.pacer.is_needed:
            packets = self._pace(packets, buffer, now)
        if packets:
            self._send(packets, buffer, now)

    def _choose_way(self) -> None:
        """Spare most viewers the questions that packets to a few have to be asked."""
        is_special = self._takes_single_units or self.pacer.is_needed
        self.forward = self._forward_some if is_special else self._send
        self._is_compiled = not (
            self._fan_out is None
            or self._redundancy.level
            or self._renumbering.is_needed
        )
        self.compiled_stream = (
            self.rewriter if self._is_compiled and not is_special else None
        )

    def handle_timeout(self, now: float) -> None:
        """Send the copies and the packets that were held back, as far as due."""
        self.retransmitter.handle_timeout(now)
        pacer = self.pacer
        self._release(pacer.due(now), now)
        if pacer.deadline < math.inf:
            self._schedule(pacer.deadline)
        else:
            self._choose_way()

    def _send(
        self, packets: Sequence[ForwardedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        if (
            self._is_compiled
            and self._fan_out is not None
            and not self._fan_out(packets, (self.rewriter,), now)
        ):
            return
        if self._redundancy.level:
            buffer.lengths = self._write_redundant(packets, buffer.slots, now)
        else:
            buffer.lengths = self.rewriter.write(packets, buffer.slots, now)
        if self._renumbering.is_needed:
            for packet, slot in zip(packets, buffer.slots, strict=False):
                self._renumbering.apply(slot, HEADER_LENGTH + packet.payload_offset)
        # The connection may be closed; the session will notice and leave.
        try:
            self._transport.send_rtp_batch(buffer)
        except ConnectionError:
            return

    def _pace(
        self, packets: Sequence[ForwardedPacket], buffer: PacketBuffer, now: float
    ) -> Sequence[ForwardedPacket]:
        """Hold packets back; return those that are sent at once."""
        self._buffer = buffer
        count = self.pacer.add(packets, now)
        if count < len(packets):
            self._schedule(self.pacer.deadline)
        return packets[:count]

    def _release(self, held: Sequence[ForwardedPacket], now: float) -> None:
        """Send packets that were held back."""
        if not held:
            return
        assert self._template is not None
        assert self._buffer is not None
        packets = [self._template.delayed(packet, now) for packet in held]
        for start in range(0, len(packets), SLOTS):
            self._send(packets[start : start + SLOTS], self._buffer, now)

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp of this moment; None while nothing is forwarded."""
        if self.feed is None:
            return None
        timestamp = self.feed.timestamp_at(now)
        return None if timestamp is None else self.rewriter.timestamp_of(timestamp)

    # Redundancy (RFC 2198)

    def set_redundancy(self, level: int) -> None:
        """Send each frame of sound with frames before it, if the viewer takes that.

        Args:
            level: how many frames before it.
        """
        self._redundancy.level = level
        self._choose_way()

    def _write_redundant(
        self,
        packets: Sequence[ForwardedPacket],
        slots: Sequence[memoryview],
        now: float,
    ) -> list[int]:
        """Write packets with the frames before them; as they are, if that cannot be.

        Returns:
            Their lengths, in octets.
        """
        feed, rewriter, redundancy = self.feed, self.rewriter, self._redundancy
        red_type = self._codecs.red_types.get(rewriter.payload_type)
        if (
            feed is None
            or red_type is None
            # The frames before are not of this source, or were not for this viewer.
            or rewriter.continued < MAX_LEVEL
            or not all(len(p.body) > p.payload_offset for p in packets)
        ):
            return rewriter.write(packets, slots, now)
        redundant = feed.redundant_packets.make(
            packets, feed.history, redundancy.level, rewriter.payload_type
        )
        redundancy.sent(redundant)
        return rewriter.write_as(red_type, redundant, slots, now)

    # Retransmission

    def retransmit(self, sequences: Iterable[int], now: float) -> None:
        """Retransmit lost packets that are still kept (RFC 4585, RFC 4588).

        Args:
            sequences: their sequence numbers in the viewer's RTP stream.
        """
        if self._is_skipping:
            return
        if self.retransmitter.retransmits(self.rewriter.payload_type):
            self.retransmitter.request(sequences, now)

    def reported(self, report: Reported, now: float) -> None:
        """Take the viewer's report on the RTP stream."""
        self.fraction_lost = report.fraction_lost
        self.thinning.delivery.reported(
            report.highest_sequence, report.packets_lost, now
        )
        packets = (report.highest_sequence - self._highest) & 0xFFFF
        if packets == 0:
            return
        # Whether some of these packets were sent before the loss was forgotten.
        is_forgotten = bool((self._highest - self._forgotten) & 0x8000)
        # Packets that were late were reported as lost before: so the count falls.
        change = (report.packets_lost - self._lost) / packets
        self._highest, self._lost = report.highest_sequence, report.packets_lost
        if not is_forgotten:
            self._forgotten = self._highest
        if not self._is_mended_in_stream and not is_forgotten:
            fraction = report.fraction_lost if change >= 0 else max(change, -1.0)
            self.retransmitter.loss.reported(fraction, packets)

    def forget_loss(self) -> None:
        """Take what is lost of all that was sent for dropped from a queue."""
        self.retransmitter.loss.forget()
        self._forgotten = self.rewriter.last_sequence

    @property
    def loss(self) -> float:
        """The loss on the way to the viewer lately, by reports and requests, 0 to 1.

        Of packets that are retransmitted in the stream itself, reports tell the least
        that is lost: they count those that arrive then as received.
        """
        fraction = self.retransmitter.loss.fraction
        return (
            max(fraction, self.fraction_lost) if self._is_mended_in_stream else fraction
        )

    def second_passed(self) -> None:
        """Begin a new second of what is limited or measured by the second."""
        packets, octets = self._before
        self._before = self.rewriter.packets, self.rewriter.octets
        self._bitrate = 8 * (self.rewriter.octets - octets)
        sent = self.rewriter.packets - packets
        self.retransmitter.second_passed(sent if self._is_mended_in_stream else 0)
        if self.feed is not None:
            self.thinning.second_passed(self.feed.bitrate, self._bitrate, sent)

    def review(
        self, available: float | None, estimate: ViewerEstimate, round_trip: RoundTrip
    ) -> None:
        """Adapt to the viewer's path.

        Args:
            available: the part of its estimate that is left for this stream, in bit/s;
                None without an estimate.
        """
        if (feed := self.feed) is None:
            return
        bitrate = feed.bitrate or self._bitrate or ASSUMED_BITRATE
        now, retransmitter = self._now(), self.retransmitter
        if self.kind == "video":
            self._review_rate(bitrate, available, round_trip)
        is_thinned = self.thinning.rate < math.inf
        has_queue = round_trip.has_queue or estimate.has_fallen(now)
        retransmitter.adapt(round_trip)
        retransmitter.allowance.review(
            min(bitrate, self.thinning.rate),
            available if estimate.is_settled(now) else None,
            retransmitter.loss,
            has_queue=has_queue or is_thinned,
        )

    def _review_rate(
        self,
        bitrate: float,
        available: float | None,
        round_trip: RoundTrip,
    ) -> None:
        """Decide how quickly packets are sent, and whether all of them are."""
        assert self.feed is not None
        now, pacer, thinning = self._now(), self.pacer, self.thinning
        was_limited = thinning.rate < math.inf
        loss = self.retransmitter.loss
        if self.has_smaller:
            thinning.stop()
        elif thinning.review(bitrate, available, loss, round_trip, now):
            pacer.limit(thinning.rate)
            pacer.pause(now + round_trip.waiting)
            self._schedule(pacer.deadline)
            if not was_limited and loss.fraction > MENDABLE:
                # Not now: the feed may be going through its watchers.
                asyncio.get_running_loop().call_soon(self._skip)
        pacer.limit(thinning.rate)
        rate = self.feed.encoding.frame_rate
        pacer.review(bitrate, rate, available, round_trip)
        self._choose_way()

    def _skip(self) -> None:
        """Go on with the next key frame: the queue has dropped parts of this GOP."""
        if self.feed is not None:
            self._is_skipping = True
            self.feed.skip(self)

    @property
    def _is_mended_in_stream(self) -> bool:
        """Whether packets are retransmitted in the RTP stream itself, without RTX."""
        return self.rewriter.payload_type in self._codecs.types_without_rtx

    def _has_single_units(self, packets: Sequence[ForwardedPacket]) -> bool:
        """Whether an encoding is in mode 0 of H.264, as its offer says or implies.

        With the first packet of mode 1 the viewer leaves it: it has said that it does
        not take them (RFC 6184 section 6.2).
        """
        if self.feed is None or not self.accepts(self.feed.encoding.codec):
            return False
        if not any(holds_structure(p.body, p.payload_offset) for p in packets):
            return True
        self._codecs.refuse(self.feed.encoding.codec)
        # Not now: the feed is going through its watchers.
        asyncio.get_running_loop().call_soon(self.leave)
        return False
