"""The reception state of one source: received, missing, jitter (RFC 3550)."""

from .missing import PICTURES, MissingPackets, RequestPolicy
from .packet import RtpPacket
from .rtcp import ReportBlock
from .source_clock import Anchor, SourceClock, difference

# A larger gap in the sequence numbers means that the source has restarted (RFC 3550
# appendix A.1). A packet may be late by MAX_MISORDER: RFC 3550 has 100, but
# retransmissions arrive later.
MAX_DROPOUT = 3000
MAX_MISORDER = 3000

# A source that skips more sequence numbers than MIN_LEAP has not lost packets, if they
# were more than could be sent in that time: packets per second.
MIN_LEAP = 256
MAX_PACKET_RATE = 20_000

# Seconds: a larger difference between timestamps and arrival is not network jitter.
MAX_JITTER_STEP = 5.0


class Reception:
    """Tracks the packets of one source.

    All times are seconds of one clock, which the caller chooses. Extended sequence
    numbers grow monotonically, across wraps and across restarts of the source.

    Args:
        ssrc: the source.
        clock_rate: the RTP clock rate, in Hz.
        policy: how missing packets are requested.

    Attributes:
        packets: packets received, RTX not counted.
        octets: octets of these RTP packets.
        recovered: missing packets that were received over RTX.
        retransmitted: requested packets that were received in the RTP stream itself,
            as some senders retransmit (RFC 4585); ``packets`` counts them too.
        duplicates: packets received twice, or too late.
        clock: the clock of the source, by its sender reports.
        rtt: the round-trip time in seconds, as far as it is known; the caller sets it.
        restarts: how often the source has restarted its sequence numbers.
        missing: the missing packets.
    """

    __slots__ = (
        "_arrival",
        "_base",
        "_clock_rate",
        "_expected_before",
        "_highest",
        "_jitter",
        "_leap",
        "_reported",
        "_sender_report",
        "_timestamp",
        "clock",
        "duplicates",
        "missing",
        "octets",
        "packets",
        "recovered",
        "restarts",
        "retransmitted",
        "rtt",
        "ssrc",
    )

    def __init__(
        self, ssrc: int, clock_rate: int, policy: RequestPolicy = PICTURES
    ) -> None:
        self.ssrc = ssrc
        self.packets = 0
        self.octets = 0
        self.recovered = 0
        self.retransmitted = 0
        self.clock = SourceClock(clock_rate)
        self.rtt = 0.0
        self.duplicates = 0
        self.restarts = 0
        self.missing = MissingPackets(policy)
        self._clock_rate = clock_rate
        self._base = 0
        self._highest = -1
        # Packets expected before the last restart of the source.
        self._expected_before = 0
        self._timestamp = -1
        self._arrival = 0.0
        self._jitter = 0.0
        # The sequence number that follows those of a leap.
        self._leap = -1
        # Packets expected and received at the time of the last report.
        self._reported = (0, 0)
        self._sender_report: tuple[int, float] | None = None

    @property
    def expected(self) -> int:
        """Packets that the source has sent, by its sequence numbers."""
        return self._expected_before + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets lost; those recovered over RTX count as lost."""
        return self.expected - self.packets

    @property
    def jitter(self) -> float:
        """The interarrival jitter, in seconds."""
        return self._jitter / self._clock_rate

    @property
    def newest(self) -> int:
        """The highest extended sequence number; -1 before the first packet."""
        return self._highest

    @property
    def awaited(self) -> int:
        """The lowest extended sequence number that may still arrive."""
        return self.missing.first(self._highest + 1)

    def received(
        self, packet: RtpPacket, now: float, recovered: bool = False
    ) -> int | None:
        """Count a packet.

        Args:
            packet: a packet of this source, unwrapped if it was received over RTX.
            now: its time of arrival.
            recovered: whether it was received over RTX.

        Returns:
            Its extended sequence number; None if it is to be dropped: a duplicate,
            too late, or out of range (RFC 3550 appendix A.1). The source may have
            restarted its numbers then: the caller finds out, and calls ``restart``.
        """
        highest = self._highest
        step = (packet.sequence - highest) & 0xFFFF
        if step != 1 or recovered:
            return self._received_out_of_order(packet, step, now, recovered)
        # The usual case.
        self._highest = highest = highest + 1
        self.packets += 1
        self.octets += len(packet.data)
        # Packets with the same timestamp were sampled together, so the time between
        # their arrivals is not jitter.
        if packet.timestamp != self._timestamp:
            self._measure_jitter(packet.timestamp, now)
        return highest

    def sender_report(self, ntp_timestamp: int, rtp_timestamp: int, now: float) -> None:
        """Handle a sender report of the source (RFC 3550 section 6.4.1)."""
        if self._timestamp >= 0:
            self.clock.report(
                ntp_timestamp, rtp_timestamp, now, self._timestamp, self._arrival
            )
        self._sender_report = (ntp_timestamp >> 16 & 0xFFFFFFFF, now)

    @property
    def anchor(self) -> Anchor | None:
        """A moment of the source's clock; None when no sender report is trusted."""
        return self.clock.anchor(self._timestamp, self._arrival)

    def report(self, now: float) -> ReportBlock | None:
        """The report block on this source (RFC 3550 section 6.4.1).

        Returns:
            The block; None if no packet has arrived since the last one.
        """
        expected, packets = self.expected, self.packets
        expected_before, packets_before = self._reported
        if packets == packets_before:
            return None
        self._reported = (expected, packets)
        fraction = 0
        new = expected - expected_before
        lost = new - (packets - packets_before)
        if lost > 0:
            fraction = lost * 256 // new  # below 256, as packets have arrived
        last_report = delay = 0
        if self._sender_report is not None:
            last_report, arrival = self._sender_report
            delay = min(int((now - arrival) * 65536), 0xFFFFFFFF)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=expected - packets,
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            last_report=last_report,
            delay=delay,
        )

    def _received_out_of_order(
        self, packet: RtpPacket, step: int, now: float, recovered: bool
    ) -> int | None:
        """Count a packet that does not have the next sequence number."""
        is_retransmission: bool | None = recovered
        if self._highest < 0:
            self._base = packet.sequence
            self._highest = packet.sequence - 1
            step = 1
        if step == 0 or step > 0x10000 - MAX_MISORDER:
            sequence = self._highest + (step - 0x10000 if step else 0)
            is_retransmission = self.missing.arrived(
                sequence, now, self.rtt, is_repair=recovered
            )
            if is_retransmission is None:
                self.duplicates += 1
                return None
        elif step < MAX_DROPOUT and not self._leaps(packet, step, now):
            sequence = self._highest + step
            self.missing.add(self._highest + 1, sequence, now)
            self._highest = sequence
            if not recovered and packet.timestamp != self._timestamp:
                self._measure_jitter(packet.timestamp, now)
        else:
            self.duplicates += 1
            return None
        if recovered:
            self.recovered += 1
        else:
            self.packets += 1
            self.octets += len(packet.data)
            if is_retransmission:
                self.retransmitted += 1
        return sequence

    def _leaps(self, packet: RtpPacket, step: int, now: float) -> bool:
        """Whether more packets are missing than can have been sent."""
        if step <= MIN_LEAP or self._timestamp < 0:
            return False
        ticks = (packet.timestamp - self._timestamp) & 0xFFFFFFFF
        seconds = 0.0 if ticks >> 31 else ticks / self._clock_rate
        if packet.sequence != self._leap and step <= MAX_PACKET_RATE * max(
            now - self._arrival, seconds
        ):
            return False
        self._leap = (packet.sequence + 1) & 0xFFFF
        return True

    def is_late(self, sequence: int) -> bool:
        """Whether a sequence number (16 bits) is one of those received last."""
        return (self._highest - sequence) & 0xFFFF < MAX_MISORDER

    def restart(self, sequence: int) -> None:
        """Begin anew: the source has restarted its sequence numbers.

        Args:
            sequence: that of the next packet, 16 bits.
        """
        self.restarts += 1
        self._expected_before = self.expected
        self._base = (self._highest | 0xFFFF) + 1 + sequence
        self._highest = self._base - 1
        self.missing.clear()
        self._timestamp = -1
        self.clock.restart()

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        """Update the jitter (RFC 3550 appendix A.8) with a new timestamp."""
        if self._timestamp >= 0:
            sent = difference(timestamp, self._timestamp)
            step = abs((now - self._arrival) * self._clock_rate - sent)
            if step < MAX_JITTER_STEP * self._clock_rate:
                self._jitter += (step - self._jitter) / 16
        self._timestamp = timestamp
        self._arrival = now
