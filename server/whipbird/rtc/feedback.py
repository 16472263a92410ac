"""RTCP of a transport: what its senders are told of their packets, and tell of them."""

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

if TYPE_CHECKING:
    from .connection import Connection
    from .layer import Layer
    from .receiver import Receiver

# Seconds between feedback packets while media comes; browsers expect 0.05 to 0.25.
INTERVAL = 0.05
# ... and when something is missing, or a key frame is wanted.
URGENT_INTERVAL = 0.01
# RFC 3550 section 6.2: seconds between receiver reports, varied by half.
REPORT_INTERVAL = 1.0

# Seconds: nobody tells a mere receiver the round trip. It assumes this, learns more
# from what is sent again, but must have time to ask for a packet more than once.
ASSUMED_RTT = 0.1
MAX_RTT = 0.3


class Feedback:
    """Tells the senders of a transport what has come, and asks for what has not.

    There is one timer, and none while nothing comes.

    Args:
        transport: what RTCP packets are sent over.

    Attributes:
        receivers: whose packets these are.
    """

    def __init__(self, transport: "Connection") -> None:
        self.receivers: list[Receiver] = []
        self._transport = transport
        self._ssrc = secrets.randbits(32)
        self._sdes = write_sdes(self._ssrc, secrets.token_hex(8))
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._has_news = False
        self._next_report = 0.0
        self._clock_offset = float("inf")
        self._requests = 0
        self._transport_feedback: TransportFeedback | None = None
        self._media_ssrc = 0
        self._estimate: BandwidthEstimate | None = None

    def received(self, ssrc: int) -> None:
        """A packet has come."""
        self._media_ssrc = ssrc
        self._has_news = True
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._tick)

    def sequence_received(self, sequence: int, now: float) -> None:
        """A packet has come, with a number of the whole transport's."""
        if self._transport_feedback is None:
            self._transport_feedback = TransportFeedback()
        self._transport_feedback.received(sequence, now)

    def wake(self) -> None:
        """Something is to be told soon."""
        soon = self._loop.time() + URGENT_INTERVAL
        if self._timer is not None:
            if self._timer.when() <= soon:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(soon, self._tick)

    def rtcp_received(self, data: bytes) -> None:
        """Take an RTCP packet, decrypted."""
        now = self._loop.time()
        for packet in parse_rtcp(data):
            match packet:
                case SenderReport(ssrc=ssrc, ntp_timestamp=ntp, rtp_timestamp=rtp):
                    # The report that was the quickest says most about the clocks.
                    offset = now - ntp / (1 << 32)
                    self._clock_offset = min(self._clock_offset, offset)
                    for receiver in self.receivers:
                        if layer := receiver.layer_of(ssrc):
                            layer.reception.sender_report(ntp, rtp, now)
                        for layer in receiver.layers:
                            layer.clock_offset = self._clock_offset
                case Bye(ssrcs=ssrcs):
                    for receiver in self.receivers:
                        receiver.forget(ssrcs)

    def stop(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.receivers.clear()

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = None
        parts = []
        is_late = now >= self._next_report
        if is_late:
            self._next_report = now + REPORT_INTERVAL * random.uniform(0.5, 1.5)
            parts += self._reports(now)
        elif not all(receiver.reduced_size for receiver in self.receivers):
            parts += [write_receiver_report(self._ssrc, ()), self._sdes]
        head = len(parts)
        alone: list[bytes] = []
        for receiver in self.receivers:
            # FFmpeg takes a NACK only if it has a datagram to itself (RFC 5506).
            requests = alone if receiver.reduced_size else parts
            for layer in receiver.layers:
                requests += self._requests_of(layer, now)
                layer.tick(now)
        arrivals = self._arrivals()
        # The connection may have gone; then there is nobody to tell.
        with contextlib.suppress(ConnectionError):
            for request in alone:
                self._transport.send_rtcp(request)
            if is_late or arrivals or len(parts) > head:
                self._transport.send_rtcp(b"".join([*parts, *arrivals[:1]]))
                # Each may end in padding, which only the last of a compound may.
                for more in arrivals[1:]:
                    self._transport.send_rtcp(b"".join([*parts[:head], more]))
        self._schedule()

    def _schedule(self) -> None:
        """Go on while anything comes, or is waited for."""
        layers = [layer for r in self.receivers for layer in r.layers]
        if any(x.reception.missing for x in layers):
            delay = URGENT_INTERVAL
        elif self._has_news or any(x.wants_key_frame or x.bitrate for x in layers):
            delay = INTERVAL
        else:
            return
        self._has_news = False
        if self._timer is None:
            self._timer = self._loop.call_later(delay, self._tick)

    def _reports(self, now: float) -> list[bytes]:
        """A receiver report, and what goes with it (RFC 3550 section 6.1)."""
        layers = [layer for r in self.receivers for layer in r.layers]
        blocks = [b for x in layers if (b := x.reception.report(now)) is not None]
        parts = [write_receiver_report(self._ssrc, blocks), self._sdes]
        estimated = [x for x in layers if "goog-remb" in x.codec.feedback]
        if self._transport_feedback is None and estimated:
            if self._estimate is None:
                self._estimate = BandwidthEstimate()
            bitrate = self._estimate.update(
                now,
                sum(x.reception.octets for x in layers),
                sum(x.reception.expected for x in layers),
                sum(x.reception.lost for x in layers),
            )
            ssrcs = [layer.ssrc for layer in estimated]
            parts.append(write_remb(self._ssrc, bitrate, ssrcs))
        return parts

    def _arrivals(self) -> list[bytes]:
        """When the packets of the transport have come."""
        messages: list[bytes] = []
        if self._transport_feedback is not None:
            write = self._transport_feedback.write
            while (data := write(self._ssrc, self._media_ssrc)) is not None:
                messages.append(data)
        return messages

    def _requests_of(self, layer: "Layer", now: float) -> list[bytes]:
        """What is asked of the sender of a layer."""
        parts = []
        rtt = min(max(ASSUMED_RTT, layer.reception.repair_time), MAX_RTT)
        if lost := layer.reception.missing_to_request(now, rtt):
            parts.append(write_nack(self._ssrc, layer.ssrc, lost))
        if layer.asks_key_frame(now):
            if "nack pli" in layer.codec.feedback:
                parts.append(write_pli(self._ssrc, layer.ssrc))
            elif "ccm fir" in layer.codec.feedback:
                self._requests += 1
                parts.append(write_fir(self._ssrc, layer.ssrc, self._requests))
        return parts
