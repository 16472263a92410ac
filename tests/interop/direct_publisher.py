"""A publisher without a network, for packets that no client at hand sends."""

import asyncio
from collections.abc import Sequence

from tests.encoders import EncodedFrame
from tests.unit.rtc.media import rtp
from whipbird.rtp.rtcp import SenderReport, write_sender_report
from whipbird.sessions import Session

# Payload types of ``offers.CHROMIUM_MEDIA``.
VP8, H264, OPUS = 96, 103, 111

# Seconds between frames that are sent faster than they were made.
PACE = 0.005


class Publisher:
    """Puts packets into a publisher's session, as if they had come to it.

    Args:
        ssrc: of the pictures; the sound has the next one.
    """

    def __init__(self, session: Session, ssrc: int = 1000) -> None:
        self.session = session
        self._transport = session.peer.connection.transport
        self.ssrc = ssrc
        self._sequences = {ssrc: 65_500, ssrc + 1: 100}
        self._timestamp = 5_000_000

    def send(self, codec: int, timestamp: int, *payloads: bytes) -> None:
        ssrc = self.ssrc + (codec == OPUS)
        for index, payload in enumerate(payloads):
            number = self._next(ssrc)
            marker = index == len(payloads) - 1
            packet = rtp(codec, number, timestamp, ssrc, payload, marker=marker)
            self._transport.rtp_routes[codec](packet)

    async def play(self, frames: tuple[EncodedFrame, ...], codec: int = VP8) -> None:
        for frame in frames:
            self.send(codec, self._timestamp, *frame.payloads)
            self._timestamp += 3000
            await asyncio.sleep(PACE)

    async def play_marked(
        self, payloads: Sequence[tuple[bytes, bool]], codec: int
    ) -> None:
        """Send the packets of a frame, each with the marker or without."""
        for payload, marker in payloads:
            number = self._next(self.ssrc)
            packet = rtp(
                codec, number, self._timestamp, self.ssrc, payload, marker=marker
            )
            self._transport.rtp_routes[codec](packet)
        self._timestamp += 3000
        await asyncio.sleep(PACE)

    def skip(self, *, sequences: int = 0, ticks: int = 0) -> None:
        """Jump in the sequence numbers and timestamps of the pictures."""
        self._sequences[self.ssrc] = (self._sequences[self.ssrc] + sequences) & 0xFFFF
        self._timestamp = (self._timestamp + ticks) & 0xFFFFFFFF

    def _next(self, ssrc: int) -> int:
        number = self._sequences[ssrc] = (self._sequences[ssrc] + 1) & 0xFFFF
        return number

    def report(self, codec: int, ntp: float, timestamp: int) -> None:
        """Say when a timestamp was, in seconds of the publisher's clock."""
        report = SenderReport(
            self.ssrc + (codec == OPUS), int(ntp * (1 << 32)), timestamp, 0, 0
        )
        assert self._transport.rtcp_route is not None
        self._transport.rtcp_route(write_sender_report(report))
