"""RTP and RTCP to one viewer, and the RTCP that it sends back."""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable, Sequence

from ..rtp.ntp import ntp_now, short_ntp
from ..rtp.round_trip import RoundTrip
from ..rtp.rtcp import SenderReport, write_sdes, write_sender_report
from ..rtp.rtcp_requests import (
    Estimate,
    KeyFrameRequest,
    Nack,
    Reported,
    parse_requests,
)
from ..rtp.viewer_estimate import ViewerEstimate
from ..rtp.xr import DelaySince, ReferenceTime, write_delay_since
from ..sdp.answer import LocalSource
from ..sdp.media import OfferedMedia
from ..transport.budget import Budget
from .forwarder import Forwarder
from .redundancy import RedundancyLevel, congested_level
from .report_rounds import DueReport, ReportRounds
from .transport import MediaTransport

# Seconds between sender reports by which a queue is measured: the viewer's reports
# return the time of the last one. They are sent from so much loss on, or when an
# estimate falls.
PROBE_INTERVAL, PROBE_LOSS = 0.2, 0.05

# Sources whose reference times are answered, at most: a browser has one or two.
MAX_REFERENCE_TIMES = 4

# Packets per second that a viewer may request, whether they are kept or not.
MAX_REQUESTS = 4000


class Egress:
    """Sends media to one viewer.

    Args:
        transport: sends the packets.
        stream: the id of the viewer's MediaStream.

    Attributes:
        forwarders: one for each audio and video section, in the order of the offer.
        estimate: the viewer's bandwidth estimate.
        round_trip: the round trip to the viewer.
        on_feedback: called when the viewer's estimate or loss may have changed.
        on_media: called once, when media is sent for the first time.
    """

    def __init__(self, transport: MediaTransport, stream: str) -> None:
        self.forwarders: list[Forwarder] = []
        self.estimate = ViewerEstimate()
        self.round_trip = RoundTrip()
        self.on_feedback: Callable[[], None] | None = None
        self.on_media: Callable[[], None] | None = None
        self._redundancy = RedundancyLevel()
        # Whether the path does not carry the pictures.
        self._is_limited = False
        self._transport = transport
        self._stream = stream
        self._cname = secrets.token_hex(8)
        self._loop = asyncio.get_running_loop()
        # Gives it a turn in each second, once it is started.
        self._rounds: ReportRounds | None = None
        # What each forwarder's reports end with: the name of whom they are from.
        self._descriptions: list[bytes] = []
        self._requests = Budget(MAX_REQUESTS, 2 * MAX_REQUESTS)
        # For all that forwarders send later; None while nothing is to be sent. (uvloop
        # does not tell when a timer is due that is due soon.)
        self._due_timer: asyncio.TimerHandle | None = None
        self._due_at = math.inf
        # The viewer's reference times, and when they came, by its SSRC.
        self._reference_times: dict[int, tuple[int, float]] = {}
        # When the last sender report was sent.
        self._reported_at = -math.inf
        transport.route_rtcp(self.rtcp_received)

    def add(self, media: OfferedMedia) -> LocalSource:
        """Add a forwarder for a media section.

        Returns:
            The description of its RTP streams for the answer.
        """
        ssrc, rtx_ssrc = secrets.randbits(32), secrets.randbits(32)
        self.forwarders.append(
            Forwarder(
                media,
                ssrc,
                rtx_ssrc,
                self._transport,
                self._source_changed,
                self._schedule,
            )
        )
        self._descriptions.append(write_sdes(ssrc, self._cname))
        return LocalSource(
            msid=self._stream,
            cname=self._cname,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc,
        )

    def start(self, rounds: ReportRounds) -> None:
        """Start to send sender reports; called when the connection is open."""
        if self._rounds is None:
            self._rounds = rounds
            rounds.add(self)
            # Measured before there was anything to send: without a queue.
            if (seconds := self._transport.round_trip) is not None:
                self.round_trip.measured(seconds, self._loop.time())

    def stop(self) -> None:
        """Stop sending."""
        for forwarder in self.forwarders:
            forwarder.leave()
        if self._rounds is not None:
            self._rounds.remove(self)
        if self._due_timer is not None:
            self._due_timer.cancel()

    def rtcp_received(self, data: bytes) -> None:
        """Handle a decrypted RTCP packet."""
        now = self._loop.time()
        is_estimated = is_reported = False
        for request in parse_requests(data):
            match request:
                case Nack(ssrc=ssrc, sequences=sequences):
                    if forwarder := self._find(ssrc):
                        self._retransmit(forwarder, sequences, now)
                case KeyFrameRequest(ssrc=ssrc):
                    if forwarder := self._find(ssrc):
                        forwarder.key_frame_requests += 1
                        if forwarder.feed is not None:
                            forwarder.feed.encoding.request_key_frame()
                case Estimate(bitrate=bitrate):
                    self.estimate.received(bitrate, now)
                    is_estimated = True
                case Reported(ssrc=ssrc):
                    if forwarder := self._find(ssrc):
                        forwarder.reported(request, now)
                        self.round_trip.returned(
                            request.last_report, request.delay, now
                        )
                        self._probe(forwarder, now)
                        is_reported = True
                case ReferenceTime(ssrc=ssrc, ntp_timestamp=ntp):
                    known = self._reference_times
                    if ssrc in known or len(known) < MAX_REFERENCE_TIMES:
                        known[ssrc] = (short_ntp(ntp), now)
        if is_estimated or is_reported:
            self._review()
        if is_estimated:
            self._notify()

    def _retransmit(
        self, forwarder: Forwarder, sequences: Sequence[int], now: float
    ) -> None:
        forwarder.nacked += len(sequences)
        if self._requests.take(now, len(sequences)):
            forwarder.retransmit(sequences, now)
        else:
            forwarder.nacks_refused += len(sequences)

    def _probe(self, forwarder: Forwarder, now: float) -> None:
        """Measure the round trip soon, if there may be a queue in the network."""
        feed, available = forwarder.feed, self.available_to(forwarder)
        may_wait = (
            forwarder.fraction_lost > PROBE_LOSS
            or forwarder.is_limited
            or (feed and available is not None and available < feed.bitrate)
        )
        if may_wait and now - self._reported_at >= PROBE_INTERVAL:
            self._report(forwarder)

    def available_to(self, forwarder: Forwarder) -> float | None:
        """The part of the viewer's estimate that is left for one forwarder, in bit/s.

        The estimate is for all streams to the viewer together.
        """
        if self.estimate.bitrate is None:
            return None
        return self.estimate.bitrate - sum(
            other.feed.bitrate
            for other in self.forwarders
            if other is not forwarder and other.feed is not None
        )

    def _review(self) -> None:
        """Let the forwarders adapt to the viewer's path."""
        for forwarder in self.forwarders:
            # Browsers leave sound out of their estimates.
            is_video = forwarder.kind == "video"
            available = self.available_to(forwarder) if is_video else None
            forwarder.review(available, self.estimate, self.round_trip)
        was_limited = self._is_limited
        self._is_limited = any(forwarder.is_limited for forwarder in self.forwarders)
        if self._is_limited and not was_limited:
            self._forget_loss()
        self._review_redundancy(self._loop.time())

    def _forget_loss(self) -> None:
        """Send no more for what was lost: there was too much already."""
        self._redundancy = RedundancyLevel()
        for forwarder in self.forwarders:
            forwarder.forget_loss()

    def _review_redundancy(self, now: float) -> None:
        """Adapt the redundancy of sound to the loss on the viewer's path.

        Sound and pictures take the same path. Browsers report on sound once in five
        seconds, on pictures each second.
        """
        redundancy, forwarders = self._redundancy, self.forwarders
        redundancy.update(max((f.loss for f in forwarders), default=0.0), now)
        is_congested = any(f.retransmitter.allowance.is_congested for f in forwarders)
        bitrates = [
            0.0 if f.feed is None else min(f.feed.bitrate, f.thinning.rate)
            for f in forwarders
        ]
        for forwarder, bitrate in zip(forwarders, bitrates, strict=True):
            if forwarder.kind == "audio":
                level = redundancy.level
                if is_congested:
                    level = min(level, congested_level(bitrate, sum(bitrates)))
                forwarder.set_redundancy(level)

    def _source_changed(self, forwarder: Forwarder) -> None:
        if self.on_media is not None:
            self.on_media()
            self.on_media = None
        self._report(forwarder)
        self._review()

    def _schedule(self, when: float) -> None:
        """Let the forwarders send at a time what is due then."""
        if self._due_at <= when:
            return
        if self._due_timer is not None:
            self._due_timer.cancel()
        self._due_at = when
        self._due_timer = self._loop.call_at(when, self._send_due)

    def _send_due(self) -> None:
        self._due_timer, self._due_at = None, math.inf
        now = self._loop.time()
        for forwarder in self.forwarders:
            forwarder.handle_timeout(now)
            if forwarder.is_limited:
                self._probe(forwarder, now)

    def _find(self, ssrc: int) -> Forwarder | None:
        found = (f for f in self.forwarders if f.rewriter.ssrc == ssrc)
        return next(found, None)

    def _notify(self) -> None:
        if self.on_feedback is not None:
            self.on_feedback()

    # Reports

    def second_passed(self, now: float) -> None:
        """See ``Reporter``."""
        for forwarder in self.forwarders:
            forwarder.second_passed()
        self._review()
        self._notify()

    def due_reports(self, ntp_timestamp: int, now: float) -> list[DueReport]:
        """See ``Reporter``."""
        answers = self._answer_reference_times(now) if self._reference_times else b""
        due: list[DueReport] = []
        for forwarder, tail in zip(self.forwarders, self._descriptions, strict=True):
            timestamp = forwarder.timestamp_at(now)
            if timestamp is not None:
                due.append((forwarder.rewriter, timestamp, tail + answers))
                answers = b""
        if due:
            self._reference_times.clear()
            self._report_sent(ntp_timestamp, now)
        return due

    def send_report(self, report: DueReport, ntp_timestamp: int) -> None:
        """See ``Reporter``."""
        rewriter, rtp_timestamp, tail = report
        head = write_sender_report(
            SenderReport(
                ssrc=rewriter.ssrc,
                ntp_timestamp=ntp_timestamp,
                rtp_timestamp=rtp_timestamp,
                packets=rewriter.packets,
                octets=rewriter.octets,
            )
        )
        # The connection may be closed; the session will notice.
        with contextlib.suppress(ConnectionError):
            self._transport.send_rtcp(head + tail)

    def _answer_reference_times(self, now: float) -> bytes:
        """The answers to the viewer's reference times, of which there is one."""
        blocks = [
            DelaySince(ssrc, last, round((now - at) * 65536) & 0xFFFFFFFF)
            for ssrc, (last, at) in self._reference_times.items()
        ]
        return write_delay_since(self.forwarders[0].rewriter.ssrc, blocks)

    def _report(self, forwarder: Forwarder) -> None:
        """Report on one RTP stream at once."""
        now = self._loop.time()
        timestamp = forwarder.timestamp_at(now)
        if timestamp is None:
            return
        ntp_timestamp = ntp_now()
        self._report_sent(ntp_timestamp, now)
        tail = self._descriptions[self.forwarders.index(forwarder)]
        self.send_report((forwarder.rewriter, timestamp, tail), ntp_timestamp)

    def _report_sent(self, ntp_timestamp: int, now: float) -> None:
        self.round_trip.sent(ntp_timestamp, now)
        self._reported_at = now
