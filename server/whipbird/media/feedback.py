"""RTCP with the media senders of a transport: feedback to them, reports from them."""

import asyncio
import contextlib
import random
import secrets
from typing import TYPE_CHECKING

from ..rtp.bandwidth import BandwidthEstimate
from ..rtp.mending import Mending
from ..rtp.reception import Reception
from ..rtp.rtcp import (
    Bye,
    SenderReport,
    parse_rtcp,
    write_receiver_report,
    write_remb,
    write_sdes,
)
from ..rtp.source_clock import share_offset
from ..rtp.transport_feedback import TransportFeedback
from ..rtp.xr import DelaySince, parse_xr, write_reference_time
from .requests import Requests
from .transport import SourceTransport

if TYPE_CHECKING:
    from .encoding import Encoding
    from .track import Track

# Seconds between feedback packets while media arrives; browsers expect 0.05 to 0.25.
INTERVAL = 0.05
# RFC 3550 section 6.2: seconds between receiver reports, varied by half.
REPORT_INTERVAL = 1.0

# Reference times are sent for so many seconds after the last missing packet, and no
# more of them in a row when there is no answer.
REFERENCE_TIME = 10.0
MAX_REFERENCES = 5

# While retransmission mends what is lost, at most this share of packets is reported as
# lost. libwebrtc (LossBasedBweV2) limits its estimate by loss above 5 %, and above 15 %
# lowers it without end.
MENDED_LOSS = 0.05
# Messages about arrivals that may omit lost packets, each time; each ends at such a
# packet, and the next ones contain it.
MAX_OMISSIONS = 32


class Feedback:
    """Sends RTCP feedback on the received media: reports, NACKs, key frame requests.

    One timer serves all tracks; none runs while no media arrives.

    Args:
        transport: sends the RTCP packets.

    Attributes:
        tracks: those of the transport's media sections.
    """

    def __init__(self, transport: SourceTransport) -> None:
        self.tracks: list[Track] = []
        self._transport = transport
        self._ssrc = secrets.randbits(32)
        self._sdes = write_sdes(self._ssrc, secrets.token_hex(8))
        # What other RTCP follows where it cannot be sent alone (RFC 3550 section 6.1).
        self._head = write_receiver_report(self._ssrc, ()) + self._sdes
        self._requests = Requests(transport, self._ssrc, self._head, self.tracks)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._has_received = False
        self._next_report = 0.0
        self._mending = Mending()
        # Reference times that were sent since one was answered.
        self._references = 0
        self._transport_feedback: TransportFeedback | None = None
        self._media_ssrc = 0
        self._estimate: BandwidthEstimate | None = None

    def received(self, ssrc: int) -> None:
        """Note that an RTP packet of an SSRC has arrived."""
        self._media_ssrc = ssrc
        self._has_received = True
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def sequence_received(self, sequence: int, now: float) -> None:
        """Note the arrival of a packet with a transport-wide sequence number."""
        if self._transport_feedback is None:
            self._transport_feedback = TransportFeedback()
        if missing := self._transport_feedback.received(sequence, now):
            self._requests.unseen(missing)

    def send_time_received(self, sent: int, octets: int, now: float) -> None:
        """Note the arrival of a packet that says when it was sent.

        Args:
            sent: its abs-send-time, 24 bits.
            octets: its size.
        """
        if self._estimate is None:
            self._estimate = BandwidthEstimate()
        if self._estimate.received(sent, octets, now):
            # The sender is to know at once.
            self._next_report = now
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(0.0, self._tick)

    def send_soon(self) -> None:
        """Request missing packets and key frames soon."""
        self._requests.send_soon()
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def rtcp_received(self, data: bytes) -> None:
        """Handle a decrypted RTCP packet."""
        now = self._loop.time()
        for packet in parse_rtcp(data):
            match packet:
                case SenderReport(ssrc=ssrc, ntp_timestamp=ntp, rtp_timestamp=rtp):
                    for track in self.tracks:
                        if source := track.source_of(ssrc):
                            source.reception.sender_report(ntp, rtp, now)
                    share_offset(
                        [x.reception.clock for t in self.tracks for x in t.encodings]
                    )
                case Bye(ssrcs=ssrcs):
                    for track in self.tracks:
                        track.forget(ssrcs)
        if self._references:
            for block in parse_xr(data):
                if isinstance(block, DelaySince) and block.ssrc == self._ssrc:
                    self._references = 0
                    self._requests.round_trip.returned(block.last_rr, block.delay, now)

    def stop(self) -> None:
        """Stop sending feedback."""
        if self._timer is not None:
            self._timer.cancel()
        self._requests.stop()
        self.tracks.clear()

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = None
        parts = []
        is_late = now >= self._next_report
        if is_late:
            self._next_report = now + REPORT_INTERVAL * random.uniform(0.5, 1.5)
            parts += self._reports(now)
        elif not all(track.reduced_size for track in self.tracks):
            parts.append(self._head)
        for encoding in self._encodings():
            encoding.tick(now)
        arrivals = self._arrivals(now)
        # The connection may be closed.
        with contextlib.suppress(ConnectionError):
            if is_late or arrivals:
                self._transport.send_rtcp(b"".join([*parts, *arrivals[:1]]))
                # Each may have padding, allowed only in the last of a compound packet.
                for more in arrivals[1:]:
                    self._transport.send_rtcp(b"".join([*parts, more]))
        self._schedule()

    def _schedule(self) -> None:
        """Set the timer, while media arrives or a packet or key frame is awaited."""
        if not self._has_received and not any(
            x.wants_key_frame
            or x.bitrate
            or any(s.reception.missing for s in x.sources.values())
            for x in self._encodings()
        ):
            return
        self._has_received = False
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def _reports(self, now: float) -> list[bytes]:
        """A receiver report with SDES (RFC 3550 section 6.1), and what goes with it."""
        encodings = self._encodings()
        receptions = _receptions(encodings)
        blocks = [b for r in receptions if (b := r.report(now)) is not None]
        parts = [write_receiver_report(self._ssrc, blocks), self._sdes]
        if (
            now - self._requests.last_at < REFERENCE_TIME
            and self._references < MAX_REFERENCES
        ):
            self._references += 1
            ntp = int(now * (1 << 32))
            self._requests.round_trip.sent(ntp, now)
            parts.append(write_reference_time(self._ssrc, ntp))
        estimated = [x for x in encodings if "goog-remb" in x.codec.feedback]
        if estimated:
            if self._estimate is None:
                self._estimate = BandwidthEstimate()
            bitrate = self._estimate.update(
                now,
                sum(r.octets for r in receptions),
                sum(r.expected for r in receptions),
                sum(r.missing.given_up for r in receptions),
            )
            ssrcs = [encoding.ssrc for encoding in estimated]
            parts.append(write_remb(self._ssrc, bitrate, ssrcs))
        return parts

    def _arrivals(self, now: float) -> list[bytes]:
        """The transport-wide congestion control feedback since the last call.

        Nothing is said of lost packets while retransmission mends the loss: browsers
        take loss for congestion, and reduce their bitrate without end (docs,
        "Decisions"). Congestion that loses more than that is told; congestion that
        delays is seen in the arrival times.
        """
        messages: list[bytes] = []
        feedback = self._transport_feedback
        if feedback is not None:
            self._measure_loss(now)
            feedback.loss_limit = MENDED_LOSS if self._mending.is_mended else 1.0
            while (data := feedback.write(self._ssrc, self._media_ssrc)) is not None:
                messages.append(data)
                if len(messages) == MAX_OMISSIONS:
                    feedback.loss_limit = 1.0
        return messages

    def _measure_loss(self, now: float) -> None:
        """Measure the loss of pictures; that of sound where there are none.

        Sound is given up so soon that a sender with no time to answer looks like loss.
        """
        if not self._mending.is_due(now):
            return
        encodings = self._encodings()
        pictures = [x for x in encodings if x.is_video]
        receptions = _receptions(pictures or encodings)
        self._mending.update(
            now,
            sum(r.expected for r in receptions),
            sum(r.lost + r.retransmitted for r in receptions),
            sum(r.missing.given_up for r in receptions),
        )

    def _encodings(self) -> list["Encoding"]:
        return [encoding for track in self.tracks for encoding in track.encodings]


def _receptions(encodings: "list[Encoding]") -> list[Reception]:
    return [s.reception for x in encodings for s in x.sources.values()]
