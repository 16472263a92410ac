"""RTP out (RFC 7667 section 3.7): a publisher's packets to one viewer, as they are."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from struct import pack

from ..rtp.packet import RtpPacket
from ..rtp.rewriter import Rewriter
from ..sdp.codecs import Codec, best_match
from ..sdp.media import OfferedMedia
from .feed import Feed

# Seconds within which a packet is sent again but once, however often it is asked for.
REPEAT_TIME = 0.02
# Packets for which that is remembered.
MAX_REMEMBERED = 256


class Forwarder:
    """Sends one track to one viewer.

    Args:
        media: what the viewer takes.
        ssrc, repair_ssrc: of the packets, and of those sent again over RTX.
        send: encrypts and sends a packet.

    Attributes:
        identifiers: of the header extensions: URI -> identifier.
        feed: what is forwarded; None before the first packet.
        rewriter: its packets as one stream.
        resent: how many packets were sent again.
    """

    def __init__(
        self,
        media: OfferedMedia,
        ssrc: int,
        repair_ssrc: int,
        send: Callable[[bytes], None],
    ) -> None:
        self.kind = media.kind
        self.identifiers: Mapping[str, int] = {
            uri: identifier for identifier, uri in media.extensions
        }
        self.feed: Feed | None = None
        self.rewriter = Rewriter(
            ssrc, sequence=secrets.randbits(15), timestamp=secrets.randbits(32)
        )
        self.resent = 0
        self._codecs = [codec for codec in media.codecs if codec.retransmits is None]
        self._repair_types = {
            codec.retransmits: codec.payload_type
            for codec in media.codecs
            if codec.retransmits is not None
        }
        self._send = send
        self._repair_ssrc = repair_ssrc
        self._repair_sequence = secrets.randbits(15)
        self._wanted: Feed | None = None
        self._resent_at: dict[int, float] = {}
        self._now = asyncio.get_running_loop().time

    def takes(self, codec: Codec) -> bool:
        """Whether the viewer can decode what is sent with a codec."""
        return best_match(codec, self._codecs) is not None

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
            feed.begin(self, self._now())
        else:
            feed.wait(self)

    def leave(self) -> None:
        """Forward nothing more."""
        for feed in (self._wanted, self.feed):
            if feed is not None:
                feed.remove(self)
        self._wanted = self.feed = None

    def begin(self, feed: Feed, packet: RtpPacket, now: float) -> None:
        if self.feed is not None and self.feed is not feed:
            self.feed.remove(self)
        self.feed, self._wanted = feed, None
        codec = best_match(feed.layer.codec, self._codecs)
        if codec is not None:
            self.rewriter.switch(packet, codec.payload_type, codec.clock_rate, now)
        self._resent_at.clear()

    def forward(self, packet: RtpPacket, first: int, body: bytes, now: float) -> None:
        self._send(self.rewriter.write(packet, first, body, now))

    def timestamp_at(self, now: float) -> int | None:
        """The timestamp of what happens now; None when nothing is forwarded."""
        if self.feed is None:
            return None
        timestamp = self.feed.layer.timestamp_at(now)
        return None if timestamp is None else self.rewriter.timestamp_of(timestamp)

    def send_again(self, sequences: Iterable[int]) -> None:
        """Send lost packets again, as far as they are kept (RFC 4585, RFC 4588)."""
        if self.feed is None:
            return
        now = self._now()
        form = self.feed.form_of(self)
        for sequence in sequences:
            original = self.rewriter.original(sequence)
            packet = None if original is None else self.feed.history.get(original)
            if packet is None:
                continue
            if now - self._resent_at.get(sequence, 0.0) < REPEAT_TIME:
                continue
            if len(self._resent_at) >= MAX_REMEMBERED:
                self._resent_at.clear()
            self._resent_at[sequence] = now
            self._send_again(packet, sequence, *form.write(packet, now))

    def _send_again(
        self, packet: RtpPacket, sequence: int, first: int, body: bytes
    ) -> None:
        rewriter = self.rewriter
        payload_type, ssrc, number = rewriter.payload_type, rewriter.ssrc, sequence
        repair_type = self._repair_types.get(payload_type)
        if repair_type is not None:
            # RFC 4588 section 4: the original number stands before the payload.
            at = len(body) - len(packet.payload)
            body = body[:at] + sequence.to_bytes(2) + body[at:]
            payload_type, ssrc = repair_type, self._repair_ssrc
            self._repair_sequence = number = (self._repair_sequence + 1) & 0xFFFF
        header = pack(
            "!BBHII",
            first,
            packet.marker << 7 | payload_type,
            number,
            rewriter.timestamp_of(packet.timestamp),
            ssrc,
        )
        self.resent += 1
        self._send(header + body)
