"""RTP and RTCP to one viewer, and the RTCP that it sends back."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable

from ..rtp.rtcp import SenderReport, write_sdes, write_sender_report
from ..rtp.rtcp_requests import (
    Estimate,
    KeyFrameRequest,
    Nack,
    Reported,
    parse_requests,
)
from ..sdp.answer import LocalSource
from ..sdp.media import OfferedMedia
from .forwarder import Forwarder
from .redundancy import CONGESTED_LEVEL, RedundancyLevel
from .transport import MediaTransport

# Seconds between sender reports.
REPORT_INTERVAL = 1.0

# Seconds from NTP's epoch, 1900, to 1970 (RFC 8877 section 3.4).
_NTP_EPOCH = 2_208_988_800


class Egress:
    """Sends media to one viewer.

    Args:
        transport: sends the packets.
        stream: the id of the viewer's MediaStream.

    Attributes:
        forwarders: one for each audio and video section, in the order of the offer.
        estimate: the viewer's bandwidth estimate (REMB), in bit/s; None before one.
        on_feedback: called when the viewer's estimate or loss may have changed.
    """

    def __init__(self, transport: MediaTransport, stream: str) -> None:
        self.forwarders: list[Forwarder] = []
        self.estimate: int | None = None
        self.on_feedback: Callable[[], None] | None = None
        self._redundancy = RedundancyLevel()
        # Packets of sound sent and retransmitted, a second ago.
        self._sound_sent = (0, 0)
        self._transport = transport
        self._stream = stream
        self._cname = secrets.token_hex(8)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        transport.route_rtcp(self.rtcp_received)

    def add(self, media: OfferedMedia) -> LocalSource:
        """Add a forwarder for a media section.

        Returns:
            The description of its RTP streams for the answer.
        """
        ssrc, rtx_ssrc = secrets.randbits(32), secrets.randbits(32)
        self.forwarders.append(
            Forwarder(media, ssrc, rtx_ssrc, self._transport, self._send_report)
        )
        return LocalSource(
            msid=self._stream,
            cname=self._cname,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc,
        )

    def start(self) -> None:
        """Start to send sender reports; called when the connection is open."""
        if self._timer is None:
            self._timer = self._loop.call_later(REPORT_INTERVAL, self._tick)

    def stop(self) -> None:
        """Stop sending."""
        if self._timer is not None:
            self._timer.cancel()
        for forwarder in self.forwarders:
            forwarder.leave()

    def rtcp_received(self, data: bytes) -> None:
        """Handle a decrypted RTCP packet."""
        for request in parse_requests(data):
            match request:
                case Nack(ssrc=ssrc, sequences=sequences):
                    if forwarder := self._find(ssrc):
                        forwarder.retransmit(sequences)
                case KeyFrameRequest(ssrc=ssrc):
                    forwarder = self._find(ssrc)
                    if forwarder is not None and forwarder.feed is not None:
                        forwarder.feed.encoding.request_key_frame()
                case Estimate(bitrate=bitrate):
                    self.estimate = bitrate
                    self._notify()
                case Reported(ssrc=ssrc, fraction_lost=fraction):
                    if forwarder := self._find(ssrc):
                        forwarder.fraction_lost = fraction
                        self._loss_reported(fraction)

    def _loss_reported(self, fraction: float) -> None:
        """Adapt the redundancy of sound to a report of the viewer's loss."""
        self._redundancy.reported(fraction, self._loop.time())
        level = self._redundancy.level
        if self._is_congested():
            level = min(level, CONGESTED_LEVEL)
        for forwarder in self.forwarders:
            if forwarder.kind == "audio":
                forwarder.set_redundancy(level)

    def _is_congested(self) -> bool:
        """Whether the viewer's estimate is less than what is sent.

        It is about pictures alone: browsers leave out packets of sound. It grows to 1.5
        times of what arrives, and falls below that only with a queue in the network.
        """
        feeds = [f.feed for f in self.forwarders if f.kind == "video"]
        sent = sum(feed.bitrate for feed in feeds if feed is not None)
        return self.estimate is not None and self.estimate < sent

    def _find(self, ssrc: int) -> Forwarder | None:
        found = (f for f in self.forwarders if f.rewriter.ssrc == ssrc)
        return next(found, None)

    def _notify(self) -> None:
        if self.on_feedback is not None:
            self.on_feedback()

    def _tick(self) -> None:
        """Send the reports of a second."""
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._tick)
        for forwarder in self.forwarders:
            forwarder.reset_retransmission_budget()
            self._send_report(forwarder)
            if forwarder.kind == "audio" and (
                share := self._requested_share(forwarder)
            ):
                self._loss_reported(share)
        self._notify()

    def _requested_share(self, forwarder: Forwarder) -> float:
        """The share of packets that were requested since the last call, 0 to 1.

        Where packets are retransmitted in the RTP stream itself, as sound is, those
        that arrive then are not lost in the viewer's reports.
        """
        packets, requested = self._sound_sent
        self._sound_sent = forwarder.rewriter.packets, forwarder.retransmitted
        sent = self._sound_sent[0] - packets
        return min((self._sound_sent[1] - requested) / sent, 1.0) if sent else 0.0

    def _send_report(self, forwarder: Forwarder) -> None:
        """Send a sender report and SDES for one RTP stream (RFC 3550 section 6.4)."""
        timestamp = forwarder.timestamp_at(self._loop.time())
        if timestamp is None:
            return
        rewriter = forwarder.rewriter
        report = SenderReport(
            ssrc=rewriter.ssrc,
            ntp_timestamp=int((time.time() + _NTP_EPOCH) * (1 << 32)),
            rtp_timestamp=timestamp,
            packets=rewriter.packets,
            octets=rewriter.octets,
        )
        sdes = write_sdes(rewriter.ssrc, self._cname)
        # The connection may be closed; the session will notice.
        with contextlib.suppress(ConnectionError):
            self._transport.send_rtcp(write_sender_report(report) + sdes)
