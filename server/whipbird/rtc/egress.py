"""What a viewer is sent, and what it says of that."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .connection import Connection

# Seconds between sender reports.
REPORT_INTERVAL = 1.0

# Seconds from 1900, where NTP begins, to 1970 (RFC 8877 section 3.4).
_NTP_EPOCH = 2_208_988_800


class Egress:
    """Everything that one viewer is sent.

    Args:
        transport: what it is sent over.
        stream: the name of its MediaStream.

    Attributes:
        forwarders: one for each audio and video section, in their order.
        estimate: how much the viewer can take, in bit/s, as it says; None before.
        on_news: called when it has told something of its network.
    """

    def __init__(self, transport: "Connection", stream: str) -> None:
        self.forwarders: list[Forwarder] = []
        self.estimate: int | None = None
        self.on_news: Callable[[], None] | None = None
        self._transport = transport
        self._stream = stream
        self._cname = secrets.token_hex(8)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        transport.route_rtcp(self.rtcp_received)

    def add(self, media: OfferedMedia) -> LocalSource:
        """Send a track in a media section.

        Returns:
            What the answer says of it.
        """
        ssrc, repair_ssrc = secrets.randbits(32), secrets.randbits(32)
        self.forwarders.append(
            Forwarder(media, ssrc, repair_ssrc, self._transport, self._report_on)
        )
        return LocalSource(
            msid=self._stream,
            cname=self._cname,
            ssrc=ssrc,
            repair_ssrc=repair_ssrc,
        )

    def start(self) -> None:
        """The connection is there: report from now on."""
        if self._timer is None:
            self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for forwarder in self.forwarders:
            forwarder.leave()

    def rtcp_received(self, data: bytes) -> None:
        """Take an RTCP packet, decrypted."""
        for request in parse_requests(data):
            match request:
                case Nack(ssrc=ssrc, sequences=sequences):
                    if forwarder := self._find(ssrc):
                        forwarder.send_again(sequences)
                case KeyFrameRequest(ssrc=ssrc):
                    forwarder = self._find(ssrc)
                    if forwarder is not None and forwarder.feed is not None:
                        forwarder.feed.layer.request_key_frame()
                case Estimate(bitrate=bitrate):
                    self.estimate = bitrate
                    self._tell()
                case Reported(ssrc=ssrc, fraction_lost=fraction):
                    if forwarder := self._find(ssrc):
                        forwarder.fraction_lost = fraction

    def _find(self, ssrc: int) -> Forwarder | None:
        found = (f for f in self.forwarders if f.rewriter.ssrc == ssrc)
        return next(found, None)

    def _tell(self) -> None:
        if self.on_news is not None:
            self.on_news()

    def _report(self) -> None:
        """Say what there is to say once a second."""
        self._timer = self._loop.call_later(REPORT_INTERVAL, self._report)
        for forwarder in self.forwarders:
            forwarder.a_second_has_gone_by()
            self._report_on(forwarder)
        self._tell()

    def _report_on(self, forwarder: Forwarder) -> None:
        """Say when what is sent is to be played (RFC 3550 section 6.4)."""
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
        name = write_sdes(rewriter.ssrc, self._cname)
        # It may have gone, and whoever watches it will be told.
        with contextlib.suppress(ConnectionError):
            self._transport.send_rtcp(write_sender_report(report) + name)
