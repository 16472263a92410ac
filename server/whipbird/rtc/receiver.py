"""Receives the RTP packets of one m-section: demultiplexed, not decoded (RFC 3550)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from aiortc import InvalidStateError, RTCDtlsTransport, RTCRtpReceiver
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RTCRtpSynchronizationSource
from aiortc.stats import RTCInboundRtpStreamStats, RTCStatsReport

from ..rtp import extensions
from ..rtp.extensions import find_extension, read_extensions
from ..rtp.packet import RtpPacket
from ..rtp.rtx import unwrap
from ..sdp.codecs import Codec
from ..sdp.media import OfferedMedia
from ..sdp.simulcast import MAX_ENCODINGS
from .connection import Connection
from .decoding import LazyTrack
from .feedback import Feedback
from .received_encoding import Encoding

# Seconds without packets after which an encoding may be replaced by a new one.
ENCODING_LIFETIME = 30.0

# Seconds that a source of a simulcast has to tell its rid, as RFC 8853 section 5.5 has
# it. One that does not is not left out: it is what the offer says, or a plain track.
RID_PATIENCE = 1.0

# Seconds for which a source counts as heard (W3C webrtc-pc section 5.3).
SOURCE_LIFETIME = 10.0

# Seconds that a reader waits for the first packet of a track.
FIRST_PACKET_TIMEOUT = 15.0


class Receiver(RTCRtpReceiver):
    """Receives the packets of one m-section.

    aiortc decodes every frame in a thread, wanted or not. This receiver puts packets
    in order, has lost ones retransmitted, and keeps account; ``track.recv()`` decodes
    from the moment that it is called. Nothing of aiortc's own receiver runs.

    Args:
        kind: ``audio`` or ``video``.
        connection: receives the packets.
        transport: the transport, as aiortc has it.

    Attributes:
        encodings: the encodings received so far; one, without simulcast.
        extension_map: the negotiated RTP header extensions: URI -> identifier.
        on_encodings_changed: functions that are called when an encoding was added,
            before its subscribers get its first packet, or was removed.
        reduced_size: whether the peer accepts reduced-size RTCP (RFC 5506).
    """

    def __init__(
        self, kind: str, connection: Connection, transport: RTCDtlsTransport
    ) -> None:
        # Not aiortc's, which makes a jitter buffer and a bandwidth estimator.
        self.kind = kind
        self.encodings: list[Encoding] = []
        self.extension_map: dict[str, int] = {}
        self.on_encodings_changed: list[Callable[[], None]] = []
        self.reduced_size = False
        self._connection = connection
        self._transport = transport
        self._media: OfferedMedia | None = None
        self._feedback: Feedback | None = None
        self._codecs: dict[int, Codec] = {}
        self._transport_cc = 0
        # SSRC -> encoding, of RTP streams and of RTX streams.
        self._sources: dict[int, Encoding] = {}
        self._rtx_sources: dict[int, Encoding] = {}
        # SSRC -> when it was first heard, of sources that have not told their rid.
        self._nameless: dict[int, float] = {}
        self._lazy_track: LazyTrack | None = None
        self._has_encoding = asyncio.Event()
        self._now = asyncio.get_running_loop().time

    def configure(self, media: OfferedMedia, feedback: Feedback) -> None:
        """Configure the receiver from the offered media section.

        Args:
            media: the section's codecs, header extensions and encodings.
            feedback: sends RTCP feedback to the media sender.
        """
        self._media = media
        self._feedback = feedback
        self._codecs = {codec.payload_type: codec for codec in media.codecs}
        self.extension_map = {uri: identifier for identifier, uri in media.extensions}
        self._transport_cc = self.extension_map.get(extensions.TRANSPORT_CC, 0)
        self._original_ssrcs = dict(media.retransmission_sources)
        self.reduced_size = media.reduced_size
        feedback.receivers.append(self)
        for codec in media.codecs:
            self._connection.rtp_routes[codec.payload_type] = (
                self._receive if codec.retransmits is None else self._receive_rtx
            )

    @property
    def is_configured(self) -> bool:
        """Whether packets are to come."""
        return self._media is not None

    @property
    def rids(self) -> tuple[str, ...]:
        """The rids of the offered encodings; none without simulcast."""
        simulcast = self._media.simulcast if self._media is not None else None
        return tuple(r.identifier for r in simulcast.rids) if simulcast else ()

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The negotiated codecs, without RTX; none before ``configure``."""
        return tuple(c for c in self._codecs.values() if c.retransmits is None)

    @property
    def packets(self) -> int:
        """RTP packets received so far, RTX not counted."""
        return sum(encoding.reception.packets for encoding in self.encodings)

    @property
    def octets(self) -> int:
        """Octets of these RTP packets."""
        return sum(encoding.reception.octets for encoding in self.encodings)

    def encoding_of(self, ssrc: int) -> Encoding | None:
        """The encoding with this SSRC."""
        return self._sources.get(ssrc)

    def forget(self, ssrcs: tuple[int, ...]) -> None:
        """Remove the encodings of sources that have ended (RTCP BYE)."""
        for ssrc in ssrcs:
            self._rtx_sources.pop(ssrc, None)
            encoding = self._sources.pop(ssrc, None)
            if encoding is not None:
                self.encodings.remove(encoding)
                for rtx_ssrc, original in list(self._rtx_sources.items()):
                    if original is encoding:
                        del self._rtx_sources[rtx_ssrc]
                self._notify()

    # Packets

    def _receive(self, data: bytes) -> None:
        """Handle a decrypted RTP packet."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._note_arrival(packet)
        encoding = self._sources.get(packet.ssrc)
        if encoding is None:
            encoding = self._new_source(packet)
            if encoding is None:
                return
        encoding.receive(packet, self._codecs[packet.payload_type], now)

    def _receive_rtx(self, data: bytes) -> None:
        """Handle a decrypted RTX packet (RFC 4588)."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._note_arrival(packet)
        encoding = self._rtx_sources.get(packet.ssrc)
        if encoding is None:
            encoding = self._new_rtx_source(packet)
            if encoding is None:
                return
        payload_type = self._codecs[packet.payload_type].retransmits
        assert payload_type is not None
        original = unwrap(packet, payload_type, encoding.ssrc)
        if original is not None:
            encoding.receive_retransmission(original, now)

    def _note_arrival(self, packet: RtpPacket) -> float:
        """Pass the arrival of a packet to the feedback; return its time."""
        now = self._now()
        feedback = self._feedback
        assert feedback is not None
        feedback.received(packet.ssrc)
        if self._transport_cc:
            sequence = find_extension(packet, self._transport_cc)
            if sequence is not None and len(sequence) == 2:
                feedback.sequence_received(sequence[0] << 8 | sequence[1], now)
        return now

    def _new_source(self, packet: RtpPacket) -> Encoding | None:
        """Make an encoding for the SSRC of a packet; None while its rid is unknown."""
        assert self._media is not None
        assert self._feedback is not None
        rid = self._read_rid(packet, extensions.RID)
        simulcast = self._media.simulcast
        if simulcast is not None and rid not in {r.identifier for r in simulcast.rids}:
            rid = dict(simulcast.sources).get(packet.ssrc)
            if not self._is_nameless(packet.ssrc, rid):
                return None
        encoding = next(
            (x for x in self.encodings if rid is not None and x.rid == rid), None
        )
        if encoding is not None:
            # The sender has restarted the encoder, with another SSRC.
            self.forget((encoding.ssrc,))
        elif len(self.encodings) >= MAX_ENCODINGS:
            now = self._now()
            silent = [
                x for x in self.encodings if now - x.last_packet_at > ENCODING_LIFETIME
            ]
            if not silent:
                return None
            self.forget(tuple(encoding.ssrc for encoding in silent))
        codec = self._codecs[packet.payload_type]
        encoding = Encoding(packet.ssrc, codec, rid, self._feedback.send_soon)
        self._sources[packet.ssrc] = encoding
        self.encodings.append(encoding)
        self._has_encoding.set()
        self._notify()
        return encoding

    def _is_nameless(self, ssrc: int, rid: str | None) -> bool:
        """Whether a source without a rid in its packets is taken as it is.

        Args:
            rid: the rid that the offer has for it.
        """
        if extensions.RID not in self.extension_map:
            # Nothing else will tell.
            return rid is not None
        # A later packet may carry the rid (RFC 8853 section 5.5).
        if ssrc not in self._nameless and len(self._nameless) >= MAX_ENCODINGS:
            self._nameless.clear()
        now = self._now()
        if now - self._nameless.setdefault(ssrc, now) < RID_PATIENCE:
            return False
        return rid is not None or all(x.rid is None for x in self.encodings)

    def _notify(self) -> None:
        for handler in tuple(self.on_encodings_changed):
            handler()

    def _new_rtx_source(self, packet: RtpPacket) -> Encoding | None:
        """Find the encoding that an RTX stream belongs to (RFC 4588 section 8.3)."""
        rid = self._read_rid(packet, extensions.REPAIRED_RID)
        original = self._original_ssrcs.get(packet.ssrc)
        for encoding in self.encodings:
            if (
                (rid is not None and encoding.rid == rid)
                or encoding.ssrc == original
                or (len(self.encodings) == 1 and rid is None and original is None)
            ):
                if len(self._rtx_sources) >= MAX_ENCODINGS:
                    # The RTX streams still in use will be found again.
                    self._rtx_sources.clear()
                self._rtx_sources[packet.ssrc] = encoding
                return encoding
        return None

    def _read_rid(self, packet: RtpPacket, uri: str) -> str | None:
        """The rid in a header extension of a packet; None if it is absent."""
        identifier = self.extension_map.get(uri)
        if identifier is None:
            return None
        value = read_extensions(packet, (identifier,)).get(identifier)
        return None if value is None else value.decode("ascii", "replace")

    async def _first_encoding(self) -> Encoding | None:
        """Wait for the first encoding, the one to decode; None if none arrives."""
        try:
            async with asyncio.timeout(FIRST_PACKET_TIMEOUT):
                while not self.encodings:
                    self._has_encoding.clear()
                    await self._has_encoding.wait()
        except TimeoutError:
            return None
        return self.encodings[0]

    # What aiortc documents of its receiver

    @property
    def track(self) -> LazyTrack:
        """The track, which decodes while somebody reads it."""
        if self._lazy_track is None:
            self._lazy_track = LazyTrack(self.kind, self._first_encoding)
        return self._lazy_track

    @property
    def transport(self) -> RTCDtlsTransport:
        """The transport below."""
        return self._transport

    def setTransport(self, transport: RTCDtlsTransport) -> None:  # noqa: N802
        """Not to be called: there is one transport.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("all that is negotiated shares one transport")

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        """Statistics of each encoding."""
        report = RTCStatsReport()
        for layer in self.encodings:
            reception = layer.reception
            report.add(
                RTCInboundRtpStreamStats(
                    timestamp=datetime.now(UTC),
                    type="inbound-rtp",
                    id=f"inbound-rtp_{layer.ssrc}",
                    ssrc=layer.ssrc,
                    kind=self.kind,
                    transportId=f"transport_{id(self._transport)}",
                    packetsReceived=reception.packets,
                    packetsLost=reception.lost,
                    jitter=round(reception.jitter * layer.codec.clock_rate),
                )
            )
        return report

    def getSynchronizationSources(  # noqa: N802
        self,
    ) -> list[RTCRtpSynchronizationSource]:
        """The sources that were heard within the last ten seconds."""
        wall, now = datetime.now(UTC), self._now()
        return [
            RTCRtpSynchronizationSource(
                timestamp=wall - timedelta(seconds=now - layer.last_packet_at),
                source=layer.ssrc,
            )
            for layer in self.encodings
            if now - layer.last_packet_at <= SOURCE_LIFETIME
        ]

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Do nothing: ``configure`` has set up the packet routes."""

    async def stop(self) -> None:
        """Stop receiving; the track ends."""
        self.disconnected()
        if self._feedback is not None:
            self._feedback.stop()

    def disconnected(self) -> None:
        """The connection has ended; the track does so too."""
        self._has_encoding.set()
        if self._lazy_track is not None:
            self._lazy_track.stop()
