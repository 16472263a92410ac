"""aiortc's ``RTCRtpReceiver`` on a track of ``media``."""

import asyncio
from datetime import UTC, datetime, timedelta

from aiortc import InvalidStateError, RTCDtlsTransport, RTCRtpReceiver
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RTCRtpSynchronizationSource
from aiortc.stats import RTCInboundRtpStreamStats, RTCStatsReport

from ..media.encoding import Encoding
from ..media.feedback import Feedback
from ..media.track import Track
from ..sdp.media import OfferedMedia
from .connection import Connection
from .decoding import LazyTrack

# Seconds for which a source counts as heard (W3C webrtc-pc section 5.3).
HEARD_TIME = 10.0

# Seconds that a reader waits for the first packet of a track.
FIRST_PACKET_TIMEOUT = 15.0


class Receiver(RTCRtpReceiver):
    """Receives one m-section.

    aiortc decodes every frame in a thread, wanted or not. Here ``track.recv()`` decodes
    from the moment that it is called. Nothing of aiortc's own receiver runs.

    Args:
        kind: ``audio`` or ``video``.
        connection: receives the packets.
        transport: the transport, as aiortc has it.

    Attributes:
        media: the received track, not decoded.
    """

    def __init__(
        self, kind: str, connection: Connection, transport: RTCDtlsTransport
    ) -> None:
        # Not aiortc's, which makes a jitter buffer and a bandwidth estimator.
        self.kind = kind
        self.media = Track(kind, connection)
        self._transport = transport
        self._feedback: Feedback | None = None
        self._lazy_track: LazyTrack | None = None
        self._has_encoding = asyncio.Event()
        self._now = asyncio.get_running_loop().time

    def configure(self, media: OfferedMedia, feedback: Feedback) -> None:
        """Configure the receiver from the offered media section (see ``Track``)."""
        self._feedback = feedback
        self.media.configure(media, feedback)

    async def _first_encoding(self) -> Encoding | None:
        """Wait for the first encoding, the one to decode; None if none arrives."""
        self.media.on_encodings_changed.append(self._has_encoding.set)
        try:
            async with asyncio.timeout(FIRST_PACKET_TIMEOUT):
                while not self.media.encodings:
                    self._has_encoding.clear()
                    await self._has_encoding.wait()
        except TimeoutError:
            return None
        finally:
            self.media.on_encodings_changed.remove(self._has_encoding.set)
        return self.media.encodings[0]

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
        for encoding in self.media.encodings:
            reception = encoding.reception
            report.add(
                RTCInboundRtpStreamStats(
                    timestamp=datetime.now(UTC),
                    type="inbound-rtp",
                    id=f"inbound-rtp_{encoding.ssrc}",
                    ssrc=encoding.ssrc,
                    kind=self.kind,
                    transportId=f"transport_{id(self._transport)}",
                    packetsReceived=reception.packets,
                    packetsLost=reception.lost,
                    jitter=round(reception.jitter * encoding.codec.clock_rate),
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
                timestamp=wall - timedelta(seconds=now - encoding.last_packet_at),
                source=encoding.ssrc,
            )
            for encoding in self.media.encodings
            if now - encoding.last_packet_at <= HEARD_TIME
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
