"""RTCP with the media senders of a transport: feedback to them, reports from them."""

import asyncio
import contextlib
import random
import secrets
from typing import TYPE_CHECKING

from ..rtp.bandwidth import BandwidthEstimate
from ..rtp.rtcp import (
    Bye,
    SenderReport,
    parse_rtcp,
    write_fir,
    write_nack,
    write_pli,
    write_receiver_report,
    write_remb,
    write_sdes,
)
from ..rtp.transport_feedback import TransportFeedback
from .transport import MediaTransport

if TYPE_CHECKING:
    from .encoding import Encoding
    from .track import Track

# Seconds between feedback packets while media arrives; browsers expect 0.05 to 0.25.
INTERVAL = 0.05
# ... and while packets are missing, or a key frame is wanted.
URGENT_INTERVAL = 0.01
# RFC 3550 section 6.2: seconds between receiver reports, varied by half.
REPORT_INTERVAL = 1.0

# Seconds. RTCP does not tell the round-trip time to an endpoint that only receives. It
# assumes this at first, then measures how long retransmissions take; the upper limit
# leaves time to request a packet more than once.
ASSUMED_RTT = 0.1
MAX_RTT = 0.3


class Feedback:
    """Sends RTCP feedback on the received media: reports, NACKs, key frame requests.

    One timer serves all tracks; none runs while no media arrives.

    Args:
        transport: sends the RTCP packets.

    Attributes:
        tracks: those of the transport's media sections.
    """

    def __init__(self, transport: MediaTransport) -> None:
        self.tracks: list[Track] = []
        self._transport = transport
        self._ssrc = secrets.randbits(32)
        self._sdes = write_sdes(self._ssrc, secrets.token_hex(8))
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._has_received = False
        self._next_report = 0.0
        self._clock_offset = float("inf")
        self._fir_requests = 0
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
        self._transport_feedback.received(sequence, now)

    def send_soon(self) -> None:
        """Send feedback within ``URGENT_INTERVAL``."""
        soon = self._loop.time() + URGENT_INTERVAL
        if self._timer is not None:
            if self._timer.when() <= soon:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(soon, self._tick)

    def rtcp_received(self, data: bytes) -> None:
        """Handle a decrypted RTCP packet."""
        now = self._loop.time()
        for packet in parse_rtcp(data):
            match packet:
                case SenderReport(ssrc=ssrc, ntp_timestamp=ntp, rtp_timestamp=rtp):
                    # The report with the shortest delay is closest to the true offset.
                    offset = now - ntp / (1 << 32)
                    self._clock_offset = min(self._clock_offset, offset)
                    for track in self.tracks:
                        if source := track.source_of(ssrc):
                            source.reception.sender_report(ntp, rtp, now)
                        for encoding in track.encodings:
                            encoding.clock_offset = self._clock_offset
                case Bye(ssrcs=ssrcs):
                    for track in self.tracks:
                        track.forget(ssrcs)

    def stop(self) -> None:
        """Stop sending feedback."""
        if self._timer is not None:
            self._timer.cancel()
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
            parts += [write_receiver_report(self._ssrc, ()), self._sdes]
        head = len(parts)
        alone: list[bytes] = []
        for track in self.tracks:
            # FFmpeg reads a NACK only when it is alone in its datagram (RFC 5506).
            requests = alone if track.reduced_size else parts
            for encoding in track.encodings:
                requests += self._requests_for(encoding, now)
                encoding.tick(now)
        arrivals = self._arrivals()
        # The connection may be closed.
        with contextlib.suppress(ConnectionError):
            for request in alone:
                self._transport.send_rtcp(request)
            if is_late or arrivals or len(parts) > head:
                self._transport.send_rtcp(b"".join([*parts, *arrivals[:1]]))
                # Each may have padding, allowed only in the last of a compound packet.
                for more in arrivals[1:]:
                    self._transport.send_rtcp(b"".join([*parts[:head], more]))
        self._schedule()

    def _schedule(self) -> None:
        """Set the timer, while media arrives or a packet or key frame is awaited."""
        encodings = self._encodings()
        if any(s.reception.missing for x in encodings for s in x.sources.values()):
            delay = URGENT_INTERVAL
        elif self._has_received or any(
            x.wants_key_frame or x.bitrate for x in encodings
        ):
            delay = INTERVAL
        else:
            return
        self._has_received = False
        if self._timer is None:
            self._timer = self._loop.call_later(delay, self._tick)

    def _reports(self, now: float) -> list[bytes]:
        """A receiver report with SDES (RFC 3550 section 6.1), and REMB where needed."""
        encodings = self._encodings()
        receptions = [s.reception for x in encodings for s in x.sources.values()]
        blocks = [b for r in receptions if (b := r.report(now)) is not None]
        parts = [write_receiver_report(self._ssrc, blocks), self._sdes]
        estimated = [x for x in encodings if "goog-remb" in x.codec.feedback]
        if self._transport_feedback is None and estimated:
            if self._estimate is None:
                self._estimate = BandwidthEstimate()
            bitrate = self._estimate.update(
                now,
                sum(r.octets for r in receptions),
                sum(r.expected for r in receptions),
                sum(r.lost for r in receptions),
            )
            ssrcs = [encoding.ssrc for encoding in estimated]
            parts.append(write_remb(self._ssrc, bitrate, ssrcs))
        return parts

    def _arrivals(self) -> list[bytes]:
        """The transport-wide congestion control feedback since the last call."""
        messages: list[bytes] = []
        if self._transport_feedback is not None:
            write = self._transport_feedback.write
            while (data := write(self._ssrc, self._media_ssrc)) is not None:
                messages.append(data)
        return messages

    def _requests_for(self, encoding: "Encoding", now: float) -> list[bytes]:
        """The NACK and the key frame request for an encoding, where due."""
        parts = []
        for source in encoding.sources.values():
            reception = source.reception
            if not reception.missing:
                continue
            rtt = min(max(ASSUMED_RTT, reception.retransmission_delay), MAX_RTT)
            if lost := reception.missing_to_request(now, rtt):
                parts.append(write_nack(self._ssrc, source.ssrc, lost))
        if encoding.should_request_key_frame(now):
            ssrc = encoding.wanted_from
            if "nack pli" in encoding.codec.feedback:
                parts.append(write_pli(self._ssrc, ssrc))
            elif "ccm fir" in encoding.codec.feedback:
                self._fir_requests += 1
                parts.append(write_fir(self._ssrc, ssrc, self._fir_requests))
        return parts

    def _encodings(self) -> list["Encoding"]:
        return [encoding for track in self.tracks for encoding in track.encodings]
