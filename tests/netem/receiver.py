"""A model of a browser that watches: what it asks for, shows and hears."""

import struct
from dataclasses import replace

from tests.netem.nack_module import DEFAULT_ROUND_TRIP
from tests.netem.picture import RECEIVER_SSRC, Picture, Send
from tests.netem.sound import Sound
from tests.netem.wire import RTCP
from tests.netem.world import World
from whipbird.rtp import rtx
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.round_trip import short_ntp
from whipbird.rtp.rtcp import ReportBlock, write_receiver_report, write_remb

#: The payload type of VP8 in `tests.offers.CHROMIUM_VIEWER`.
VP8_TYPE = 96

_SENDER_REPORT = 200

# Seconds between reports, and how many there are for one on the sound.
_REPORT_INTERVAL = 1.0
_SOUND_REPORTS = 5
# The estimate, as libwebrtc makes it by delay: it begins with what comes, after so many
# seconds; it grows by a factor each second, up to another of what comes; packets that
# wait for so many seconds show a queue, which leaves it this much of what comes.
_FIRST_ESTIMATE = 5
_GROWTH, _LIMIT = 1.08, 1.5
_QUEUED, _LESS = 0.05, 0.85


class Receiver:
    """A browser that watches one video and one audio track.

    Args:
        world: whose time it is.
        video, audio, rtx_ssrc: SSRCs of the RTP streams and of the video's RTX stream.
        send: takes RTCP for the server.
        round_trip: seconds, as the receiver knows it.
    """

    def __init__(
        self,
        world: World,
        send: Send,
        *,
        video: int,
        rtx_ssrc: int,
        audio: int,
        round_trip: float = DEFAULT_ROUND_TRIP,
    ) -> None:
        self.picture = Picture(world, video, send, round_trip)
        self.sound = Sound(world)
        self._world = world
        self._send = send
        self._video, self._rtx, self._audio = video, rtx_ssrc, audio
        # The time of each source's last sender report, and when that came.
        self._sender_reports: dict[int, tuple[int, float]] = {}
        self._octets = 0
        self._least_delay = float("inf")
        self._delay = 0.0
        self._reported = 0
        self._bitrate: float | None = None
        world.call_later(_REPORT_INTERVAL, self._report)

    def receive(self, data: bytes, sent_at: float) -> None:
        """Take a packet. Of RTCP, only the times of sender reports count.

        Args:
            sent_at: when it was sent: what a browser derives from timestamps, to see
                whether packets wait somewhere.
        """
        if data[1] in RTCP:
            if data[1] == _SENDER_REPORT:
                ssrc, ntp = struct.unpack_from("!IQ", data, 4)
                self._sender_reports[ssrc] = short_ntp(ntp), self._world.now
            return
        self._octets += len(data)
        self._delay = self._world.now - sent_at
        self._least_delay = min(self._least_delay, self._delay)
        packet = RtpPacket.parse(data)
        assert packet is not None
        if packet.ssrc == self._video:
            self.picture.receive(packet)
        elif packet.ssrc == self._audio:
            self.sound.receive(packet)
        elif packet.ssrc == self._rtx:
            original = rtx.unwrap(packet, VP8_TYPE, self._video)
            if original is not None:
                self.picture.receive(original, is_recovered=True)

    def _report(self) -> None:
        """Report each second: what is lost, and what the path carries."""
        self._world.call_later(_REPORT_INTERVAL, self._report)
        self._reported += 1
        found = [self.picture.reports.block(self._video)]
        if self._reported % _SOUND_REPORTS == 0:
            found.append(self.sound.reports.block(self._audio))
        self._estimate(8 * self._octets / _REPORT_INTERVAL)
        self._octets = 0
        report = write_receiver_report(
            RECEIVER_SSRC, [self._answered(b) for b in found if b is not None]
        )
        if self._bitrate is not None:
            report += write_remb(RECEIVER_SSRC, int(self._bitrate), [self._video])
        self._send(report)

    def _answered(self, block: ReportBlock) -> ReportBlock:
        """A block with the time of the last sender report, and how long it is ago."""
        if block.ssrc not in self._sender_reports:
            return block
        last, at = self._sender_reports[block.ssrc]
        delay = round((self._world.now - at) * 65536)
        return replace(block, last_report=last, delay=delay)

    def _estimate(self, received: float) -> None:
        """Estimate what the path carries, by what has come in a second, in bit/s."""
        if self._delay - self._least_delay > _QUEUED:
            self._bitrate = _LESS * received
        elif self._bitrate is None:
            if self._reported >= _FIRST_ESTIMATE:
                self._bitrate = received
        elif self._bitrate < (most := _LIMIT * received):
            self._bitrate = min(_GROWTH * self._bitrate, most)
