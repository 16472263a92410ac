"""RTP in (RFC 3550): the packets of one m-section, told apart and never decoded."""

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
from ..sdp.simulcast import MAX_LAYERS
from .connection import Connection
from .decoding import LazyTrack
from .feedback import Feedback
from .layer import Layer

# Seconds of silence after which a source gives way to a new one.
LAYER_LIFETIME = 30.0

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
        connection: what the packets come over.
        transport: that as aiortc has it.

    Attributes:
        layers: the encodings that have come so far; one, without simulcast.
        identifiers: of header extensions: URI -> identifier.
        on_layers: are called when a layer has come, before its first packet is given
            out, or has gone.
        reduced_size: whether the peer takes RTCP packets that are no compound.
    """

    def __init__(
        self, kind: str, connection: Connection, transport: RTCDtlsTransport
    ) -> None:
        # Not aiortc's, which makes a jitter buffer and an estimator to decode with.
        self.kind = kind
        self.layers: list[Layer] = []
        self.identifiers: dict[str, int] = {}
        self.on_layers: list[Callable[[], None]] = []
        self.reduced_size = False
        self._connection = connection
        self._transport = transport
        self._media: OfferedMedia | None = None
        self._feedback: Feedback | None = None
        self._codecs: dict[int, Codec] = {}
        self._transport_cc = 0
        # ssrc -> layer; of RTX, the layer whose packets are sent again.
        self._sources: dict[int, Layer] = {}
        self._retransmissions: dict[int, Layer] = {}
        self._lazy_track: LazyTrack | None = None
        self._has_layer = asyncio.Event()
        self._now = asyncio.get_running_loop().time

    def configure(self, media: OfferedMedia, feedback: Feedback) -> None:
        """Take what the offer says of the section.

        Args:
            media: its codecs, header extensions and encodings.
            feedback: what tells the sender of its packets.
        """
        self._media = media
        self._feedback = feedback
        self._codecs = {codec.payload_type: codec for codec in media.codecs}
        self.identifiers = {uri: identifier for identifier, uri in media.extensions}
        self._transport_cc = self.identifiers.get(extensions.TRANSPORT_CC, 0)
        self._retransmitted = dict(media.retransmission_sources)
        self.reduced_size = media.reduced_size
        feedback.receivers.append(self)
        for codec in media.codecs:
            self._connection.rtp_routes[codec.payload_type] = (
                self._receive if codec.retransmits is None else self._receive_again
            )

    @property
    def is_configured(self) -> bool:
        """Whether packets are to come."""
        return self._media is not None

    @property
    def rids(self) -> tuple[str, ...]:
        """The names of the encodings that were offered; none without simulcast."""
        simulcast = self._media.simulcast if self._media is not None else None
        return tuple(r.identifier for r in simulcast.rids) if simulcast else ()

    @property
    def packets(self) -> int:
        """How many packets have come, without those sent again."""
        return sum(layer.reception.packets for layer in self.layers)

    @property
    def octets(self) -> int:
        """How many octets of RTP these had."""
        return sum(layer.reception.octets for layer in self.layers)

    def layer_of(self, ssrc: int) -> Layer | None:
        """The encoding of a source."""
        return self._sources.get(ssrc)

    def forget(self, ssrcs: tuple[int, ...]) -> None:
        """Sources have ended (RTCP BYE)."""
        for ssrc in ssrcs:
            self._retransmissions.pop(ssrc, None)
            layer = self._sources.pop(ssrc, None)
            if layer is not None:
                self.layers.remove(layer)
                for repair, repaired in list(self._retransmissions.items()):
                    if repaired is layer:
                        del self._retransmissions[repair]
                self._tell()

    # Packets

    def _receive(self, data: bytes) -> None:
        """Take one RTP packet, decrypted."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._arrived(packet)
        layer = self._sources.get(packet.ssrc)
        if layer is None:
            layer = self._new_source(packet)
            if layer is None:
                return
        layer.receive(packet, self._codecs[packet.payload_type], now)

    def _receive_again(self, data: bytes) -> None:
        """Take one RTX packet, decrypted (RFC 4588)."""
        packet = RtpPacket.parse(data)
        if packet is None:
            return
        now = self._arrived(packet)
        layer = self._retransmissions.get(packet.ssrc)
        if layer is None:
            layer = self._new_retransmission(packet)
            if layer is None:
                return
        payload_type = self._codecs[packet.payload_type].retransmits
        assert payload_type is not None
        original = unwrap(packet, payload_type, layer.ssrc)
        if original is not None:
            layer.receive_again(original, now)

    def _arrived(self, packet: RtpPacket) -> float:
        """Note the arrival of a packet, and tell the time of it."""
        now = self._now()
        feedback = self._feedback
        assert feedback is not None
        feedback.received(packet.ssrc)
        if self._transport_cc:
            sequence = find_extension(packet, self._transport_cc)
            if sequence is not None and len(sequence) == 2:
                feedback.sequence_received(sequence[0] << 8 | sequence[1], now)
        return now

    def _new_source(self, packet: RtpPacket) -> Layer | None:
        """Find out which encoding a source is of, or that it is a new one."""
        assert self._media is not None
        assert self._feedback is not None
        rid = self._name(packet, extensions.RID)
        simulcast = self._media.simulcast
        if simulcast is not None and rid not in {r.identifier for r in simulcast.rids}:
            # Which one it is, a later packet tells (RFC 8853 section 5.5).
            return None
        layer = next((x for x in self.layers if rid is not None and x.rid == rid), None)
        if layer is not None:
            # The encoder was started again, with another source.
            self.forget((layer.ssrc,))
        elif len(self.layers) >= MAX_LAYERS:
            now = self._now()
            silent = [x for x in self.layers if now - x.heard_at > LAYER_LIFETIME]
            if not silent:
                return None
            self.forget(tuple(layer.ssrc for layer in silent))
        codec = self._codecs[packet.payload_type]
        layer = Layer(packet.ssrc, codec, rid, self._feedback.wake)
        self._sources[packet.ssrc] = layer
        self.layers.append(layer)
        self._has_layer.set()
        self._tell()
        return layer

    def _tell(self) -> None:
        for told in tuple(self.on_layers):
            told()

    def _new_retransmission(self, packet: RtpPacket) -> Layer | None:
        """Find out whose packets a source sends again (RFC 4588 section 8.3)."""
        rid = self._name(packet, extensions.REPAIRED_RID)
        original = self._retransmitted.get(packet.ssrc)
        for layer in self.layers:
            if (
                (rid is not None and layer.rid == rid)
                or layer.ssrc == original
                or (len(self.layers) == 1 and rid is None and original is None)
            ):
                if len(self._retransmissions) >= MAX_LAYERS:
                    # Those that are still in use will be found again.
                    self._retransmissions.clear()
                self._retransmissions[packet.ssrc] = layer
                return layer
        return None

    def _name(self, packet: RtpPacket, uri: str) -> str | None:
        """What a packet says of its encoding in a header extension."""
        identifier = self.identifiers.get(uri)
        if identifier is None:
            return None
        value = read_extensions(packet, (identifier,)).get(identifier)
        return None if value is None else value.decode("ascii", "replace")

    async def _first_layer(self) -> Layer | None:
        """The encoding that a decoder works on: the first that has come."""
        try:
            async with asyncio.timeout(FIRST_PACKET_TIMEOUT):
                while not self.layers:
                    self._has_layer.clear()
                    await self._has_layer.wait()
        except TimeoutError:
            return None
        return self.layers[0]

    # What aiortc documents of its receiver

    @property
    def track(self) -> LazyTrack:
        """The track, which decodes while somebody reads it."""
        if self._lazy_track is None:
            self._lazy_track = LazyTrack(self.kind, self._first_layer)
        return self._lazy_track

    @property
    def transport(self) -> RTCDtlsTransport:
        """What the packets come over."""
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
        for layer in self.layers:
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
                timestamp=wall - timedelta(seconds=now - layer.heard_at),
                source=layer.ssrc,
            )
            for layer in self.layers
            if now - layer.heard_at <= SOURCE_LIFETIME
        ]

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Nothing more to do: packets take the way that ``configure`` laid."""

    async def stop(self) -> None:
        """Take nothing more; the track ends."""
        self.disconnected()
        if self._feedback is not None:
            self._feedback.stop()

    def disconnected(self) -> None:
        """The connection has ended; the track does so too."""
        self._has_layer.set()
        if self._lazy_track is not None:
            self._lazy_track.stop()
