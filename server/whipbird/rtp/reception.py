"""What is known of one source: what came, what is missing, how it came (RFC 3550)."""

from .packet import RtpPacket
from .rtcp import ReportBlock

# How many sequence numbers may be left out before it is taken for another beginning
# (RFC 3550 appendix A.1), and how late a packet may be: RFC 3550 has 100 for that, but
# what was sent again comes later.
MAX_DROPOUT = 3000
MAX_MISORDER = 3000

# With more than these, asking for a key frame is cheaper than asking for the packets.
MAX_MISSING = 1000
# What one NACK asks for fits into one datagram, even when no two packets are close.
MAX_REQUESTED = 256

# Seconds: a packet that comes this late was overtaken, not lost.
REORDERING_TIME = 0.01
# Seconds that a missing packet is waited for: then it is too late to be played.
REPAIR_TIME = 1.0
# Seconds between requests for one packet: an RTT and what the sender may take.
SENDER_TIME = 0.01
MIN_REPEAT = 0.03
MAX_REQUESTS = 10

# Seconds: a larger step of the timestamps against the time is not the network's.
MAX_JITTER_STEP = 5.0


class _Missing:
    """A packet that has not come.

    Attributes:
        due: when something is to be done for it.
        deadline: when it is given up.
        requests: how often it was asked for.
        asked: when first.
    """

    __slots__ = ("asked", "deadline", "due", "requests")

    def __init__(self, now: float) -> None:
        self.due = now + REORDERING_TIME
        self.deadline = now + REPAIR_TIME
        self.requests = 0
        self.asked = 0.0


class Reception:
    """Follows the packets of one source.

    All times are seconds of one clock, which the caller chooses. Extended sequence
    numbers only ever grow, over wraps and over restarts of the source.

    Args:
        ssrc: the source.
        clock_rate: of its timestamps, in Hz.
        max_requests: how often a missing packet is asked for; 0 when NACK was not
            negotiated: then what is missing is soon given up.

    Attributes:
        packets: how many have come, without those sent again over RTX.
        octets: how many octets of RTP these had.
        recovered: how many were missing and came over RTX.
        resent: how many were asked for and came as they were, which some senders do
            without RTX (RFC 4585); ``packets`` counts them, too.
        duplicates: how many came again, or too late to be of use.
        sender_clock: one moment in the sender's time (64 bits of NTP) and in that of
            its packets; None before its first report.
        repair_time: seconds from the first request for a packet until it came, on
            average; 0 before.
        restarts: how often the source has begun anew.
        gave_up: whether a packet was given up, so that a key frame is wanted; for the
            caller to reset.
    """

    __slots__ = (
        "_arrival",
        "_base",
        "_clock_rate",
        "_expected_before",
        "_highest",
        "_jitter",
        "_jump",
        "_max_requests",
        "_missing",
        "_reported",
        "_sender_report",
        "_timestamp",
        "duplicates",
        "gave_up",
        "octets",
        "packets",
        "recovered",
        "repair_time",
        "resent",
        "restarts",
        "sender_clock",
        "ssrc",
    )

    def __init__(
        self, ssrc: int, clock_rate: int, max_requests: int = MAX_REQUESTS
    ) -> None:
        self.ssrc = ssrc
        self.packets = 0
        self.octets = 0
        self.recovered = 0
        self.resent = 0
        self.sender_clock: tuple[int, int] | None = None
        self.repair_time = 0.0
        self.duplicates = 0
        self.restarts = 0
        self.gave_up = False
        self._clock_rate = clock_rate
        self._max_requests = max_requests
        self._base = 0
        self._highest = -1
        # Of the source's lives before the last restart.
        self._expected_before = 0
        # Ascending, as packets are found missing in order.
        self._missing: dict[int, _Missing] = {}
        # What would follow a packet that was far off, and how many came before it.
        self._jump = (-1, -1)
        self._timestamp = -1
        self._arrival = 0.0
        self._jitter = 0.0
        # Expected and come, when the last report was made.
        self._reported = (0, 0)
        self._sender_report: tuple[int, float] | None = None

    @property
    def expected(self) -> int:
        """How many packets the source has sent, as far as can be known."""
        return self._expected_before + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        """How many of them have not come; those recovered over RTX are counted."""
        return self.expected - self.packets

    @property
    def jitter(self) -> float:
        """The interarrival jitter, in seconds."""
        return self._jitter / self._clock_rate

    @property
    def missing(self) -> int:
        """How many packets are missing and not given up."""
        return len(self._missing)

    @property
    def awaited(self) -> int:
        """The extended sequence number before which no packet will come any more."""
        return next(iter(self._missing), self._highest + 1)

    def received(
        self, packet: RtpPacket, now: float, recovered: bool = False
    ) -> int | None:
        """Take account of a packet.

        Args:
            packet: of this source; unwrapped, when it came over RTX.
            now: when it came.
            recovered: whether it came over RTX.

        Returns:
            Its extended sequence number; None when it is to be thrown away: it came
            already, is too late, or is far off (RFC 3550 appendix A.1).
        """
        highest = self._highest
        step = (packet.sequence - highest) & 0xFFFF
        if step != 1 or recovered:
            return self._received_otherwise(packet, step, now, recovered)
        # The usual case.
        self._highest = highest = highest + 1
        self.packets += 1
        self.octets += len(packet.data)
        # Packets with one timestamp were not made at the time that each was sent, so
        # the time between them is not jitter.
        if packet.timestamp != self._timestamp:
            self._measure_jitter(packet.timestamp, now)
        return highest

    def sender_report(self, ntp_timestamp: int, rtp_timestamp: int, now: float) -> None:
        """Take the source's report: for our own, and for its clock (section 6.4.1)."""
        self.sender_clock = (ntp_timestamp, rtp_timestamp)
        self._sender_report = (ntp_timestamp >> 16 & 0xFFFFFFFF, now)

    def report(self, now: float) -> ReportBlock | None:
        """What a receiver report says of this source (RFC 3550 section 6.4.1).

        Returns:
            None when no packet has come since the last one.
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
            fraction = lost * 256 // new  # below 256, as something has come
        last_report = delay = 0
        if self._sender_report is not None:
            last_report, came = self._sender_report
            delay = min(int((now - came) * 65536), 0xFFFFFFFF)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=expected - packets,
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            last_report=last_report,
            delay=delay,
        )

    def missing_to_request(self, now: float, rtt: float) -> list[int]:
        """What to ask for now; what was asked for often or is too old is given up.

        To be called every few hundredths of a second while something is missing.

        Args:
            now: the time.
            rtt: the round-trip time, in seconds.

        Returns:
            Sequence numbers of 16 bits, in the order of sending, at most 256.
        """
        sequences: list[int] = []
        given_up: list[int] = []
        repeat = now + max(rtt + SENDER_TIME, MIN_REPEAT)
        for sequence, missing in self._missing.items():
            if missing.due > now:
                continue
            if missing.requests >= self._max_requests or missing.deadline <= now:
                given_up.append(sequence)
            elif len(sequences) < MAX_REQUESTED:
                if not missing.requests:
                    missing.asked = now
                missing.requests += 1
                missing.due = min(repeat, missing.deadline)
                sequences.append(sequence & 0xFFFF)
        for sequence in given_up:
            del self._missing[sequence]
            self.gave_up = True
        return sequences

    def _received_otherwise(
        self, packet: RtpPacket, step: int, now: float, recovered: bool
    ) -> int | None:
        """Take account of a packet that is not simply the next one."""
        missing = None
        if self._highest < 0:
            self._base = packet.sequence
            self._highest = packet.sequence - 1
            step = 1
        if step == 0 or step > 0x10000 - MAX_MISORDER:
            sequence = self._highest + (step - 0x10000 if step else 0)
            missing = self._missing.pop(sequence, None)
            if missing is None:
                self.duplicates += 1
                return None
        elif step < MAX_DROPOUT:
            sequence = self._highest + step
            self._add_missing(self._highest + 1, sequence, now)
            self._highest = sequence
            if not recovered and packet.timestamp != self._timestamp:
                self._measure_jitter(packet.timestamp, now)
        elif recovered or self._jump != (packet.sequence, self.packets):
            self.duplicates += 1
            if not recovered:
                self._jump = ((packet.sequence + 1) & 0xFFFF, self.packets)
            return None
        else:
            sequence = self._restart(packet, now)
        is_answer = missing is not None and missing.requests
        if missing is not None and is_answer:
            # As the RTT of TCP is averaged (RFC 6298 section 2).
            self.repair_time += (now - missing.asked - self.repair_time) / 8
        if recovered:
            self.recovered += 1
        else:
            self.packets += 1
            self.octets += len(packet.data)
            if is_answer:
                self.resent += 1
        return sequence

    def _restart(self, packet: RtpPacket, now: float) -> int:
        """Begin anew: two packets, one after the other, were both far off."""
        self.restarts += 1
        self._expected_before = self.expected
        sequence = (self._highest | 0xFFFF) + 1 + packet.sequence
        # The first of them was thrown away, and may be the beginning of a key frame.
        self._base = sequence - 1
        self._highest = sequence
        self._missing.clear()
        self._add_missing(sequence - 1, sequence, now)
        self._timestamp = packet.timestamp
        self._arrival = now
        return sequence

    def _add_missing(self, first: int, end: int, now: float) -> None:
        if len(self._missing) + end - first > MAX_MISSING:
            self._missing.clear()
            self.gave_up = True
            return
        for sequence in range(first, end):
            self._missing[sequence] = _Missing(now)

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        """RFC 3550 appendix A.8, with the first packet of each timestamp."""
        if self._timestamp >= 0:
            # Both differences are between neighbours, so that nothing wraps.
            sent = (
                (timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF
            ) - 0x80000000
            step = abs((now - self._arrival) * self._clock_rate - sent)
            if step < MAX_JITTER_STEP * self._clock_rate:
                self._jitter += (step - self._jitter) / 16
        self._timestamp = timestamp
        self._arrival = now
