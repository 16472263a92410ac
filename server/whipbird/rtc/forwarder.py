"""RTP out (RFC 7667 section 3.7): a publisher's packets to one viewer, as they are."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import pack
from typing import TYPE_CHECKING

from ..rtp import extensions
from ..rtp.form import FormedPacket
from ..rtp.frame_numbers import Renumbering
from ..rtp.packet import HEADER_LENGTH, RtpPacket
from ..rtp.rewriter import Rewriter
from ..sdp.codecs import Codec, best_match
from ..sdp.media import OfferedMedia
from ..transport.packet_buffer import PacketBuffer
from .feed import Feed

if TYPE_CHECKING:
    from .connection import Connection

# Seconds within which a packet is sent again but once, however often it is asked for.
REPEAT_TIME = 0.02
# Packets that are sent again in a second, at most.
MAX_REPEATS = 1024

# Octets that may wait for the network: beyond it frames are left out.
MAX_WAITING = 1024 * 1024


class Forwarder:
    """Sends one track to one viewer.

    Args:
        media: what the viewer takes.
        ssrc, repair_ssrc: of the packets, and of those sent again over RTX.
        transport: what they are sent over.
        began: called when the packets of another source begin.

    Attributes:
        kind: ``audio`` or ``video``.
        identifiers: of the header extensions: URI -> identifier.
        feed: what is forwarded; None before the first packet.
        rewriter: its packets as one stream.
        resent: how many packets were sent again.
        fraction_lost: of what it was sent, by its last report; 0 to 1.
        frames_dropped: how many frames were left out, since the network was too slow.
    """

    def __init__(
        self,
        media: OfferedMedia,
        ssrc: int,
        repair_ssrc: int,
        transport: "Connection",
        began: Callable[["Forwarder"], None],
    ) -> None:
        self.kind = media.kind
        self.feed: Feed | None = None
        self.rewriter = Rewriter(
            ssrc, sequence=secrets.randbits(15), timestamp=secrets.randbits(32)
        )
        self.resent = 0
        self.fraction_lost = 0.0
        self.frames_dropped = 0
        self._codecs = [codec for codec in media.codecs if codec.retransmits is None]
        self._repair_types = {
            codec.retransmits: codec.payload_type
            for codec in media.codecs
            if codec.retransmits is not None
        }
        # Payload types whose packets are sent again as they were.
        self._repeatable = {
            codec.payload_type
            for codec in self._codecs
            if "nack" in codec.feedback and codec.payload_type not in self._repair_types
        }
        self.identifiers: Mapping[str, int] = {
            uri: identifier
            for identifier, uri in media.extensions
            # The same octets must go out again, or SRTP's key stream is used twice.
            if uri != extensions.ABS_SEND_TIME or not self._repeatable
        }
        self._matches: dict[Codec, Codec | None] = {}
        self._transport = transport
        self._began = began
        self._repair_ssrc = repair_ssrc
        self._repair_sequence = secrets.randbits(15)
        self._wanted: Feed | None = None
        # What the rewriter's timestamps are made for.
        self._source: tuple[Feed, Codec] | None = None
        self._renumbering = Renumbering()
        # The last packet that was sent.
        self._last: FormedPacket | None = None
        self._repeats_left = MAX_REPEATS
        self._repeated_at: dict[int, float] = {}
        self._now = asyncio.get_running_loop().time

    @property
    def is_congested(self) -> bool:
        """Whether the network has not taken what was sent before."""
        return self._transport.waiting > MAX_WAITING

    def takes(self, codec: Codec) -> bool:
        """Whether the viewer can decode what is sent with a codec."""
        return self._match(codec) is not None

    def watch(self, feed: Feed) -> None:
        """Forward a feed: at once, or from its next key frame on if another is on."""
        if feed is (self._wanted or self.feed):
            return
        if self._wanted is not None:
            self._wanted.remove(self)
            self._wanted = None
        if feed is self.feed:
            return
        self._wanted = feed
        if self.feed is None:
            feed.begin(self)
        else:
            feed.wait(self)

    def leave(self) -> None:
        """Forward nothing more."""
        for feed in (self._wanted, self.feed):
            if feed is not None:
                feed.remove(self)
        self._wanted = self.feed = self._source = None

    # What a feed gives

    def begin(self, feed: Feed, packets: Sequence[RtpPacket], now: float) -> bool:
        codec = self._match(feed.layer.codec)
        if codec is None:
            return False
        if self.feed is not None and self.feed is not feed:
            self.feed.remove(self)
        first, rewriter = packets[0], self.rewriter
        source = (feed, codec)
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
        self._repeated_at.clear()
        self._began(self)
        return True

    def caught_up(self, packet: FormedPacket) -> FormedPacket:
        timestamp = self.rewriter.caught_up(packet.sequence, packet.timestamp)
        return packet._replace(timestamp=timestamp)

    def forward(
        self, packets: Sequence[FormedPacket], buffer: PacketBuffer, now: float
    ) -> None:
        buffer.lengths = self.rewriter.write(packets, buffer.slots, now)
        if self._renumbering.is_needed:
            for packet, slot in zip(packets, buffer.slots, strict=False):
                self._renumbering.apply(slot, HEADER_LENGTH + packet.payload_offset)
        self._last = packets[-1]
        try:
            self._transport.send_rtp_batch(buffer)
        except ConnectionError:
            # It has gone, and whoever watches it will be told.
            return

    def timestamp_at(self, now: float) -> int | None:
        """The timestamp of what happens now; None when nothing is forwarded."""
        if self.feed is None:
            return None
        timestamp = self.feed.layer.timestamp_at(now)
        return None if timestamp is None else self.rewriter.timestamp_of(timestamp)

    # What the viewer has lost

    def a_second_has_gone_by(self) -> None:
        """So many packets may be sent again in the next one."""
        self._repeats_left = MAX_REPEATS

    def send_again(self, sequences: Iterable[int]) -> None:
        """Send lost packets again, as far as they are kept (RFC 4585, RFC 4588)."""
        feed, payload_type = self.feed, self.rewriter.payload_type
        repair_type = self._repair_types.get(payload_type)
        if feed is None or (
            repair_type is None and payload_type not in self._repeatable
        ):
            return
        now = self._now()
        form = feed.form_of(self)
        for sequence in sequences:
            original = self.rewriter.original(sequence)
            packet = None if original is None else feed.history.get(original)
            if (
                packet is None
                or not self._repeats_left
                or now - self._repeated_at.get(sequence, 0.0) < REPEAT_TIME
            ):
                continue
            self._repeats_left -= 1
            if len(self._repeated_at) >= MAX_REPEATS:
                self._repeated_at.clear()
            self._repeated_at[sequence] = now
            self.resent += 1
            formed = self.caught_up(form.write(packet, now))
            try:
                self._transport.send_rtp(self._repeat(formed, sequence, repair_type))
            except ConnectionError:
                return

    def _repeat(
        self, packet: FormedPacket, sequence: int, repair_type: int | None
    ) -> bytes:
        """A packet that was sent, once more."""
        rewriter, body, at = self.rewriter, packet.body, packet.payload_offset
        if self._renumbering.is_needed:
            renumbered = bytearray(body)
            self._renumbering.apply(renumbered, at)
            body = bytes(renumbered)
        payload_type, ssrc, number = rewriter.payload_type, rewriter.ssrc, sequence
        if repair_type is not None:
            # RFC 4588 section 4: the original number stands before the payload.
            body = body[:at] + sequence.to_bytes(2) + body[at:]
            payload_type, ssrc = repair_type, self._repair_ssrc
            self._repair_sequence = number = (self._repair_sequence + 1) & 0xFFFF
        header = pack(
            "!BBHII",
            packet.first,
            packet.marker | payload_type,
            number,
            rewriter.timestamp_of(packet.timestamp),
            ssrc,
        )
        return header + body

    def _match(self, codec: Codec) -> Codec | None:
        """What the viewer takes a codec's packets as."""
        if codec not in self._matches:
            self._matches[codec] = best_match(codec, self._codecs)
        return self._matches[codec]
