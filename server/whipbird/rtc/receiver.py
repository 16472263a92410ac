"""RTP in (RFC 3550): counted and reported, never decoded."""

import asyncio
import random
import struct
from dataclasses import dataclass
from typing import cast

from aiortc import RTCRtpReceiver
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtpPacket

from .dtls import DtlsTransport

_RTP_HEADER = struct.Struct("!BBHLL")

# RFC 3550 section 6.2: seconds between reports, varied by half.
REPORT_INTERVAL = 1.0

# A peer that makes up sources must not fill the memory (and a report holds 31).
MAX_SOURCES = 31


@dataclass(slots=True)
class RtpHeader:
    """The fields of an RTP header that statistics need (RFC 3550 section 5.1)."""

    sequence_number: int
    timestamp: int


class Receiver(RTCRtpReceiver):
    """Receives the packets of one m-section.

    aiortc decodes every frame in a thread, wanted or not. This receiver keeps
    statistics and sends receiver reports.

    Attributes:
        packets: how many have come.
        octets: how many octets of RTP have come.
    """

    # aiortc's private state that this class reads.
    _RTCRtpReceiver__rtcp_ssrc: int

    def __init__(self, kind: str, transport: DtlsTransport) -> None:
        super().__init__(kind, transport)
        self.packets = 0
        self.octets = 0
        self._clock_rates: dict[int, int] = {}
        self._sources: dict[int, StreamStatistics] = {}
        self._header = RtpHeader(0, 0)
        self._reports: asyncio.Task[None] | None = None

    def receive_rtp(self, packet: bytes) -> None:
        """Take one RTP packet, decrypted."""
        _, second, sequence, timestamp, ssrc = _RTP_HEADER.unpack_from(packet)
        self.packets += 1
        self.octets += len(packet)
        source = self._sources.get(ssrc)
        if source is None:
            if len(self._sources) >= MAX_SOURCES:
                return
            source = StreamStatistics(self._clock_rates[second & 0x7F])
            self._sources[ssrc] = source
        self._header.sequence_number = sequence
        self._header.timestamp = timestamp
        source.add(cast(RtpPacket, self._header))

    # Overrides of aiortc

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        if self._reports is not None:
            return
        routes = cast(DtlsTransport, self.transport).rtp_routes
        for codec in parameters.codecs:
            assert codec.payloadType is not None
            self._clock_rates[codec.payloadType] = codec.clockRate
            routes[codec.payloadType] = self.receive_rtp
        self._reports = asyncio.create_task(self._send_reports())

    async def stop(self) -> None:
        if self._reports is not None:
            self._reports.cancel()
            await asyncio.wait([self._reports])

    def _handle_disconnect(self) -> None:
        """Nothing to stop: there is no decoder."""

    async def _send_reports(self) -> None:
        """Send receiver reports (RFC 3550 section 6.4.2)."""
        while True:
            await asyncio.sleep(REPORT_INTERVAL * (0.5 + random.random()))
            if not self._sources:
                continue
            reports = [
                RtcpReceiverInfo(
                    ssrc=ssrc,
                    fraction_lost=source.fraction_lost,
                    packets_lost=source.packets_lost,
                    highest_sequence=((source.max_seq or 0) + source.cycles) % 2**32,
                    jitter=source.jitter,
                    lsr=0,
                    dlsr=0,
                )
                for ssrc, source in self._sources.items()
            ]
            ssrc = self._RTCRtpReceiver__rtcp_ssrc
            await self._send_rtcp(RtcpRrPacket(ssrc=ssrc, reports=reports))
