"""Reports about one source: the sender's, and the receiver's (RFC 3550)."""

from collections import deque

from ..rtp.ntp import ntp_now, short_ntp
from ..rtp.rtcp import ReportBlock, SenderReport, write_sdes, write_sender_report

# Sender reports that the receiver may still refer to.
_REMEMBERED = 8

_BYE = b"\x81\xcb\x00\x01"


class SourceReports:
    """Writes the sender reports of a source, and reads the receiver's reports about it.

    Args:
        ssrc: the SSRC of the source.
        cname: the same for all sources that are synchronized (section 6.5.1).

    Attributes:
        last: the receiver's last report block; None before one.
        rtt: the last known round-trip time in seconds; None before one.
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
            timestamp: the RTP timestamp of this moment.
            packets, octets: packets sent so far, and the octets of their payloads.
            now: the time, in seconds.
        """
        ntp = ntp_now()
        self._written.append((short_ntp(ntp), now))
        report = SenderReport(self._ssrc, ntp, timestamp, packets, octets)
        return write_sender_report(report) + self._name

    def write_bye(self) -> bytes:
        """A BYE (section 6.6), which follows a report."""
        return _BYE + self._ssrc.to_bytes(4)

    def received(self, block: ReportBlock, now: float) -> None:
        """Handle a report block about the source."""
        self.last = block
        if not block.last_report:
            return
        for middle, written_at in self._written:
            if middle == block.last_report:
                # Section 6.4.1: without the time that the receiver has held it.
                self.rtt = max(now - written_at - block.delay / 65536, 0.0)
