"""The packets of one encoding, on their way to another worker."""

from collections.abc import Callable

from ..media.feed import Feed
from ..rtp.ntp import ntp_now
from ..rtp.packet import RtpPacket
from ..rtp.rtcp import SenderReport, write_sender_report
from .frames import Kind, write

Numbered = Callable[["EncodingRelay"], int]
"""Makes another SSRC for an encoding, and tells the other worker of it."""

Take = Callable[[RtpPacket, int], None]
"""Takes a packet, and the SSRC that it goes on with."""


class EncodingRelay:
    """Passes the packets of an encoding on, from its last key frame.

    When the encoding goes on with another source, it has another SSRC for the other
    worker, too: then what is done here for the viewers is done there.

    Args:
        feed: the feed of the encoding.
        take: see there.
        numbered: see there.
        is_congested: whether packets are to be left out.

    Attributes:
        encoding: the encoding.
        ssrcs: the SSRC that it had before, if any, and its current one.
    """

    def __init__(
        self,
        feed: Feed,
        take: Take,
        numbered: Numbered,
        is_congested: Callable[[], bool],
    ) -> None:
        self.encoding = feed.encoding
        self._feed = feed
        self._take = take
        self._numbered = numbered
        self._is_congested = is_congested
        self._epoch = self.encoding.epoch
        self._is_skipping = False
        self.ssrcs: list[int] = []
        self._ssrc = numbered(self)
        kept = feed.history.current_gop()
        for packet in kept:
            take(packet, self._ssrc)
        if not kept:
            self.encoding.request_key_frame()
        feed.subscribe(self._pass_on)

    def close(self) -> None:
        """Pass on nothing any more."""
        self._feed.unsubscribe(self._pass_on)

    def report(self, now: float) -> bytes | None:
        """A frame with a sender report; None while the publisher's is not trusted.

        Args:
            now: event loop time.
        """
        if self.encoding.anchor is None:
            return None
        timestamp = self._feed.timestamp_at(now)
        if timestamp is None:
            return None
        ntp = ntp_now()
        report = SenderReport(self._ssrc, ntp, timestamp, 0, 0)
        return write(Kind.RTCP, write_sender_report(report))

    def _pass_on(self, packet: RtpPacket) -> None:
        encoding = self.encoding
        if packet.is_random_access_point:
            if encoding.epoch != self._epoch:
                self._epoch = encoding.epoch
                self._ssrc = self._numbered(self)
            self._is_skipping = self._is_congested()
        elif not self._is_skipping and self._is_congested():
            # The rest of the frames is of no use; the next key frame is.
            self._is_skipping = True
        if not self._is_skipping:
            self._take(packet, self._ssrc)
        elif not self._is_congested():
            encoding.request_key_frame()
