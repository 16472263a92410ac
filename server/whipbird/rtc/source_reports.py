"""Reports on one source: ours to the receiver, and the receiver's to us (RFC 3550)."""

import time
from collections import deque

from ..rtp.rtcp import ReportBlock, SenderReport, write_sdes, write_sender_report

# Seconds from 1900, where NTP begins, to 1970 (RFC 8877 section 3.4).
_NTP_EPOCH = 2_208_988_800

# Sender reports to which an answer may still come.
_REMEMBERED = 8

_BYE = b"\x81\xcb\x00\x01"


class SourceReports:
    """Writes the reports of a source, and learns from those about it.

    Args:
        ssrc: of the source.
        cname: the same for all that is played in time (section 6.5.1).

    Attributes:
        last: what the receiver has said last; None before.
        rtt: seconds of the last known round trip; None before.
    """

    def __init__(self, ssrc: int, cname: str) -> None:
        self.last: ReportBlock | None = None
        self.rtt: float | None = None
        self._ssrc = ssrc
        self._name = write_sdes(ssrc, cname)
        # The middle of each NTP timestamp (section 4), and when it was written.
        self._written: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def write(self, timestamp: int, packets: int, octets: int, now: float) -> bytes:
        """A sender report and the canonical name.

        Args:
            timestamp: of RTP, for this very moment.
            packets, octets: how many were sent so far, octets of payload.
            now: the time, in seconds.
        """
        # The one clock that both sides of a recording can compare.
        ntp = int((time.time() + _NTP_EPOCH) * (1 << 32))
        self._written.append((ntp >> 16 & 0xFFFFFFFF, now))
        report = SenderReport(self._ssrc, ntp, timestamp, packets, octets)
        return write_sender_report(report) + self._name

    def write_bye(self) -> bytes:
        """The end of the source (section 6.6), to stand behind a report."""
        return _BYE + self._ssrc.to_bytes(4)

    def received(self, block: ReportBlock, now: float) -> None:
        """Take what the receiver says of the source."""
        self.last = block
        if not block.last_report:
            return
        for middle, written_at in self._written:
            if middle == block.last_report:
                # Section 6.4.1: less the time that the receiver has kept it.
                self.rtt = max(now - written_at - block.delay / 65536, 0.0)
