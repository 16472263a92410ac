"""The clock of an RTP source: which of its sender reports can be true (RFC 3550).

A sender report says which RTP timestamp a source has at a moment of the sender's NTP
clock (section 6.4.1). Some senders report the timestamp of another clock, count at a
wrong rate, or have an NTP clock for each source or none at all. So a report is compared
with what cannot lie: the timestamps of the packets, and when packets and reports come.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

# Seconds by which the timestamp of a report may be ahead of the packets that came: what
# a sender needs to encode a frame; and by which it may be behind them.
MAX_LEAD = 3.0
MAX_LAG = 1.0
# Seconds: the same for a report that is trusted before there is a second one.
MAX_FIRST_LEAD = 0.5
# Seconds by which that may change in the long run, as a queue before the network grows.
MAX_STRAY = 0.5

# Seconds, and seconds per second, by which two reports may differ about one clock.
PRECISION = 0.02
MAX_DRIFT = 0.002

# How exactly packets must confirm that the clock has jumped: within this part of the
# jump, at least and at most so many seconds. Many small jumps are a wrong rate; they
# move the reports away from the packets, which is allowed so far, beyond the jitter.
CONFIRMATION = 0.25
MAX_DEPARTURE = 0.06
MIN_CONFIRMATION = 0.1
MAX_CONFIRMATION = 0.25
# Seconds: the same for a report that came before the packets that confirm it.
EARLY_CONFIRMATION = 0.04
# Seconds by which such a report may come later than the quickest.
MAX_REPORT_DELAY = 0.15

# Reports in a row that do not fit, after which nothing is trusted.
MAX_REJECTIONS = 3
# Reports whose agreement is checked, and whose delays are compared.
KEPT = 16
# Reports that show how far a source's reports are ahead of its packets.
LEADS = 5
# ... and so many that may all be wrong.
FEW_LEADS = 2

# Seconds: the uncertainty of one clock against another, when few reports were received;
# and what remains when many were.
UNCERTAINTY = 0.5
MIN_UNCERTAINTY = 0.05

# Seconds after which a source that does not report has no say on the sender's clock.
MAX_SILENCE = 30.0

# 2000 in NTP's seconds. Earlier times are those of a clock that was not set, or that
# counts from its own beginning.
_PLAUSIBLE_NTP = 3_155_673_600.0


class Anchor(NamedTuple):
    """A moment in all clocks: that of a sender report.

    Attributes:
        sent: in the sender's NTP time, in seconds; one clock for all its sources.
        timestamp: in the source's RTP clock, 32 bits.
        reported: when the report came, in the receiver's clock, in seconds.
        offset: seconds to add to the sender's time to get the receiver's.
        epoch: another one when reports are trusted anew, so that the moment does not
            compare with those before.
    """

    sent: float
    timestamp: int
    reported: float
    offset: float
    epoch: object

    @property
    def moment(self) -> float:
        """The moment in the receiver's clock, in seconds."""
        return self.sent + self.offset


@dataclass(frozen=True, slots=True)
class _Report:
    """A sender report.

    Attributes:
        ntp: the sender's time, in seconds.
        timestamp: the same moment in the source's RTP clock.
        arrival: when it came, in the receiver's clock.
    """

    ntp: float
    timestamp: int
    arrival: float


class SourceClock:
    """Judges the sender reports of one source.

    A report is trusted when it continues those before it, or when packets confirm that
    the clock has jumped: a source that stalls may go on without a gap in its
    timestamps. The first one is trusted when it is close to the packets.

    Args:
        rate: the RTP clock rate, in Hz.

    Attributes:
        offset: seconds to add to the sender's NTP time to get the receiver's time,
            set by ``share_offset``; None if the sender has no one clock.
    """

    def __init__(self, rate: int) -> None:
        self.offset: float | None = None
        self._rate = rate
        # The last reports that agree with each other; none while nothing is trusted.
        self._trusted: deque[_Report] = deque(maxlen=KEPT)
        # Arrival minus NTP time of trusted reports.
        self._delays: deque[float] = deque(maxlen=KEPT)
        # Seconds by which trusted reports were ahead of the packets: the first and the
        # last ones.
        self._first_leads: list[float] = []
        self._leads: deque[float] = deque(maxlen=LEADS)
        # A report that packets may still confirm; and the last one that did not fit.
        self._pending: _Report | None = None
        self._doubted: _Report | None = None
        self._rejections = 0
        self._epoch = object()

    @property
    def is_trusted(self) -> bool:
        """Whether there is a report to rely on."""
        return bool(self._trusted)

    @property
    def reported_at(self) -> float:
        """When the last trusted report came."""
        return self._trusted[-1].arrival

    @property
    def least_delay(self) -> float:
        """Seconds from the NTP time to the arrival of the quickest trusted report."""
        return min(self._delays)

    @property
    def uncertainty(self) -> float:
        """Seconds by which ``least_delay`` may be wrong."""
        if len(self._delays) < MAX_REJECTIONS:
            return UNCERTAINTY
        spread = max(self._delays) - min(self._delays)
        return min(MIN_UNCERTAINTY + spread, UNCERTAINTY)

    def restart(self) -> None:
        """Forget the reports: the source has restarted its timestamps."""
        self._distrust()
        self._forget_leads()
        self._pending = self._doubted = None
        self._rejections = 0

    def report(
        self,
        ntp_timestamp: int,
        rtp_timestamp: int,
        now: float,
        timestamp: int,
        arrival: float,
    ) -> None:
        """Handle a sender report.

        Args:
            ntp_timestamp: its NTP timestamp, 64 bits.
            rtp_timestamp: its RTP timestamp, 32 bits.
            now: its time of arrival, in seconds.
            timestamp: the RTP timestamp of the newest packet.
            arrival: when the first packet with that timestamp came.
        """
        self._settle(timestamp, arrival)
        self._pending = None
        if not ntp_timestamp:
            # RFC 3550 section 6.4.1: the sender has no clock.
            return
        report = _Report(ntp_timestamp / (1 << 32), rtp_timestamp, now)
        if not self._accept(report, timestamp, arrival):
            self._pending = report

    def anchor(self, timestamp: int, arrival: float) -> Anchor | None:
        """The moment of the last trusted report.

        Args:
            timestamp, arrival: those of the newest packet, as in ``report``.

        Returns:
            The moment; None when no report is trusted.
        """
        self._settle(timestamp, arrival)
        if self.offset is None or not self._trusted:
            return None
        last = self._trusted[-1]
        return Anchor(last.ntp, last.timestamp, last.arrival, self.offset, self._epoch)

    def _settle(self, timestamp: int, arrival: float) -> None:
        """Judge the pending report for good, once a packet has come after it."""
        report = self._pending
        if report is None or arrival <= report.arrival:
            return
        self._pending = None
        if not self._accept(report, timestamp, arrival):
            self._reject(report, self._lead(report, timestamp, arrival))

    def _accept(self, report: _Report, timestamp: int, arrival: float) -> bool:
        """Trust a report if it can be true."""
        lead = self._lead(report, timestamp, arrival)
        if not -MAX_LAG <= lead <= MAX_LEAD:
            return False
        if self._continues(report):
            if self._has_strayed():
                self._distrust()
                return False
        elif self._trusted and self._is_confirmed(report, lead, arrival):
            self._trusted.clear()
        elif self._is_first(report, lead) or self._is_repeated(report, lead):
            self._distrust()
            self._doubt_leads()
        else:
            return False
        self._trusted.append(report)
        self._delays.append(report.arrival - report.ntp)
        self._leads.append(lead)
        if len(self._first_leads) < LEADS:
            self._first_leads.append(lead)
        self._doubted = None
        self._rejections = 0
        return True

    def _reject(self, report: _Report, lead: float) -> None:
        self._rejections += 1
        if -MAX_LAG <= lead <= MAX_LEAD:
            self._doubted = report
        if self._rejections >= MAX_REJECTIONS:
            self._distrust()
            self._doubt_leads()

    def _doubt_leads(self) -> None:
        """Forget the leads if they are few: what was trusted may have been wrong."""
        if len(self._first_leads) <= FEW_LEADS:
            self._forget_leads()

    def _forget_leads(self) -> None:
        self._leads.clear()
        self._first_leads.clear()

    def _distrust(self) -> None:
        self._epoch = object()
        self._trusted.clear()
        self._delays.clear()

    def _lead(self, report: _Report, timestamp: int, arrival: float) -> float:
        """Seconds by which a report's timestamp is ahead of the packets."""
        ahead = difference(report.timestamp, timestamp) / self._rate
        return arrival + ahead - report.arrival

    def _jump(self, before: _Report, report: _Report) -> float:
        """Seconds by which the RTP clock has fallen behind between two reports."""
        ticks = round((report.ntp - before.ntp) * self._rate)
        return difference(before.timestamp + ticks, report.timestamp) / self._rate

    def _agree(self, before: _Report, report: _Report) -> bool:
        elapsed = report.ntp - before.ntp
        if elapsed < 0:
            return False
        return abs(self._jump(before, report)) <= PRECISION + MAX_DRIFT * elapsed

    def _continues(self, report: _Report) -> bool:
        """Whether a report is of the same clock as the trusted ones."""
        trusted = self._trusted
        return bool(trusted) and all(
            self._agree(before, report) for before in (trusted[0], trusted[-1])
        )

    def _has_strayed(self) -> bool:
        """Whether the reports have a slightly wrong rate, as it shows in the end."""
        if len(self._leads) < LEADS:
            return False
        return abs(median(self._leads) - median(self._first_leads)) > MAX_STRAY

    def _is_confirmed(self, report: _Report, lead: float, arrival: float) -> bool:
        """Whether packets show that the clock has jumped as a report says."""
        jump = abs(self._jump(self._trusted[-1], report))
        if jump < MAX_CONFIRMATION and len(self._trusted) == 1 < len(self._leads):
            # It is the second jump in a row.
            return False
        tolerance = min(max(CONFIRMATION * jump, MIN_CONFIRMATION), MAX_CONFIRMATION)
        if arrival > report.arrival:
            # A source that stalls may report a moment within the stall.
            tolerance = EARLY_CONFIRMATION
        delay = report.arrival - report.ntp - self.least_delay
        return (
            abs(lead - median(self._leads)) <= tolerance
            and not self._departs(median([*self._leads, lead]))
            and -tolerance <= delay <= MAX_REPORT_DELAY
        )

    def _is_first(self, report: _Report, lead: float) -> bool:
        """Whether it is the first report, and can be true."""
        is_first = self._doubted is None and not self._leads
        is_plausible = abs(lead) <= MAX_FIRST_LEAD and report.ntp >= _PLAUSIBLE_NTP
        return is_first and is_plausible

    def _is_repeated(self, report: _Report, lead: float) -> bool:
        """Whether the report before, which did not fit, says the same as this one."""
        if self._doubted is None or not self._agree(self._doubted, report):
            return False
        if self._doubted.arrival == report.arrival:
            return False
        return len(self._first_leads) <= FEW_LEADS or not self._departs(lead)

    def _departs(self, lead: float) -> bool:
        """Whether the reports have departed from the packets."""
        first = self._first_leads
        jitter = max(first) - min(first)
        return abs(lead - median(first)) > MAX_DEPARTURE + jitter


def share_offset(clocks: Collection[SourceClock]) -> None:
    """Set the offset of all sources of one sender, after a report.

    Reports of one NTP clock come about equally late. If those of some sources do not,
    the sources have separate clocks, and none of them says what belongs together.
    Sources that have not reported for long are not asked.
    """
    trusted = [clock for clock in clocks if clock.is_trusted]
    offset = None
    if trusted:
        recent = max(clock.reported_at for clock in trusted) - MAX_SILENCE
        trusted = [clock for clock in trusted if clock.reported_at >= recent]
        earliest = max(clock.least_delay - clock.uncertainty for clock in trusted)
        latest = min(clock.least_delay + clock.uncertainty for clock in trusted)
        if earliest <= latest:
            offset = min(clock.least_delay for clock in trusted)
    for clock in clocks:
        clock.offset = offset


def difference(timestamp: int, before: int) -> int:
    """Ticks from ``before`` to ``timestamp``, across a wrap (RFC 3550 section 5.1)."""
    return ((timestamp - before + 0x80000000) & 0xFFFFFFFF) - 0x80000000
