"""One received track: demultiplexes the packets of its m-section (RFC 3550)."""

import asyncio
from collections.abc import Callable

from ..rtp import extensions
from ..rtp.extensions import find_extension, read_extensions
from ..rtp.packet import RtpPacket
from ..rtp.red import RedError, take_apart
from ..rtp.rtx import unwrap
from ..sdp.codecs import Codec
from ..sdp.media import OfferedMedia
from ..sdp.simulcast import MAX_ENCODINGS
from .encoding import Encoding
from .feedback import Feedback
from .source import Source
from .stats import ReceivedCounts, TrackStats
from .transport import SourceTransport

# Seconds without packets after which a source makes room for a new one, if it is not
# the current one of its encoding.
SOURCE_LIFETIME = 1.0
# Seconds that a source of a simulcast has to tell its rid, as RFC 8853 section 5.5 has
# it. One that does not is not left out: it is what the offer says, or a plain track.
RID_PATIENCE = 1.0
# Sources of a track, at most.
MAX_SOURCES = MAX_ENCODINGS


class Track:
    """Receives the packets of one m-section, and sorts them by encoding.

    Args:
        kind: ``audio`` or ``video``.
        transport: receives the packets.
        in_order: whether they can be neither late nor sent again: a gap is final.

    Attributes:
        encodings: the encodings received so far; one, without simulcast.
        extension_map: the negotiated RTP header extensions: URI -> identifier.
        on_encodings_changed: functions that are called when an encoding was added,
            before its subscribers get its first packet, or was removed.
        reduced_size: whether the peer accepts reduced-size RTCP (RFC 5506).
        is_configured: whether packets are to come.
        malformed: packets dropped because their redundancy (RFC 2198) is malformed, or
            is not of the codec that was negotiated with it.
    """

    def __init__(
        self, kind: str, transport: SourceTransport, *, in_order: bool = False
    ) -> None:
        self.kind = kind
        self.encodings: list[Encoding] = []
        self.extension_map: dict[str, int] = {}
        self.on_encodings_changed: list[Callable[[], None]] = []
        self.reduced_size = False
        self.is_configured = False
        self.malformed = 0
        self._transport = transport
        self._in_order = in_order
        self._media: OfferedMedia | None = None
        self._codecs: dict[int, Codec] = {}
        self._transport_cc = 0
        # The header extension by which packets say when they were sent, if this side
        # makes the estimate.
        self._send_time = 0
        self._rids: frozenset[str] = frozenset()
        # By SSRC: sources, their encodings, and the sources of RTX streams.
        self._sources: dict[int, Source] = {}
        self._encodings: dict[int, Encoding] = {}
        self._rtx_sources: dict[int, Source] = {}
        # SSRC -> when it was first heard, of sources that have not told their rid; and
        # the rids that the offer has for SSRCs.
        self._nameless: dict[int, float] = {}
        self._offered_sources: dict[int, str] = {}
        # What was received of encodings that have ended.
        self._ended = ReceivedCounts()
        self._now = asyncio.get_running_loop().time

    def configure(self, media: OfferedMedia, feedback: Feedback) -> None:
        """Configure it from the offered media section.

        Args:
            media: the section's codecs, header extensions and encodings.
            feedback: sends RTCP feedback to the media sender.
        """
        self.is_configured = True
        self._media = media
        self._feedback = feedback
        self._codecs = {codec.payload_type: codec for codec in media.codecs}
        self.extension_map = {uri: identifier for identifier, uri in media.extensions}
        kinds = {kind for codec in media.codecs for kind in codec.feedback}
        if "transport-cc" in kinds:
            self._transport_cc = self.extension_map.get(extensions.TRANSPORT_CC, 0)
        elif "goog-remb" in kinds:
            self._send_time = self.extension_map.get(extensions.ABS_SEND_TIME, 0)
        self._original_ssrcs = dict(media.retransmission_sources)
        self._rids = frozenset(self.rids)
        self._offered_sources = dict(media.simulcast.sources) if media.simulcast else {}
        self.reduced_size = media.reduced_size
        feedback.tracks.append(self)
        for codec in media.codecs:
            take = self._receive
            if codec.retransmits is not None:
                take = self._receive_rtx
            elif codec.carries is not None:
                take = self._receive_red
            self._transport.rtp_routes[codec.payload_type] = take

    @property
    def rids(self) -> tuple[str, ...]:
        """The rids of the offered encodings; none without simulcast."""
        simulcast = self._media.simulcast if self._media is not None else None
        return tuple(r.identifier for r in simulcast.rids) if simulcast else ()

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The negotiated codecs, without RTX and RED; none before ``configure``."""
        return tuple(c for c in self._codecs.values() if not c.is_auxiliary)

    @property
    def packets(self) -> int:
        """RTP packets received so far, RTX not counted."""
        return sum(source.reception.packets for source in self._sources.values())

    @property
    def octets(self) -> int:
        """Octets of these RTP packets."""
        return sum(source.reception.octets for source in self._sources.values())

    @property
    def received(self) -> ReceivedCounts:
        """What was received of all its encodings, those that have ended included."""
        found = (encoding.received for encoding in self.encodings)
        return sum(found, self._ended + ReceivedCounts(malformed=self.malformed))

    @property
    def stats(self) -> TrackStats:
        """A snapshot."""
        encodings = tuple(encoding.stats for encoding in self.encodings)
        return TrackStats(self.kind, encodings, self.received)

    def source_of(self, ssrc: int) -> Source | None:
        """The source with this SSRC."""
        return self._sources.get(ssrc)

    def name_source(self, ssrc: int, rid: str | None) -> None:
        """Note the rid of a source whose packets do not tell it; None to forget it."""
        if rid is None:
            self._offered_sources.pop(ssrc, None)
        else:
            self._offered_sources[ssrc] = rid

    def forget(self, ssrcs: tuple[int, ...]) -> None:
        """Remove sources that have ended (RTCP BYE), and encodings without any."""
        for ssrc in ssrcs:
            self._rtx_sources.pop(ssrc, None)
            source = self._sources.pop(ssrc, None)
            if source is None:
                continue
            for rtx_ssrc, original in list(self._rtx_sources.items()):
                if original is source:
                    del self._rtx_sources[rtx_ssrc]
            encoding = self._encodings.pop(ssrc)
            if encoding.remove_source(ssrc):
                self.encodings.remove(encoding)
                self._ended += encoding.received
                self._notify()

    # Packets

    def _receive(self, data: bytes) -> None:
        """Handle a decrypted RTP packet."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._note_arrival(packet)
        source = self._sources.get(packet.ssrc)
        if source is None:
            source = self._new_source(packet)
            if source is None:
                return
        source.receive(packet, self._codecs[packet.payload_type], now)

    def _receive_red(self, data: bytes) -> None:
        """Handle a decrypted packet with redundancy (RFC 2198)."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._note_arrival(packet)
        parts = self._take_apart(packet)
        if parts is None:
            return
        *before, own = parts
        codec = self._codecs[own.payload_type]
        source = self._sources.get(own.ssrc) or self._new_source(own)
        if source is not None:
            if source.codec is codec:
                source.restore(before, own, now)
            source.receive(own, codec, now)

    def _receive_rtx(self, data: bytes) -> None:
        """Handle a decrypted RTX packet (RFC 4588)."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._note_arrival(packet)
        source = self._rtx_sources.get(packet.ssrc)
        if source is None:
            source = self._new_rtx_source(packet)
            if source is None:
                return
        payload_type = self._codecs[packet.payload_type].retransmits
        assert payload_type is not None
        original = unwrap(packet, payload_type, source.ssrc)
        if original is None:
            return
        if self._codecs[payload_type].carries is not None:
            parts = self._take_apart(original)
            if parts is None:
                return
            original = parts[-1]
        source.receive_retransmission(original, now)

    def _take_apart(self, packet: RtpPacket) -> list[RtpPacket] | None:
        """The packets in one with redundancy, the own one last; None if malformed."""
        payload_type = self._codecs[packet.payload_type].carries
        assert payload_type is not None
        try:
            return take_apart(packet, payload_type)
        except RedError:
            self.malformed += 1
            return None

    def _note_arrival(self, packet: RtpPacket) -> float:
        """Pass the arrival of a packet to the feedback; return its time."""
        now = self._now()
        feedback = self._feedback
        feedback.received(packet.ssrc)
        if self._transport_cc:
            sequence = find_extension(packet, self._transport_cc)
            if sequence is not None and len(sequence) == 2:
                feedback.sequence_received(sequence[0] << 8 | sequence[1], now)
        elif self._send_time:
            sent = find_extension(packet, self._send_time)
            if sent is not None and len(sent) == 3:
                units = int.from_bytes(sent)
                feedback.send_time_received(units, len(packet.data), now)
        return now

    def _new_source(self, packet: RtpPacket) -> Source | None:
        """Make a source for the SSRC of a packet; None while its rid is unknown."""
        rid = self._read_rid(packet, extensions.RID) if self._rids else None
        if self._rids and rid not in self._rids:
            rid = self._offered_sources.get(packet.ssrc)
            if not self._is_taken_without_rid(packet.ssrc, rid):
                return None
        if len(self._sources) >= MAX_SOURCES and not self._make_room():
            return None
        codec = self._codecs[packet.payload_type]
        encoding = next((x for x in self.encodings if x.rid == rid), None)
        is_new = encoding is None
        if encoding is None:
            level_id = self.extension_map.get(extensions.AUDIO_LEVEL, 0)
            encoding = Encoding(
                codec,
                rid,
                self._feedback.send_soon,
                level_id,
                in_order=self._in_order,
            )
            self.encodings.append(encoding)
        # Else the sender has restarted the encoder, with another SSRC.
        source = encoding.add_source(packet.ssrc, codec)
        self._sources[packet.ssrc] = source
        self._encodings[packet.ssrc] = encoding
        if is_new:
            self._notify()
        return source

    def _is_taken_without_rid(self, ssrc: int, rid: str | None) -> bool:
        """Whether a source without a rid in its packets is taken as it is.

        Args:
            rid: the rid that the offer has for it.
        """
        if extensions.RID not in self.extension_map:
            # Nothing else will tell.
            return rid is not None
        # A later packet may carry the rid (RFC 8853 section 5.5).
        if ssrc not in self._nameless and len(self._nameless) >= MAX_SOURCES:
            self._nameless.clear()
        now = self._now()
        if now - self._nameless.setdefault(ssrc, now) < RID_PATIENCE:
            return False
        return rid is not None or all(x.rid is None for x in self.encodings)

    def _make_room(self) -> bool:
        """Remove the source that has been silent longest; return whether there is one.

        An encoder may have another SSRC each time that it starts.
        """
        others = [
            source
            for source in self._sources.values()
            if self._encodings[source.ssrc].source is not source
        ]
        if not others:
            return False
        oldest = min(others, key=lambda source: source.last_packet_at)
        if self._now() - oldest.last_packet_at < SOURCE_LIFETIME:
            return False
        self.forget((oldest.ssrc,))
        return True

    def _notify(self) -> None:
        for handler in tuple(self.on_encodings_changed):
            handler()

    def _new_rtx_source(self, packet: RtpPacket) -> Source | None:
        """Find the source that an RTX stream belongs to (RFC 4588 section 8.3)."""
        rid = self._read_rid(packet, extensions.REPAIRED_RID)
        original = self._original_ssrcs.get(packet.ssrc)
        for encoding in self.encodings:
            source = encoding.source
            if original is not None and original in encoding.sources:
                source = encoding.sources[original]
            elif not (
                (rid is not None and encoding.rid == rid)
                or (len(self.encodings) == 1 and rid is None and original is None)
            ):
                continue
            if len(self._rtx_sources) >= MAX_SOURCES:
                # The RTX streams still in use will be found again.
                self._rtx_sources.clear()
            self._rtx_sources[packet.ssrc] = source
            return source
        return None

    def _read_rid(self, packet: RtpPacket, uri: str) -> str | None:
        """The rid in a header extension of a packet; None if it is absent."""
        identifier = self.extension_map.get(uri)
        if identifier is None:
            return None
        value = read_extensions(packet, (identifier,)).get(identifier)
        return None if value is None else value.decode("ascii", "replace")
