"""Sends a publisher's packets to one viewer, not transcoded (RFC 7667 section 3.7)."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from struct import pack

from ..rtp import extensions
from ..rtp.forward_template import ExtensionMap, ForwardedPacket
from ..rtp.frame_numbers import Renumbering
from ..rtp.packet import HEADER_LENGTH, RtpPacket
from ..rtp.rewriter import Rewriter
from ..sdp.codecs import SINGLE_NAL_UNIT, Codec, best_match
from ..sdp.media import OfferedMedia
from ..transport.packet_buffer import PacketBuffer
from .feed import Feed
from .redundancy import MAX_AGE, MAX_LEVEL, Redundancy
from .transport import MediaTransport

# Seconds within which a packet is retransmitted at most once.
MIN_RETRANSMISSION_INTERVAL = 0.02
# Retransmissions per second, at most.
MAX_RETRANSMISSIONS = 1024

# Types of H.264 payloads that are not single NAL units: aggregates and fragments (RFC
# 6184 section 5.2).
_STRUCTURES = range(24, 30)

# Octets that may wait in the socket's queue; beyond it, frames are dropped.
MAX_WAITING = 1024 * 1024


class Forwarder:
    """Sends one track to one viewer.

    Args:
        media: the viewer's offered media section.
        ssrc, rtx_ssrc: the SSRCs of the RTP stream and of its RTX stream.
        transport: sends the packets.
        on_source_changed: called when the RTP stream continues with another encoding.

    Attributes:
        kind: ``audio`` or ``video``.
        extension_map: the viewer's RTP header extensions: URI -> identifier.
        feed: the feed that is forwarded; None before its first packet.
        rewriter: makes one RTP stream of the packets of changing feeds.
        retransmitted: packets retransmitted so far.
        fraction_lost: the loss in the viewer's last receiver report, 0 to 1.
        frames_dropped: frames skipped because its socket was congested.
    """

    def __init__(
        self,
        media: OfferedMedia,
        ssrc: int,
        rtx_ssrc: int,
        transport: MediaTransport,
        on_source_changed: Callable[["Forwarder"], None],
    ) -> None:
        self.kind = media.kind
        self.feed: Feed | None = None
        self.rewriter = Rewriter(
            ssrc, sequence=secrets.randbits(15), timestamp=secrets.randbits(32)
        )
        self.retransmitted = 0
        self.fraction_lost = 0.0
        self.frames_dropped = 0
        self._codecs = [codec for codec in media.codecs if not codec.is_auxiliary]
        self._rtx_types = {
            codec.retransmits: codec.payload_type
            for codec in media.codecs
            if codec.retransmits is not None
        }
        # Payload types that are retransmitted in the RTP stream itself, without RTX.
        # Browsers request lost sound only if that is negotiated, others always.
        self._types_without_rtx = {
            codec.payload_type
            for codec in self._codecs
            if (self.kind == "audio" or "nack" in codec.feedback)
            and codec.payload_type not in self._rtx_types
        }
        self._redundancy = Redundancy(media.codecs)
        self.extension_map: ExtensionMap = {
            uri: identifier
            for identifier, uri in media.extensions
            # A retransmission without RTX must have the same octets: otherwise SRTP
            # would encrypt two texts with one key stream.
            if uri != extensions.ABS_SEND_TIME or not self._types_without_rtx
        }
        self._matches: dict[Codec, Codec | None] = {}
        # Whether only single NAL units may be sent: the viewer states mode 0 of H.264.
        self._takes_single_units = False
        self._transport = transport
        self._on_source_changed = on_source_changed
        self._rtx_ssrc = rtx_ssrc
        self._rtx_sequence = secrets.randbits(15)
        # The feed to switch to at its next key frame.
        self._wanted: Feed | None = None
        # The feed, codec and epoch that the rewriter's offsets are computed for.
        self._source: tuple[Feed, Codec, int] | None = None
        self._renumbering = Renumbering()
        # The last packet that was sent.
        self._last: ForwardedPacket | None = None
        self._retransmissions_left = MAX_RETRANSMISSIONS
        self._retransmitted_at: dict[int, float] = {}
        self._now = asyncio.get_running_loop().time

    @property
    def is_congested(self) -> bool:
        """Whether the network has not taken what was sent before."""
        return self._transport.waiting > MAX_WAITING

    def accepts(self, codec: Codec) -> bool:
        """Whether the viewer negotiated a codec that can decode this one."""
        return self._match(codec) is not None

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
        self._wanted = self.feed = self._source = None

    # Watcher (see feed.py)

    def begin(self, feed: Feed, packets: Sequence[RtpPacket], now: float) -> bool:
        codec = self._match(feed.encoding.codec)
        if codec is None:
            return False
        self._takes_single_units = codec.packetization_mode == SINGLE_NAL_UNIT
        if self.feed is not None and self.feed is not feed:
            self.feed.remove(self)
        first, rewriter = packets[0], self.rewriter
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
            last = self._last
            before = b"" if last is None else last.body[last.payload_offset :]
            self._renumbering.switch(codec.name, first.payload, before)
        self.feed, self._wanted = feed, None
        self._retransmitted_at.clear()
        self._redundancy.forget()
        self._on_source_changed(self)
        return True

    def catch_up(self, packet: ForwardedPacket) -> ForwardedPacket:
        timestamp = self.rewriter.catch_up_timestamp(packet.sequence, packet.timestamp)
        return packet._replace(timestamp=timestamp)

    def forward(
        self, packets: Sequence[ForwardedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        if self._takes_single_units and not self._has_single_units(packets):
            return
        if self._redundancy.level:
            buffer.lengths = self._write_redundant(packets, buffer.slots, now)
        else:
            buffer.lengths = self.rewriter.write(packets, buffer.slots, now)
        if self._renumbering.is_needed:
            for packet, slot in zip(packets, buffer.slots, strict=False):
                self._renumbering.apply(slot, HEADER_LENGTH + packet.payload_offset)
        self._last = packets[-1]
        try:
            self._transport.send_rtp_batch(buffer)
        except ConnectionError:
            # The connection is closed; the session will notice and leave.
            return

    def timestamp_at(self, now: float) -> int | None:
        """The RTP timestamp of this moment; None while nothing is forwarded."""
        if self.feed is None:
            return None
        timestamp = self.feed.encoding.timestamp_at(now)
        return None if timestamp is None else self.rewriter.timestamp_of(timestamp)

    # Redundancy (RFC 2198)

    def set_redundancy(self, level: int) -> None:
        """Send each frame of sound with frames before it, if the viewer takes that.

        Args:
            level: how many frames before it.
        """
        self._redundancy.level = level

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
        red_type = redundancy.type_for(rewriter.payload_type)
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

    def reset_retransmission_budget(self) -> None:
        """Allow MAX_RETRANSMISSIONS again; called every second."""
        self._retransmissions_left = MAX_RETRANSMISSIONS

    def retransmit(self, sequences: Iterable[int]) -> None:
        """Retransmit lost packets that are still kept (RFC 4585, RFC 4588).

        Args:
            sequences: their sequence numbers in the viewer's RTP stream.
        """
        feed, payload_type = self.feed, self.rewriter.payload_type
        rtx_type = self._rtx_types.get(payload_type)
        if feed is None or (
            rtx_type is None and payload_type not in self._types_without_rtx
        ):
            return
        now = self._now()
        template = feed.template_for(self)
        for sequence in sequences:
            original = self.rewriter.original(sequence)
            packet = None if original is None else feed.history.get(original)
            if (
                packet is None
                or (self.kind == "audio" and self.rewriter.age(sequence) >= MAX_AGE)
                or not self._retransmissions_left
                or now - self._retransmitted_at.get(sequence, 0.0)
                < MIN_RETRANSMISSION_INTERVAL
            ):
                continue
            self._retransmissions_left -= 1
            if len(self._retransmitted_at) >= MAX_RETRANSMISSIONS:
                self._retransmitted_at.clear()
            self._retransmitted_at[sequence] = now
            self.retransmitted += 1
            forwarded = self.catch_up(template.apply(packet, now))
            try:
                self._transport.send_rtp(
                    self._write_retransmission(forwarded, sequence, rtx_type)
                )
            except ConnectionError:
                return

    def _write_retransmission(
        self, packet: ForwardedPacket, sequence: int, rtx_type: int | None
    ) -> bytes:
        """Write a retransmission: an RTX packet, or the same octets without RTX."""
        rewriter, payload_type = self.rewriter, self.rewriter.payload_type
        if rtx_type is None and (redundant := self._redundancy.find(packet)):
            packet, red_type = redundant, self._redundancy.type_for(payload_type)
            assert red_type is not None
            payload_type = red_type
        body, at = packet.body, packet.payload_offset
        if self._renumbering.is_needed:
            renumbered = bytearray(body)
            self._renumbering.apply(renumbered, at)
            body = bytes(renumbered)
        ssrc, number = rewriter.ssrc, sequence
        if rtx_type is not None:
            # RFC 4588 section 4: the original sequence number precedes the payload.
            body = body[:at] + sequence.to_bytes(2) + body[at:]
            payload_type, ssrc = rtx_type, self._rtx_ssrc
            self._rtx_sequence = number = (self._rtx_sequence + 1) & 0xFFFF
        header = pack(
            "!BBHII",
            packet.first,
            packet.marker | payload_type,
            number,
            rewriter.timestamp_of(packet.timestamp),
            ssrc,
        )
        return header + body

    def _has_single_units(self, packets: Sequence[ForwardedPacket]) -> bool:
        """Whether an encoding is in mode 0 of H.264, as its offer says or implies.

        With the first packet of mode 1 the viewer leaves it: it has said that it does
        not take them (RFC 6184 section 6.2).
        """
        if self.feed is None or self._match(self.feed.encoding.codec) is None:
            return False
        if not any(_holds_structure(p.body, p.payload_offset) for p in packets):
            return True
        self._matches[self.feed.encoding.codec] = None
        # Not now: the feed is going through its watchers.
        asyncio.get_running_loop().call_soon(self.leave)
        return False

    def _match(self, codec: Codec) -> Codec | None:
        """The codec of the viewer's offer that can decode this codec; else None."""
        if codec not in self._matches:
            self._matches[codec] = best_match(codec, self._codecs)
        return self._matches[codec]


def is_structure(packet: RtpPacket) -> bool:
    """Whether a packet of H.264 has fragments or aggregates: it is of mode 1."""
    return _holds_structure(packet.payload, 0)


def _holds_structure(data: bytes, at: int) -> bool:
    return len(data) > at and data[at] & 0x1F in _STRUCTURES
